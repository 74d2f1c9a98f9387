import type { Place } from '../../config/problem.ts';
import { lex } from '../../sql/lexer.ts';
import { mysqlSql } from '../../sql/mysql.ts';
import { isCode, isMark, isWord, type Token } from '../../sql/token.ts';
import { refuseAt } from './careless-json.ts';
import type { Fragment, TakeNote } from './note.ts';

/** A statement in our words. */
export interface Converted {
  sql: string;
  /** It has the bounds of a range, `:from` and `:to`. */
  ranged: boolean;
}

/** pupdate pasted times into quotes; before the first run there is none, and everything is new. */
const TIMES: Record<string, string> = {
  last_etl: `coalesce(:last_load_at, timestamp '1970-01-01 00:00:01')`,
  etl_to: ':load_at',
};

/** Turns a statement's pieces, which pupdate joins with nothing between, into one statement of ours. */
export function convertStatement(pieces: Fragment[], note: TakeNote): Converted {
  noteGlued(pieces, note);
  const ranged = countRangeMarks(pieces) > 0;
  let bounds = 0;
  const translated = pieces.map(({ text, at }) => ({
    at,
    text: withTimes(ranged ? withBounds(text, () => (bounds++ === 0 ? ':from' : ':to')) : text),
  }));
  const sql = new Joined(translated);
  refuseInStrings(sql);
  return { sql: ranged ? halfOpen(sql, note) : sql.readable(sql.tokens()), ranged };
}

/**
 * A text beside the statement, in which pupdate put its times, too, but no bounds: they are refused, and so is what `refused` names
 * of the times, with what to do.
 */
export function convertBeside(piece: Fragment, refused: { etl_to?: string } = {}): Fragment {
  const { at } = piece;
  if (refused.etl_to !== undefined && /\$etl_to\b/.test(piece.text))
    refuseAt(at, '`$etl_to` stands where it is not known yet', refused.etl_to);
  const sql = new Joined([{ at, text: withTimes(piece.text) }]);
  if (sql.text !== piece.text) refuseInStrings(sql);
  const code = sql.tokens().filter(isCode);
  // `'%d'` is a format of dates, `a %d` what remains of a division.
  if (code.some((token, i) => isMark(token, '%') && code[i + 1]?.text === 'd' && !endsOperand(code[i - 1])))
    refuseAt(at, '`%d` stands where there are no ranges yet', 'It stands in the statement alone.');
  return { text: sql.text, at };
}

const endsOperand = (token: Token | undefined): boolean =>
  isMark(token, ')') ||
  (token !== undefined && ['quoted', 'number', 'string', 'variable', 'parameter'].includes(token.kind)) ||
  (token?.kind === 'word' && !mysqlSql.reservedWords.has(token.keyword));

/** The pieces of a text, and where each of its characters comes from. */
class Joined {
  readonly text: string;
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

/** `…where a=1` and `and b=2` make `a=1and`: seldom meant. */
function noteGlued(pieces: Fragment[], note: TakeNote): void {
  for (const [i, piece] of pieces.entries()) {
    const before = pieces[i - 1]?.text ?? '';
    if (!/\w$/.test(before) || !/^\w/.test(piece.text)) continue;
    const [end, start] = [/\S*$/.exec(before)![0], /^\S*/.exec(piece.text)![0]];
    note('dangerous', piece.at, `nothing stands between this piece and the one before: they make \`${end}${start}\``);
  }
}

/** How often `%d` stands there; `%%` is a percent sign, where there are ranges, and only there. */
function countRangeMarks(pieces: Fragment[]): number {
  const marks = pieces.flatMap(({ text, at }) =>
    [...text.matchAll(/%(%|.?)/gs)].filter(([, verb]) => verb !== '%').map(([mark]) => ({ mark, at })),
  );
  const bounds = marks.filter(({ mark }) => mark === '%d');
  if (bounds.length === 0) return 0;
  const other = marks.find(({ mark }) => mark !== '%d');
  if (other) {
    refuseAt(
      other.at,
      `\`${other.mark}\` beside \`%d\`: pupdate would not have understood it`,
      'Write %% for a percent sign.',
    );
  }
  if (bounds.length !== 2) {
    const next = 'It stands for the lower, then for the upper bound: id>=%d and id<%d.';
    refuseAt(
      bounds[0]!.at,
      `\`%d\` stands ${bounds.length} ${bounds.length === 1 ? 'time' : 'times'}, and must stand twice`,
      next,
    );
  }
  return bounds.length;
}

/** `'%d'`, too: a number in quotes is still the bound. */
const withBounds = (text: string, bound: () => string): string =>
  text.replace(/(['"])%d\1|%d|%%/g, (mark) => (mark === '%%' ? '%' : bound()));

const withTimes = (text: string): string =>
  text.replace(/(['"])\$(last_etl|etl_to)\1|\$(last_etl|etl_to)\b/g, (_, _quote, quoted?: string, bare?: string) => {
    return TIMES[(quoted ?? bare)!]!;
  });

/** What stands inside a longer string is not bound, but pasted, and nothing is pasted here. */
function refuseInStrings(sql: Joined): void {
  for (const token of sql.tokens()) {
    const name = /:(?:from|to|last_load_at|load_at)\b/.exec(token.text)?.[0];
    if (name === undefined || (token.kind !== 'string' && token.kind !== 'comment' && token.kind !== 'quoted'))
      continue;
    refuseAt(
      sql.place(token.start),
      `a bound or a time stands inside ${token.kind === 'comment' ? 'a comment' : `the text ${token.text}`}, where nothing can be bound`,
      'Put it beside the text: concat(…), or take it out.',
    );
  }
}

/** Comparisons with the lower and the upper bound as they must be so that each row is in one range. */
const HALF_OPEN: Record<':from' | ':to', Record<string, string>> = {
  ':from': { '>=': '>=', '>': '>=' },
  ':to': { '<': '<', '<=': '<' },
};
const MIRRORED: Record<string, string> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' };

/** Ranges are `[from, to)`: comparisons are rewritten where they were not, or rows at a bound would be in two ranges, or in none. */
function halfOpen(sql: Joined, note: TakeNote): string {
  const tokens = sql.tokens();
  const code = tokens.filter(isCode);
  const texts = new Map<Token, string>();
  const was: string[] = [];
  const lower = code.findIndex(({ text }) => text === ':from');
  const upper = code.findIndex(({ text }) => text === ':to');
  if (isWord(code[lower - 1], 'between') && isWord(code[lower + 1], 'and') && upper === lower + 2) {
    texts.set(code[upper]!, ':to - 1');
    note('changed', sql.place(code[lower]!.start), '`between` had the upper bound in two ranges: it ends one below it');
  } else {
    for (const i of [lower, upper]) {
      const bound = code[i]!.text as ':from' | ':to';
      const [before, after] = [code[i - 1], code[i + 1]];
      const operator = isComparison(before) ? before : isComparison(after) ? after : undefined;
      const said = operator === undefined ? '' : operator === before ? operator.text : MIRRORED[operator.text]!;
      const meant = HALF_OPEN[bound][said];
      if (operator === undefined || meant === undefined) {
        refuseAt(
          sql.place(code[i]!.start),
          `the ${bound === ':from' ? 'lower' : 'upper'} bound is not compared by ${bound === ':from' ? '>= or >' : '< or <='}: what a range is cannot be told`,
          'Write id>=%d and id<%d.',
        );
      }
      was.push(said);
      if (meant !== said) texts.set(operator, operator === before ? meant : MIRRORED[meant]!);
    }
    if (texts.size > 0) {
      note(
        'changed',
        sql.place(code[lower]!.start),
        `\`${was[0]} %d … ${was[1]} %d\` became \`>= :from … < :to\`${whatWasWrong(was)}`,
      );
    }
  }
  return sql.readable(tokens.map((token) => ({ ...token, text: texts.get(token) ?? token.text })));
}

const isComparison = (token: Token | undefined): token is Token =>
  ['<', '<=', '>', '>='].some((mark) => isMark(token, mark));

function whatWasWrong([lower, upper]: string[]): string {
  if (lower === '>' && upper === '<=') return ': the row of Min itself was in no range';
  return lower === '>' ? ': rows at a bound were in no range' : ': rows at a bound were in two ranges';
}
