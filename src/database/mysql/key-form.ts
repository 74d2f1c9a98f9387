import { ConfigurationError } from '../../errors.ts';
import type { ColumnFacts, Database } from '../dialect.ts';
import { quoteName } from './names.ts';
import { characterSetOf } from './unmapped.ts';

/** How the values of a key column are ordered, written down and compared again, exactly. */
export interface KeyForm {
  /** What is compared and ordered. */
  value: string;
  /** The value as text. */
  text: string;
  /** A written value, in a condition. */
  bound(written: string, bind: Bind): string;
  /** Whether a written value is compared with `text`, for no cast makes a value of it again. */
  asText?(written: string): boolean;
}

export type Comparison = '<' | '<=' | '>' | '>=';

export type Bind = (value: unknown, cast?: string) => string;

/** Types whose values have no order that can be relied on; MySQL calls a collection of geometries by the shorter name. */
const UNORDERED = /^(json|geometry|point|linestring|polygon|multi\w+|geom(etry)?collection|vector)\b/;

/** See `Dialect.hasOrder`. */
export const hasOrder = (_database: Database, { type }: ColumnFacts): Promise<boolean> =>
  Promise.resolve(!UNORDERED.test(type));

/** Throws `ConfigurationError` for a column that has no order. */
export function keyForm(column: ColumnFacts): KeyForm {
  const name = column.misindexed ? `concat(${quoteName(column.name)}, '')` : quoteName(column.name);
  const cast = (written: string, bind: Bind): string => bind(written, column.castType || undefined);
  if (UNORDERED.test(column.type)) {
    throw new ConfigurationError(`column ${column.name} is ${column.type}: no key can be made of it`, {
      next: 'name columns of numbers, dates or texts as the key',
    });
  }
  if (/^(enum|set|bit)\b/.test(column.type)) {
    // Ordered by number, but compared with a text as a text.
    return {
      value: `(${name} + 0)`,
      text: `cast(${name} + 0 as char)`,
      bound: (written, bind) => bind(written, 'decimal(20,0)'),
    };
  }
  if (/^(var)?binary|blob/.test(column.type)) {
    return { value: name, text: `hex(${name})`, bound: (written, bind) => `unhex(${bind(written)})` };
  }
  if (column.castType === 'double') return { value: name, text: doubleText(name, column.type), bound: cast };
  if (column.castType === '' && column.collation !== undefined) return textForm(name, column.collation);
  const form = { value: name, text: column.castType === '' ? name : `cast(${name} as char)`, bound: cast };
  return /^date/.test(column.castType) ? { ...form, asText: (written) => !isOnCalendar(written) } : form;
}

/**
 * All 24 characters of -1.1941889077411803e-152. To the servers the text of a double has 22: MySQL writes an expression with fewer digits, so
 * that it fits, and a column's whole; what either keeps in a table of its own for a while it cuts, unless it is said to be longer. A float
 * is written with six digits unless it is cast to a double, which is an expression; in a document MySQL writes that one whole, too.
 */
function doubleText(name: string, type: string): string {
  if (!type.startsWith('float')) return `cast(concat('', ${name}) as char(32))`;
  const whole = `json_extract(json_array(cast(${name} as double)), '$[0]')`;
  return `case when ${name} is not null then cast(${whole} as char(32)) end`;
}

/** Begins what is written of a text by its bytes; no other text that is written begins so. */
const BY_BYTES = '\0';

/**
 * A text is written as it is where its characters say which bytes it has: else bounds would be read as other values, in another order, and
 * ranges overlap. cp932 has two forms of some characters, many sets have bytes without one, and MariaDB keeps halves of a surrogate pair,
 * of which we would read a replacement; on their way through utf16, which has none of these, they are no longer what they were.
 */
function textForm(name: string, collation: string): KeyForm {
  const set = characterSetOf(collation);
  const same = `cast(convert(convert(${name} using utf16) using ${set}) as binary) = cast(${name} as binary)`;
  const plain = `${same} and ascii(convert(${name} using utf8mb4)) > 0`;
  return {
    value: name,
    text: `case when ${plain} then convert(${name} using utf8mb4) else concat('\\0', hex(${name})) end`,
    bound: (written, bind) =>
      written.startsWith(BY_BYTES)
        ? `(convert(unhex(${bind(written.slice(BY_BYTES.length))}) using ${set}) collate ${collation})`
        : bind(written),
  };
}

/** `key < bound`, `key >= bound` …, with as many columns of the key as the bound has: the first that differs decides. */
export function compareKey(key: KeyForm[], operator: Comparison, written: string[], bind: Bind): string {
  const strict = operator[0]!;
  const from = (i: number): string => {
    const column = key[i]!;
    const text = column.asText?.(written[i]!) ?? false;
    const against = (sign: string): string =>
      text
        ? `${column.text} ${sign} ${bind(written[i]!)}`
        : `${column.value} ${sign} ${column.bound(written[i]!, bind)}`;
    if (i === written.length - 1) return against(operator);
    // In this form both servers take all columns of an index; `a >= x and (a > x or …)` reads from the start of a's value on.
    return `(${against(strict)} or (${against('=')} and ${from(i + 1)}))`;
  };
  return from(0);
}

/**
 * Whether a written date or time is of a day that there is. Others (2026-00-10, 0000-00-00, 2026-02-31) a column may hold from a session
 * that was less strict, and a strict one makes NULL of them where it casts. As texts all of a column are in the order of its values.
 */
function isOnCalendar(written: string): boolean {
  const date = written.slice(0, 10);
  const time = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(date);
}
