import { refuseAt } from './careless-json.ts';
import { halfOpen } from './half-open.ts';
import { Joined } from './joined.ts';
import type { Fragment, TakeNote } from './note.ts';
import { countRangeMarks, hasBareBounds, hasBounds, withBounds } from './range-marks.ts';

/** A statement in our words. */
export interface Converted {
  sql: string;
  /** It has the bounds of a range, `:from` and `:to`. */
  ranged: boolean;
}

/**
 * pupdate pasted times of whole seconds into quotes: what a column of whole seconds is compared with then has no fraction that its
 * rows have lost. (A plain cast would round.) Before the first run there is no time, and everything is new.
 */
const inSeconds = (time: string): string => `cast(left(${time}, 19) as datetime)`;
const TIMES: Record<string, string> = {
  last_etl: `coalesce(${inSeconds(':last_load_at')}, timestamp '1970-01-01 00:00:01')`,
  etl_to: inSeconds(':load_at'),
};

/**
 * Turns a statement's pieces, which pupdate joins with nothing between, into one statement of ours. `formatted`: it has ranges, for
 * which pupdate put bounds where `%d` stands; elsewhere a percent sign is one.
 */
export function convertStatement(pieces: Fragment[], formatted: boolean, note: TakeNote): Converted {
  noteGlued(pieces, note);
  for (const piece of pieces) noteOpenStart(piece, note);
  const ranged = (formatted || hasBounds(asWritten(pieces))) && countRangeMarks(pieces) > 0;
  refuseInside(pieces, ranged);
  let bounds = 0;
  const translated = pieces.map(({ text, at }) => ({
    at,
    text: withTimes(ranged ? withBounds(text, () => (bounds++ === 0 ? ':from' : ':to')) : text),
  }));
  const sql = new Joined(translated);
  leaveComments(sql);
  noteSwallowed(sql, note);
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
  refuseInside([piece], false);
  const sql = new Joined([{ at, text: withTimes(piece.text) }]);
  leaveComments(sql);
  if (hasBareBounds(sql))
    refuseAt(at, '`%d` stands where there are no ranges yet', 'It stands in the statement alone.');
  const text = sql.tokens().map((token) => token.text);
  return { text: text.join(''), at };
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

/** What is stamped with the second of `$last_etl` may have come after it, and pupdate passed it over, too. */
function noteOpenStart({ text, at }: Fragment, note: TakeNote): void {
  if (!/(?<!<)>\s*(['"]?)\$last_etl\b|\$last_etl(['"]?)\s*<(?![=>])/.test(text)) return;
  const lost = 'what is committed later in the second in which the last session began is passed over, as it was';
  note('dangerous', at, `\`> '$last_etl'\`: ${lost}; \`>=\` takes that second again`);
}

/** `# x` and `-- x` go on to the end of their line, and pieces are not lines. */
function noteSwallowed(sql: Joined, note: TakeNote): void {
  for (const token of sql.tokens()) {
    if (token.kind !== 'comment' || !/^(?:#|--)/.test(token.text) || !sql.reachesOn(token)) continue;
    const what = 'this comment goes on to the end of its line: the pieces behind it are part of it, as they were';
    note('dangerous', sql.place(token.start), `${what} (\`${token.text.trim()}\`)`);
  }
}

const withTimes = (text: string): string =>
  text.replace(/(['"])\$(last_etl|etl_to)\1|\$(last_etl|etl_to)\b/g, (_, _quote, quoted?: string, bare?: string) => {
    return TIMES[(quoted ?? bare)!]!;
  });

/** What was written of times in comments stays: nothing can be bound there, and nothing reads it. */
function leaveComments(sql: Joined): void {
  for (const token of sql.tokens()) {
    if (token.kind !== 'comment') continue;
    for (const [name, time] of Object.entries(TIMES)) token.text = token.text.replaceAll(time, `'$${name}'`);
  }
}

/** With `_` for the `$` of times, which is no part of a name on every server. */
const asWritten = (pieces: Fragment[]): Joined =>
  new Joined(pieces.map(({ text, at }) => ({ at, text: text.replace(/\$(?=(?:last_etl|etl_to)\b)/g, '_') })));

/**
 * What stands inside a longer text is not bound, but pasted, and nothing is pasted here. It is asked of what was written: `:to` may be
 * a word of somebody's text.
 */
function refuseInside(pieces: Fragment[], ranged: boolean): void {
  const whole = new Joined(pieces).text;
  const written = asWritten(pieces);
  for (const token of written.tokens()) {
    const { kind } = token;
    const text = whole.slice(token.start, token.end);
    if (kind !== 'string' && kind !== 'comment' && kind !== 'quoted') continue;
    const bound = ranged && [...text.matchAll(/%[%d]/g)].some(([mark]) => mark === '%d');
    const time = kind !== 'comment' && /\$(?:last_etl|etl_to)\b/.test(text); // comments are left as they are
    if (!bound && !time) continue;
    // Where it is the whole text, its quotes go, too; those of two pieces stay.
    if (/^(['"])(?:%d|\$last_etl|\$etl_to)\1$/.test(text) && !written.reachesOn(token)) continue;
    refuseAt(
      written.place(token.start),
      `a bound or a time stands inside ${kind === 'comment' ? 'a comment' : `the text ${text}`}, where nothing can be bound`,
      'Put it beside the text: concat(…), or take it out.',
    );
  }
}
