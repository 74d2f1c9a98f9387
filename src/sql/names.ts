import { distance } from 'fastest-levenshtein';
import { ConfigurationError } from '../errors.ts';
import type { SqlDialect } from './dialect.ts';
import { endOfQuoted, matchLength, quoteAt } from './scan-quoted.ts';

/** A table's name as the server stores it: case folded, quotes gone. */
export interface TableName {
  schema: string | undefined;
  name: string;
}

/**
 * Reads `table`, `schema.table`, quoted parts too; unquoted ones are folded as the server folds them.
 * Throws `ConfigurationError` for anything else, and for a part that is too long for the server.
 */
export function parseTableName(text: string, dialect: SqlDialect): TableName {
  const parts = readParts(text, dialect);
  if (parts.length > 2) {
    const message = `"${text.trim()}" has ${parts.length} parts; ${dialect.noThirdPart}`;
    throw new ConfigurationError(message, { next: dialect.nameForm });
  }
  return parts.length === 2 ? { schema: parts[0], name: parts[1]! } : { schema: undefined, name: parts[0]! };
}

/** Reads `table.column` and `schema.table.column`; the table comes normalized. Throws as `parseTableName` does. */
export function parseColumnName(text: string, dialect: SqlDialect): { table: string; column: string } {
  const parts = readParts(text, dialect);
  if (parts.length < 2 || parts.length > 3) {
    throw new ConfigurationError(`"${text.trim()}" is not a column with its table`, {
      next: 'Write `schema.table.column`.',
    });
  }
  const [column, name, schema] = parts.reverse() as [string, string, string | undefined];
  return { table: formatTableName({ schema, name }, dialect), column };
}

function readParts(text: string, dialect: SqlDialect): string[] {
  const parts: string[] = [];
  let at = skipSpace(text, 0, dialect);
  for (;;) {
    const end = endOfName(text, at, dialect);
    const part = end === undefined ? '' : dialect.nameOf(text.slice(at, end));
    if (end === undefined || part === '') throw notAName(text, parts.length > 0, dialect);
    const refusal = nameRefusal(part, dialect);
    if (refusal !== undefined)
      throw new ConfigurationError(refusal, { next: 'Write the name that the table really has.' });
    parts.push(part);
    at = skipSpace(text, end, dialect);
    if (at === text.length) break;
    if (text[at] !== '.') throw notAName(text, false, dialect);
    at = skipSpace(text, at + 1, dialect);
  }
  return parts;
}

/** Why nothing on such a server has this name: it would be given another one. */
export function nameRefusal(
  name: string,
  { longestName: { size, unit }, unnameable, title }: SqlDialect,
): string | undefined {
  if ((unit === 'bytes' ? Buffer.byteLength(name) : [...name].length) > size)
    return `the name "${name}" is longer than ${size} ${unit}, the most that ${title} keeps`;
  const character = unnameable?.exec(name)?.[0];
  return character === undefined ? undefined : `the name "${name}" has a ${character}, which ${title} keeps in no name`;
}

/** The column that the server takes for the one of this name; its own name may be written in another way. */
export const columnNamed = <Column extends { name: string }>(
  columns: readonly Column[],
  name: string,
  { foldColumn }: Pick<SqlDialect, 'foldColumn'>,
): Column | undefined => columns.find((column) => foldColumn(column.name) === foldColumn(name));

/** Undefined: no table of such a server may be called so. */
export function tableNamed(text: string, dialect: SqlDialect): TableName | undefined {
  try {
    return parseTableName(text, dialect);
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined;
    throw error;
  }
}

/** The one way to write a table's name: `schema.name`, in quotes only where the server needs them. */
export function normalizeTableName(text: string, dialect: SqlDialect): string {
  return formatTableName(parseTableName(text, dialect), dialect);
}

/** `parseTableName` backwards. The text can stand in SQL as a table's name. */
export function formatTableName(table: TableName, dialect: SqlDialect): string {
  const quoted = (part: string, mayBeReserved: boolean) =>
    dialect.plainName.test(part) && (mayBeReserved || !dialect.reservedWords.has(part.toLowerCase()))
      ? part
      : dialect.quoteName(part);
  if (table.schema === undefined) return quoted(table.name, false);
  return `${quoted(table.schema, false)}.${quoted(table.name, true)}`;
}

/**
 * The candidate that a person most likely meant, or undefined when none is near: a third of the letters may differ, case
 * does not count, and a name without its first part (`flight` for `acq.flight`) is near.
 */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase();
  let best: { candidate: string; score: number } | undefined;
  for (const candidate of candidates) {
    const known = candidate.toLowerCase();
    const tail = known.slice(known.lastIndexOf('.') + 1);
    const score = known !== tail && tail === wanted ? 1 : distance(wanted, known);
    const limit = Math.max(1, Math.floor(Math.max(wanted.length, known.length) / 3));
    if (score <= limit && (best === undefined || score < best.score)) best = { candidate, score };
  }
  return best?.candidate;
}

function endOfName(text: string, at: number, dialect: SqlDialect): number | undefined {
  const form = quoteAt(text, at, dialect);
  if (form !== undefined) return form.kind === 'quoted' ? endOfQuoted(text, at, form) : undefined;
  const length = matchLength(dialect.word, text, at);
  return length === 0 ? undefined : at + length;
}

function skipSpace(text: string, at: number, dialect: SqlDialect): number {
  return at + matchLength(dialect.space, text, at);
}

function notAName(text: string, afterDot: boolean, dialect: SqlDialect): ConfigurationError {
  const shown = text.trim() === '' ? 'a table name is missing' : `"${text.trim()}" is not the name of a table`;
  return new ConfigurationError(afterDot ? `${shown} (after the dot)` : shown, { next: dialect.nameForm });
}
