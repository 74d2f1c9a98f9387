/** docs/guarantees.md names files and tests: each must be there, or the promise hangs in the air. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const docs = new URL('../../docs/', import.meta.url);
const text = readFileSync(new URL('guarantees.md', docs), 'utf8');

/** A link to a file, and the quoted titles up to the next link or the end of the line. */
const LINK = /\[[^\]]+\]\(([^)#]+)\)([^[\n]*)/g;
const links = [...text.matchAll(LINK)].map(([, file = '', rest = '']) => ({
  file,
  titles: [...rest.matchAll(/"([^"]+)"/g)].map(([, title = '']) => title),
}));
const proofs = links.flatMap(({ file, titles }) => titles.map((title) => ({ file, title })));

describe('docs/guarantees.md', () => {
  test.each([...new Set(links.map(({ file }) => file))])('links to %s, which is there', (file) => {
    expect(existsSync(new URL(file, docs))).toBe(true);
  });

  test.each(proofs)('rests on "$title"', ({ file, title }) => {
    expect(file).toMatch(/^\.\.\/test\//);
    const source = readFileSync(new URL(file, docs), 'utf8');
    const found = ["'", '"', '`'].some((quote) => source.includes(`${quote}${title}${quote}`));
    expect(found, `no test of ${file} is called exactly "${title}"`).toBe(true);
  });

  test('gives each promise a mechanism and a test', () => {
    expect(proofs.length).toBeGreaterThan(80);
    const [promises = '', others] = text.split('## What is not promised');
    expect(others).toBeDefined();
    const paragraphs = promises.split('\n\n').map((paragraph) => paragraph.trim());
    for (const [n, paragraph] of paragraphs.entries()) {
      if (n < 2 || !paragraph.startsWith('**')) continue;
      expect(paragraphs[n + 1], paragraph).toMatch(/^- \[[^\]]+\]\(\.\.\/test\//);
    }
  });
});
