import type { SqlSource } from '../config/definition.ts';
import { ConfigurationError } from '../errors.ts';

/** A place in a file: 1-based line and column, columns in UTF-16 units as editors count them. */
export interface Position {
  line: number;
  column: number;
}

/** `file:line:column`, the form that terminals and editors turn into a link. */
export function formatPosition(file: string, at: Position): string {
  return `${file}:${at.line}:${at.column}`;
}

/**
 * The SQL of a load is wrong, or asks for what the engine must refuse. `where` is `file:line:column`, `next` the remedy.
 * Found before anything is sent to a database.
 */
export class SqlError extends ConfigurationError {
  constructor(message: string, at: Position & { file: string }, next: string) {
    super(message, { where: formatPosition(at.file, at), next });
  }
}

/**
 * Gives, for an offset in the source's text, the line and column in its file.
 *
 * The source's own column is added on every line, not only the first: a YAML block scalar loses the same indentation on
 * each of its lines, and a file or a one-line scalar is not hurt by it.
 */
export function positionsIn(source: SqlSource): (offset: number) => Position {
  const starts = [0];
  for (let at = source.text.indexOf('\n'); at >= 0; at = source.text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: source.line + low, column: source.column + offset - starts[low]! };
  };
}
