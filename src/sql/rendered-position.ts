import type { RenderedStatement } from './render.ts';
import type { Position } from './sql-error.ts';
import type { Statement } from './statement.ts';

/** The offset of the character that a server means by a number: it counts characters from 1, offsets are of UTF-16 units from 0. */
export const offsetOf = (text: string, character: number): number => [...text].slice(0, character - 1).join('').length;

/**
 * Where in the file a place of the rendered text was written: for the `position` of a server's error.
 * `offset` counts from 0 in UTF-16 units of `rendered.text`; inside what a brace became, the brace's own place is given.
 */
export function renderedPosition(statement: Statement, rendered: RenderedStatement, offset: number): Position {
  let shift = 0;
  for (const { start, end, token } of rendered.replaced) {
    if (offset < start) break;
    if (offset < end) return { line: token.line, column: token.column };
    shift = token.end - end;
  }
  const at = Math.max(0, offset + shift);
  const token = statement.tokens.find(({ end }) => at < end) ?? statement.tokens.at(-1)!;
  const before = token.text.slice(0, at - token.start);
  // Inside a token of several lines (a string, a comment): where it opens.
  return { line: token.line, column: token.column + (before.includes('\n') ? 0 : before.length) };
}
