import type { Place } from '../../config/problem.ts';
import { lex } from '../../sql/lexer.ts';
import { mysqlSql } from '../../sql/mysql.ts';
import type { Token } from '../../sql/token.ts';
import { refuseAt } from './careless-json.ts';
import type { Fragment } from './note.ts';

/** The pieces of a text, and where each of its characters comes from. */
export class Joined {
  readonly text: string;
  /** Where each piece begins. */
  private readonly starts: number[] = [];
  private lexed: Token[] | undefined;

  constructor(private readonly pieces: Fragment[]) {
    let text = '';
    for (const piece of pieces) {
      this.starts.push(text.length);
      text += piece.text;
    }
    this.text = text;
  }

  place(offset: number): Place {
    const index = this.starts.findLastIndex((start) => start <= offset);
    return this.pieces[Math.max(0, index)]!.at;
  }

  /** Whether the text of another piece, more than white space, is in it. */
  reachesOn({ start, end }: Token): boolean {
    return this.starts.some((other) => other > start && this.text.slice(other, end).trim() !== '');
  }

  /** Throws with a place of the imported file. */
  tokens(): Token[] {
    return (this.lexed ??= this.lex());
  }

  private lex(): Token[] {
    const tokens: Token[] = [];
    try {
      for (const token of lex({ text: this.text, file: '', line: 1, column: 1 }, mysqlSql)) tokens.push(token);
    } catch (error) {
      const read = tokens.at(-1)?.end ?? 0;
      refuseAt(this.place(read), `this SQL cannot be read: ${(error as Error).message}`, 'Mend the statement.');
    }
    return tokens;
  }

  /** As it was written: a piece on a line of its own where white space stands between two anyway. */
  readable(tokens: Token[]): string {
    const breaks = tokens.map((token) =>
      token.kind === 'space' && this.starts.some((start) => start > 0 && start >= token.start && start <= token.end)
        ? '\n'
        : token.text,
    );
    return breaks.join('').trim().replace(/;\s*$/, '');
  }
}
