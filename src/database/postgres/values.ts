import type { CopyInColumn } from '../copy-stream.ts';
import type { ColumnFacts } from '../dialect.ts';
import type { ValueKind, ValueShape } from '../value-shape.ts';
import { quoteName } from './names.ts';
import { leastField, narrowing, TEXTS, type Typed } from './narrowing.ts';

const WHOLE: Record<string, number> = { smallint: 15, integer: 31, bigint: 63 };
const FLOATS: Record<string, number> = { real: 24, 'double precision': 53 };
const TIMES: Record<string, ValueKind> = {
  'time without time zone': 'time',
  'timestamp without time zone': 'timestamp',
  'timestamp with time zone': 'instant',
  interval: 'interval',
};
const PLAIN: Record<string, ValueKind> = {
  boolean: 'boolean',
  text: 'text',
  'character varying': 'text',
  bytea: 'bytes',
  date: 'date',
  json: 'json',
  jsonb: 'json',
  uuid: 'uuid',
};

const TEXT = { type: 'text', castType: 'text' };

/** What a column of PostgreSQL holds. Domains, ranges, arrays, enumerations and the like are its own. */
export function shapeOf(column: Typed): ValueShape {
  const { type, castType } = column;
  const modifiers = /\((\d+)(?:,(-?\d+))?\)/.exec(type);
  if (castType in WHOLE) return { kind: 'whole number', precision: WHOLE[castType]! };
  if (castType in FLOATS) return { kind: 'float', precision: FLOATS[castType]! };
  if (castType === 'numeric') {
    const [, digits, scale = 0] = modifiers ?? [];
    return { kind: 'decimal', ...(digits !== undefined && { digits: Number(digits), scale: Number(scale) }) };
  }
  if (castType in TIMES) {
    const least = leastField(type);
    if (least !== 'second') return { kind: 'interval', scale: 0, least };
    const scale = Number(modifiers?.[1] ?? 6);
    return { kind: TIMES[castType]!, scale, ...(TIMES[castType] === 'instant' && { offset: true }) };
  }
  if (castType === 'bpchar' || castType === 'character') return { kind: 'text', padded: true };
  if (castType === '"bit"') return { kind: 'bits', length: Number(modifiers?.[1] ?? 1) };
  if (castType === 'bit varying') return { kind: 'bits' };
  const kind = PLAIN[castType];
  if (kind) return { kind, ...(castType === 'character varying' && modifiers && { most: Number(modifiers[1]) }) };
  if (/^(time with time zone|money)$/.test(castType)) return { kind: 'opaque', type };
  return { kind: 'own', type, ...(narrowing(TEXT, column) !== undefined && { guesses: true }) };
}

/** How a SELECT for COPY writes a column so that a column of another family reads it. */
export function copyOutValue(column: ColumnFacts, into: ValueShape): string {
  const name = quoteName(column.name);
  const { kind, precision } = shapeOf(column);
  if (kind === 'boolean' && into.kind !== 'text') return `${name}::int`;
  if (kind === 'instant' && into.kind !== 'text') return `(${name} at time zone 'UTC')`;
  // Its shortest text may be beyond the largest float of MySQL; as a double it is not.
  if (precision === FLOATS['real'] && into.kind === 'float') return `${name}::float8`;
  if (kind === 'uuid' && into.kind === 'bytes') return `uuid_send(${name})`;
  if (kind === 'json' && into.floats) return orFailure(column.name, name);
  return name;
}

/** COPY takes values as they come, by the type of the column. */
export const copyInColumn = (column: ColumnFacts): CopyInColumn => ({ name: quoteName(column.name) });

/**
 * A document in which a float would change a number is an error: a cast that fails, and says why. Up to 15 digits a float keeps.
 * Only where there may be more are the numbers looked at one by one.
 */
function orFailure(column: string, name: string): string {
  const why = `a number in ${column} is longer than JSON keeps on the target`.replaceAll("'", "''");
  // A constant would be cast when the statement is planned.
  const failure = `('${why}' || left(${name}::text, 0))::int::text`;
  return `case when ${hasLongNumbers(name)} then ${failure} else ${name}::text end`;
}

/** The least and the greatest float: beyond them a cast to one is an error. */
const OF_A_FLOAT = '5e-324 and 1.7976931348623157e308';

/** A condition: the document (quoted name) has a number that a float would change. */
export function hasLongNumbers(name: string): string {
  const number = `(v #>> '{}')::numeric`;
  return `${name}::text ~ '[0-9.]{16}|[0-9][eE][-+]?[0-9]' and exists (
    select 1 from jsonb_path_query(${name}::jsonb, 'strict $.**') v where jsonb_typeof(v) = 'number'
      and not (${number} % 1 = 0 and ${number} between -9223372036854775808 and 18446744073709551615)
      and case when abs(${number}) between ${OF_A_FLOAT} then ${number}::float8::text::numeric <> ${number} else true end)`;
}

/** Of a composite whose fields are NULL it `is null`; a cast writes others than COPY: `true` for `t`, without the blanks of bpchar. */
export const textOf = (value: string): string => `case when num_nulls(${value}) = 0 then concat(${value}) end`;

/**
 * A cast rounds and cuts where COPY refuses, and knows fewer ways: a value of another type goes by its text, as COPY writes it, into
 * the bare type, and only from there into that of the column, as an INSERT casts.
 */
export function ownValue(column: ColumnFacts, into: ColumnFacts): string {
  const name = quoteName(column.name);
  const [from, to] = [column.castType, into.base?.castType ?? into.castType];
  const safe = [from, to].every((type) => TEXTS.includes(type)) || (from in WHOLE && (to in WHOLE || to === 'numeric'));
  if (from === into.castType || (safe && from !== 'bpchar')) return name;
  return `cast(${textOf(name)} as ${to})`;
}
