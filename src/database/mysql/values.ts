import type { CopyInColumn } from '../copy-stream.ts';
import type { ColumnFacts } from '../dialect.ts';
import type { ValueKind, ValueShape } from '../value-shape.ts';
import { quoteName, quoteText } from './names.ts';
import { characterSetOf, orUnmapped } from './unmapped.ts';

/** Bits without the sign. */
const WHOLE: Record<string, number> = { tinyint: 7, smallint: 15, mediumint: 23, int: 31, bigint: 63 };
const FLOATS: Record<string, number> = { float: 24, double: 53 };
const PLAIN: Record<string, ValueKind> = {
  date: 'date',
  year: 'year',
  uuid: 'uuid',
  inet4: 'own',
  inet6: 'own',
  tinytext: 'text',
  text: 'text',
  mediumtext: 'text',
  longtext: 'text',
  varbinary: 'bytes',
  tinyblob: 'bytes',
  blob: 'bytes',
  mediumblob: 'bytes',
  longblob: 'bytes',
};

/** What a column of MySQL or MariaDB holds, by its type as the server writes it: `bigint(20) unsigned`. */
export function shapeOf({ type }: Pick<ColumnFacts, 'type'>): ValueShape {
  const family = /^\w+/.exec(type)?.[0] ?? type;
  const [, first, second] = /\((\d+)(?:,(\d+))?\)/.exec(type) ?? [];
  if (family in WHOLE) {
    return { kind: 'whole number', precision: WHOLE[family]! + (type.includes('unsigned') ? 1 : 0) };
  }
  if (family in FLOATS) {
    return { kind: 'float', precision: FLOATS[family]!, ordinary: true, ...(second && { scale: Number(second) }) };
  }
  const scale = Number(first ?? 0);
  switch (family) {
    case 'decimal':
      return { kind: 'decimal', digits: Number(first ?? 10), scale: Number(second ?? 0), exact: true, ordinary: true };
    case 'bit':
      return { kind: 'bits', length: Number(first ?? 1), exact: true };
    case 'char':
      return { kind: 'text', padded: true, ordinary: true };
    case 'varchar':
      return { kind: 'text', most: Number(first), ordinary: true };
    case 'binary':
      return { kind: 'bytes', length: Number(first ?? 1) };
    case 'time':
      return { kind: 'time', scale, ordinary: true };
    case 'datetime':
      return { kind: 'timestamp', scale, utc: true, ordinary: true };
    case 'timestamp':
      return { kind: 'instant', scale, ordinary: true };
    case 'json':
      return { kind: 'json', floats: true };
    case 'enum':
      return { kind: 'one of a list', labels: labelsOf(type) };
    case 'set':
      return { kind: 'some of a list', labels: labelsOf(type) };
    default:
      return PLAIN[family] ? { kind: PLAIN[family], type, ordinary: true } : { kind: 'opaque', type };
  }
}

/** `enum('a','it''s','a\\b')` → a, it's, a\b. So the catalog says it under every sql_mode. */
const labelsOf = (type: string): string[] =>
  [...type.matchAll(/'((?:[^']|'')*)'/g)].map(([, label]) =>
    label!.replace(/''|\\([\s\S])/g, (_, escaped?: string) =>
      escaped === undefined ? "'" : (ESCAPED[escaped] ?? escaped),
    ),
  );

const ESCAPED: Record<string, string> = { n: '\n', r: '\r', 0: '\0' };

/** How a SELECT writes a column so that a column of any family reads it; bytes become `\x6869` by themselves. */
export function copyOutValue(column: ColumnFacts, into: ValueShape): string {
  const name = quoteName(column.name);
  const shape = shapeOf(column);
  // A float is written with six digits, which are not all that it has.
  if (shape.kind === 'float' && shape.precision! < 53) return `cast(${name} as double)`;
  if (shape.kind === 'bits') {
    return into.kind === 'whole number' || into.kind === 'boolean'
      ? `${name} + 0`
      : `lpad(bin(${name}), ${shape.length}, '0')`;
  }
  if (shape.kind === 'instant' && into.offset) return `concat(${name}, '+00')`; // sessions are in UTC
  if (shape.kind === 'bytes' && into.kind === 'uuid') return `hex(${name})`;
  if (shape.kind === 'uuid' && into.kind === 'bytes') return `cast(${name} as binary(16))`;
  if (shape.kind === 'json' && into.floats) return orFailure(column.name, name);
  return orUnmapped(column, name);
}

/** A document in which a float would change a number is an error: a call that fails, and says why. */
function orFailure(column: string, name: string): string {
  const why = quoteText(`a number in ${column} is longer than JSON keeps on the target`);
  // A constant would be computed when the statement is planned.
  const failure = `cast(uuid_to_bin(concat(${why}, left(cast(${name} as char), 0))) as char)`;
  return `case when ${hasLongNumbers(name)} then ${failure} else cast(${name} as char) end`;
}

/**
 * A condition: the document (quoted name) has a number that a float would change. MySQL keeps a decimal that it put there itself
 * (`json_object('price', price)`) as one, but reads what is written of it as a float. Only where there may be one are the values looked
 * at one by one: members of objects, and elements of arrays, at any depth.
 */
export function hasLongNumbers(name: string): string {
  const values = `json_extract(json_array(${name}), '$**.*', '$**[*]')`;
  return `cast(${name} as char) regexp '[0-9.]{17}' and exists (
    select 1 from json_table(${values}, '$[*]' columns (v json path '$')) number
    where json_type(v) = 'DECIMAL' and v <> cast(cast(v as char) as json))`;
}

/**
 * Whether a server makes a value of its own of NULL, without a word: the time of now for a `timestamp`, the next number of an
 * AUTO_INCREMENT. (Of the others LOAD DATA warns.)
 */
const fillsNull = (column: ColumnFacts): boolean =>
  !column.nullable &&
  (/^timestamp/.test(column.type) ||
    (column.hasDefault && /^(?:(?:tiny|small|medium|big)?int|float|double)/.test(column.type)));

/** A word that such a column refuses: "Incorrect datetime value: 'NULL' for column 'paid_at' at row 1". */
const orRefused = (value: string): string => `coalesce(${value}, 'NULL')`;

/** What LOAD DATA or INSERT makes of a value as it travels. */
export function copyInColumn(column: ColumnFacts): CopyInColumn {
  const name = quoteName(column.name);
  const { kind, labels } = shapeOf(column);
  if (fillsNull(column)) return { name, value: orRefused };
  if (kind === 'bytes' || kind === 'opaque') return { name, value: (written) => `unhex(substr(${written}, 3))` };
  if (kind === 'bits') return { name, value: (written) => `cast(conv(${written}, 2, 10) as unsigned)` };
  if (kind === 'one of a list') {
    // By its place in the list: a text of digits would be taken for one, and another case for the same. There is no place 0.
    const list = quoteText(labels!.join(','));
    return { name, value: (written) => `find_in_set(cast(${written} as binary), ${list})` };
  }
  return { name };
}

/** The text of a value as a copy writes it. */
export const textOf = (value: string): string => `cast(${value} as char)`;

/** Between two types an INSERT takes labels by their numbers, and numbers in as many digits as there is room for: those go by their text. */
export function ownValue(column: ColumnFacts, into: ColumnFacts): string {
  const value = valueWithin(column, into);
  return column.nullable && fillsNull(into) ? orRefused(value) : value;
}

/** The server itself makes `?` of a label's bytes, and U+FFFD of a text's, as it goes to a column of another character set. */
const changesSet = ({ unmapped, collation = '' }: ColumnFacts, into: ColumnFacts): boolean =>
  unmapped === true && characterSetOf(collation) !== characterSetOf(into.collation ?? '');

function valueWithin(column: ColumnFacts, into: ColumnFacts): string {
  if (column.type === into.type && !changesSet(column, into)) return quoteName(column.name);
  const [{ kind: from }, target] = [shapeOf(column), shapeOf(into)];
  const value = copyOutValue(column, target);
  const text = `convert(${value} using utf8mb4)`;
  if (target.kind === 'one of a list') return copyInColumn(into).value!(text);
  if (from === 'bytes' && target.kind === 'text') return `concat('\\\\x', lower(hex(${value})))`;
  // As it is, MariaDB takes a text into a shorter type of text by its length modulo 256, where only blanks are lost by that.
  const texts = target.kind === 'text' && (from === 'float' || from === 'text');
  const written = from === 'one of a list' || from === 'some of a list' || texts;
  return written ? text : value;
}
