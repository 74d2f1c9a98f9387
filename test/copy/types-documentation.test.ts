/** docs/types.md and the pairs of types that values.test.ts asks the servers about are the same, so that neither says more. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FROM_MYSQL, FROM_POSTGRES, WITHOUT_TARGET, type Meant } from './samples.ts';

const DOCUMENT = readFileSync(new URL('../../docs/types.md', import.meta.url), 'utf8');

interface Row {
  from: string[];
  /** Empty: nothing keeps it. */
  into: string[];
  refused: string;
}

/** Words for types that have no name of their own; in the samples they are these. */
const KINDS: Record<string, RegExp> = {
  arrays: /\[\]$/,
  ranges: /^int4range$/,
  'composite types': /^place$/,
  domains: /^code$/,
  enumeration: /^mood$/,
  enumerations: /^mood$/,
  geometries: /^point$/,
};
const TYPE = new RegExp(`\`([^\`]+)\`|\\b(${Object.keys(KINDS).sort().reverse().join('|')})\\b`, 'g');

/** What is said of a type beside its name. */
const typesIn = (cell: string): string[] =>
  [...cell.replace(/(?:, not |;|: | \().*/, '').matchAll(TYPE)].map(([, type, kind]) => type ?? kind!);

function rowsOf(title: string): Row[] {
  const [, section] = DOCUMENT.split(`\n## ${title}\n`);
  const lines = section!
    .split('\n## ')[0]!
    .split('\n')
    .filter((line) => line.startsWith('| '));
  const rows: Row[] = [];
  for (const line of lines.slice(1)) {
    const [from, into, refused] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()) as [string, string, string];
    const nothing = into.startsWith('nothing');
    rows.push({ from: from === '' ? rows.at(-1)!.from : typesIn(from), into: nothing ? [] : typesIn(into), refused });
  }
  return rows;
}

/** `varchar(n)` → varchar(300); `time` → time without time zone, as PostgreSQL itself writes it. */
function isType(documented: string, sample: string): boolean {
  const kind = KINDS[documented];
  if (kind) return kind.test(sample);
  const plain = sample.replace(/ without time zone$| null$/, '');
  const pattern = documented.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${pattern.replace('(n\\)', '(\\d+\\)').replace('(…\\)', '(.+\\)')}$`).test(plain);
}

const isPair = (row: Row, { from, into }: Meant): boolean =>
  row.from.some((type) => isType(type, from)) && row.into.some((type) => isType(type, into));

describe.each([
  ['From PostgreSQL to MySQL or MariaDB', FROM_POSTGRES],
  ['From MySQL or MariaDB to PostgreSQL', FROM_MYSQL],
])('docs/types.md, "%s"', (title, meant) => {
  const rows = rowsOf(title);

  test('has every pair of types that is tested, and what is refused of it', () => {
    expect(rows.length).toBeGreaterThan(20);
    expect(meant.filter((one) => !rows.some((row) => isPair(row, one)))).toEqual([]);
    const refusing = meant.filter(({ refused = [] }) => refused.length > 0);
    expect(refusing.filter((one) => !rows.some((row) => isPair(row, one) && row.refused !== ''))).toEqual([]);
  });

  test('names no type, and no pair, that is not tested', () => {
    const untested: string[] = [];
    for (const row of rows.filter(({ into }) => into.length > 0)) {
      const tested = meant.filter((one) => isPair(row, one));
      for (const type of row.from)
        if (!tested.some(({ from }) => isType(type, from))) untested.push(`from ${type} into ${row.into.join(' ')}`);
      for (const type of row.into)
        if (!tested.some(({ into }) => isType(type, into))) untested.push(`from ${row.from.join(' ')} into ${type}`);
    }
    expect(untested).toEqual([]);
  });

  test('says of which types nothing is kept', () => {
    const none = rows.filter(({ into }) => into.length === 0).flatMap(({ from }) => from);
    expect(none.length).toBeGreaterThan(0);
    expect(none.filter((type) => !WITHOUT_TARGET.some((sample) => isType(type, sample)))).toEqual([]);
  });
});
