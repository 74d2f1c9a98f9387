import { formatTableName } from '../names.ts';
import type { Position } from '../sql-error.ts';
import type { Code, Range } from './code.ts';
import { equalSides } from './equalities.ts';
import { nameAt } from './making.ts';
import type { Reading } from './reading.ts';
import { sourcesOf, type Names, type ScopedRelation, type Source } from './relation.ts';
import type { Equal, Scope } from './scope.ts';

/** A comparison by which a column may count as one of the chunk's key. Whether it compares as the key does, only the server knows. */
export interface Comparison extends Position {
  file: string;
  sides: [ComparedSide, ComparedSide];
}

export interface ComparedSide {
  /** As it is written; undefined: it is the column of the key. */
  said: string | undefined;
  /** Which column of the chunk's key it is by itself. */
  key?: number;
  /** Which column it is, one of these for a name without its table. None: an expression. */
  among: Source[];
  /** It may be a column of something else, too: of what is no table. */
  isOpen?: true;
}

/** What a condition says of columns that are equal, but for comparisons that do not count. */
export function equalities(reading: Reading, scope: Scope, condition: Range): Equal[] {
  const { code } = reading;
  return equalSides(code, condition).flatMap(([left, right]): Equal[] => {
    const [one, other] = [scope.columnAt(code, left), scope.columnAt(code, right)];
    if (one === undefined || other === undefined) return [];
    return counts(reading, [one, other], [left, right]) ? [[one, other]] : [];
  });
}

/** Whether two columns, as `Scope` names them, may be taken for one; `at`: where they stand, or what is compared with the key. */
export function counts(reading: Reading, [one, other]: Equal, [left, right]: [Range, Range?]): boolean {
  return reading.counts(left.from, [sideOf(reading, one, left), sideOf(reading, other, right)]);
}

function sideOf({ code, tables }: Reading, column: string, at: Range | undefined): ComparedSide {
  const said = at === undefined ? undefined : asWritten(code, at);
  const [, id, mark, name] = /^(\d+|\?[^.]*)([.#])(.*)$/s.exec(column)!;
  if (mark === '#') return { said, key: Number(name), among: [] };
  if (name!.startsWith('=') || name === '') return { said, among: [] };
  const table = tables.get(Number(id));
  const key = table?.relation.column(name!);
  if (typeof key === 'number') return { said, key, among: [] };
  // A name without its table is of one of those that there are.
  const own = id === '?' ? [...tables.values()] : table === undefined ? [] : [table];
  const isOpen = own.some((one) => sourcesOf(one, name!).length === 0 && mayHave(one, name!));
  return { said, among: own.flatMap((one) => sourcesOf(one, name!)), ...(isOpen && { isOpen }) };
}

const mayHave = ({ relation }: ScopedRelation, column: string): boolean =>
  relation.columns?.some(({ name }) => name === undefined || name === column) ?? true;

const asWritten = ({ tokens }: Code, { from, to }: Range): string =>
  tokens
    .slice(from, to)
    .map(({ text }) => text)
    .join('');

/** The table there, if it is one and not the name of something that the statement or the stage makes. */
export function tableAt(code: Code, at: number, names: Names): string | undefined {
  const token = code.tokens[at];
  if (token?.kind === 'brace') return token.value;
  const parts = code.chain(at).map((_, i) => code.tokens[at + 2 * i]!.value);
  const [name, schema, ...more] = parts.reverse();
  if (name === undefined || more.length > 0 || names.has(nameAt(code, at))) return undefined;
  return formatTableName({ schema, name }, code.dialect);
}
