/** What `show create table` says of a table, taken apart as far as a twin needs it. */
import { LoadFailedError } from '../../../errors.ts';
import type { ServerFacts } from '../server-facts.ts';
import type { MysqlSession } from '../session.ts';
import { at, ownName, quoted, type Place } from './place.ts';

/** A constraint whose name is the whole schema's: while the snapshot has it, its twin's needs another one. */
export interface NamedConstraint {
  kind: 'foreign key' | 'check';
  name: string;
  /** What the twin's is called until the snapshot's has stepped aside. */
  own: string;
  /** What follows the name: `FOREIGN KEY (…) REFERENCES …`. */
  rule: string;
}

export interface Definition {
  /** The text without the next number of AUTO_INCREMENT: the same text, the same table. */
  text: string;
  /** The next number that AUTO_INCREMENT gives; undefined: there is none, or it has not begun. */
  nextNumber: bigint | undefined;
  constraints: NamedConstraint[];
}

/**
 * The line of the options. What MySQL says before the engine, a tablespace above all, it puts into comments; a name there, or a
 * comment of the table's after it, may hold anything.
 */
const NUMBER = /^(\) (?:\/\*!\d+ (?:[^`*]|`(?:[^`]|``)+`)*\*\/ )*ENGINE=\w+) AUTO_INCREMENT=(\d+)/;
const CONSTRAINT = /^ {2}CONSTRAINT (`(?:[^`]|``)+`) (FOREIGN KEY|CHECK)(.*?)(,?)$/;

export async function definitionOf(session: MysqlSession, place: Place, name: string): Promise<Definition> {
  const { rows } = await session.query<Record<string, string>>({
    strings: [`show create table ${at(place, name)}`],
    values: [],
  });
  const whole = rows[0]?.['Create Table'];
  if (whole === undefined) throw new LoadFailedError(`${place.schema}.${name} is no table`);
  const lines = whole.split('\n');
  const options = lines.findLastIndex((line) => line.startsWith(') '));
  const found = NUMBER.exec(lines[options] ?? '');
  if (found) lines[options] = lines[options]!.replace(NUMBER, '$1');
  return {
    text: lines.join('\n'),
    nextNumber: found ? BigInt(found[2]!) : undefined,
    constraints: constraintsOf(lines, place, name, session.server),
  };
}

function constraintsOf(lines: string[], place: Place, table: string, server: ServerFacts): NamedConstraint[] {
  const constraints: NamedConstraint[] = [];
  for (const line of lines) {
    const match = CONSTRAINT.exec(line);
    if (!match) continue;
    const name = match[1]!.slice(1, -1).replaceAll('``', '`');
    const kind = match[2] === 'CHECK' ? 'check' : 'foreign key';
    if (kind === 'check' && !server.checkNamesAreOfSchema) continue;
    if (isGenerated(name, kind, table)) continue;
    constraints.push({
      kind,
      name,
      own: ownName(kind === 'check' ? 'ck' : 'fk', `${place.name}.${name}`),
      rule: `${match[2]!}${match[3]!}`,
    });
  }
  return constraints;
}

/** The constraints in the text of a twin, by the names that they have there. */
export function constraintsIn(text: string): Omit<NamedConstraint, 'own'>[] {
  return text.split('\n').flatMap((line) => {
    const [, name, words, rest] = CONSTRAINT.exec(line) ?? [];
    if (name === undefined) return [];
    const kind = words === 'CHECK' ? 'check' : 'foreign key';
    return [{ kind, name: name.slice(1, -1).replaceAll('``', '`'), rule: `${words!}${rest!}` }];
  });
}

/**
 * The server shows a table's text in characters of three bytes at most, each other one as a question mark, and bytes that are no
 * text as U+FFFD. Where either stands in a column, an index or a partition (comments the server keeps in such characters alone),
 * the text may say something else than the table does.
 */
export const isLossy = (text: string): boolean =>
  text
    .split('\n')
    .filter((line) => !line.startsWith(') '))
    .some((line) => /[?\uFFFD]/.test(line.replaceAll(/ COMMENT ?=? ?'(?:[^']|'')*'/g, '')));

const GEOMETRY = /^ {2}`(?:[^`]|``)+` (?:geometry(?:collection)?|(?:multi)?(?:point|linestring|polygon))\b/m;

/** Whether the text may say nothing of a geometry's reference system, which the table has all the same. */
export const isSilent = (text: string, { showsReferenceSystems }: ServerFacts): boolean =>
  !showsReferenceSystems && GEOMETRY.test(text);

/**
 * What the server takes for a name that it has made itself, and changes with the table's when that is renamed: to it all those that begin
 * so, in the same case. (Not so a CHECK whose name is its table's alone.)
 */
export const isFollowing = (name: string, kind: NamedConstraint['kind'], table: string): boolean =>
  name.length > prefixOf(kind, table).length && name.startsWith(prefixOf(kind, table));

/** One that it really has made. The others are given back by us: with a twin's name they might be too long. */
const isGenerated = (name: string, kind: NamedConstraint['kind'], table: string): boolean =>
  isFollowing(name, kind, table) && /^\d+$/.test(name.slice(prefixOf(kind, table).length));

const prefixOf = (kind: NamedConstraint['kind'], table: string): string =>
  `${table}${kind === 'check' ? '_chk_' : '_ibfk_'}`;

/** Its twin: where names are the schema's, with others that lead back to them. */
export function twinText({ text, constraints }: Definition, place: Place, server: ServerFacts): string {
  const { name, twin } = place;
  const head = `CREATE TABLE ${quoted(name)} (`;
  const [first, ...rest] = text.split('\n');
  if (first !== head) throw new LoadFailedError(`the definition of ${name} begins with ${first}, not ${head}`);
  const lines = rest.map((line) => {
    const match = CONSTRAINT.exec(line);
    if (!match) return line;
    const called = match[1]!.slice(1, -1).replaceAll('``', '`');
    const kind = match[2] === 'CHECK' ? 'check' : 'foreign key';
    const own = constraints.find((one) => one.kind === kind && one.name === called)?.own;
    // `flight_ibfk_1` → `waybill_twin_…_ibfk_1`, which the server calls `flight_ibfk_1` again when the twin is renamed.
    const follows = isGenerated(called, kind, name) && (kind !== 'check' || server.checkNamesAreOfSchema);
    const made = own ?? (follows ? `${twin}${called.slice(name.length)}` : called);
    return `  CONSTRAINT ${quoted(made)} ${match[2]!}${match[3]!}${match[4]!}`;
  });
  return [`CREATE TABLE ${at(place, twin)} (`, ...lines].join('\n');
}
