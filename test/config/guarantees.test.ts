/** docs/guarantees.md names files and tests: each must be there, and run, or the promise hangs in the air. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const docs = new URL('../../docs/', import.meta.url);
const text = readFileSync(new URL('guarantees.md', docs), 'utf8');
const [promises = '', others] = text.split('## What is not promised');

/** A link to a file, and the quoted titles up to the next link or the end of the line. */
const LINK = /\[[^\]]+\]\(([^)#]+)\)([^[\n]*)/g;
const links = [...text.matchAll(LINK)].map(([, file = '', rest = '']) => ({
  file,
  titles: [...rest.matchAll(/"([^"]+)"/g)].map(([, title = '']) => title),
}));
const proofs = links.flatMap(({ file, titles }) => titles.map((title) => ({ file, title })));
const tests = [...new Set(links.map(({ file }) => file).filter((file) => file.endsWith('.test.ts')))];

/**
 * The texts of a file as they are written there, less comments, and less what stands in a test or table of tests that does not run:
 * a title may be that of a test, of a group, or a row of a table of either.
 */
function titlesOf(file: string): Set<string> {
  const source = ts.createSourceFile(file, readFileSync(new URL(file, docs), 'utf8'), ts.ScriptTarget.Latest);
  const found = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /\.(skip|todo|fails)\b/.test(node.expression.getText(source))) return;
    if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)) found.add(node.getText(source).slice(1, -1));
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}
const titles = new Map(tests.map((file) => [file, titlesOf(file)]));

describe('docs/guarantees.md', () => {
  test.each([...new Set(links.map(({ file }) => file))])('links to %s, which is there', (file) => {
    expect(existsSync(new URL(file, docs))).toBe(true);
  });

  test.each(proofs)('rests on "$title"', ({ file, title }) => {
    expect(file).toMatch(/^\.\.\/test\//);
    const known = titles.get(file) ?? titlesOf(file);
    expect(known.has(title), `no test of ${file} that runs is called exactly "${title}"`).toBe(true);
  });

  test('gives each promise a mechanism and a test', () => {
    expect(proofs.length).toBeGreaterThan(80);
    expect(others).toBeDefined();
    const paragraphs = promises.split('\n\n').map((paragraph) => paragraph.trim());
    for (const [n, paragraph] of paragraphs.entries()) {
      if (n < 2 || !paragraph.startsWith('**')) continue;
      expect(paragraph, 'the mechanism').toMatch(/\]\(\.\.\/src\//);
      expect(paragraphs[n + 1], paragraph).toMatch(/^- \[[^\]]+\]\(\.\.\/test\//);
    }
  });

  test('gives each rule of a start a test by its title', () => {
    const rules = [...promises.matchAll(/^\| (.+?) \| (.+) \|$/gm)].filter(([, finds]) => finds !== 'it finds');
    expect(rules.length).toBeGreaterThan(15);
    for (const [, finds, held] of rules) expect(held, finds).toMatch(/\]\(\.\.\/test\/[^)]+\): "/);
  });

  test('names every file of tests that kill workers', () => {
    const files = readdirSync(new URL('../test/crash/', docs)).filter((file) => file.endsWith('.test.ts'));
    for (const file of files) expect(tests).toContain(`../test/crash/${file}`);
  });
});
