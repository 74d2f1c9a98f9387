/** Rows of a query as lines of text. */
import { JsonText } from '../database/json-text.ts';
import { WaybillError } from '../errors.ts';

/** As RFC 4180 has it, but for the end of a line; NULL is nothing, an empty text is `""`. */
export function csvLine(values: readonly unknown[]): string {
  const cells = values.map((value) => {
    const text = textOf(value);
    if (text === null) return '';
    return typeof text === 'string' && (text === '' || /[",\r\n]/.test(text))
      ? `"${text.replaceAll('"', '""')}"`
      : String(text);
  });
  return `${cells.join(',')}\n`;
}

/** A JSON object, JSON in it as it is. Numbers that a driver gives as text, because JavaScript would not keep them, stay text. */
export function jsonLine(columns: readonly string[]): (row: readonly unknown[]) => string {
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new WaybillError(`two columns of the query are called ${twice}`, {
      next: 'name them apart: select a.id as a_id, …',
    });
  }
  const keys = columns.map((name) => JSON.stringify(name));
  return (row) => `{${keys.map((key, i) => `${key}:${jsonOf(row[i])}`).join(',')}}\n`;
}

/** In a line: PostgreSQL's `json` keeps the white space that it was given. */
const jsonOf = (value: unknown): string =>
  value instanceof JsonText ? value.text.replaceAll(/[\r\n]+/g, ' ') : JSON.stringify(textOf(value));

function textOf(value: unknown): string | number | boolean | null {
  if (value === null || value === undefined) return null;
  if (value instanceof JsonText) return value.text;
  if (value instanceof Date) return value.toISOString();
  if (Buffer.isBuffer(value)) return `\\x${value.toString('hex')}`;
  return typeof value === 'number' || typeof value === 'boolean' ? value : `${value as string}`;
}
