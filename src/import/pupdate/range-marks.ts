/** `%d` in a statement: the bounds of a range, where pupdate put them. */
import { mysqlSql } from '../../sql/mysql.ts';
import { isCode, isMark, type Token } from '../../sql/token.ts';
import { refuseAt } from './careless-json.ts';
import type { Joined } from './joined.ts';
import type { Fragment } from './note.ts';

/** How often `%d` stands in what pupdate formatted; `%%` is a percent sign there, and no other `%` is understood. */
export function countRangeMarks(pieces: Fragment[]): number {
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
export const withBounds = (text: string, bound: () => string): string =>
  text.replace(/(['"])%d\1|%d|%%/g, (mark) => (mark === '%%' ? '%' : bound()));

/** Whether `%d` stands where it can be nothing but a bound. `'%d'` is a format of dates, `a %d` what remains of a division. */
export const hasBounds = (sql: Joined): boolean => {
  const code = sql.tokens().filter(isCode);
  return code.some((token, i) => isBareBound(code, i) || (isComparedText(code, i) && /^(['"])%d\1$/.test(token.text)));
};

/** The same of a text that pupdate never formatted. */
export const hasBareBounds = (sql: Joined): boolean => {
  const code = sql.tokens().filter(isCode);
  return code.some((_, i) => isBareBound(code, i));
};

const isBareBound = (code: Token[], i: number): boolean =>
  isMark(code[i], '%') && code[i + 1]?.text === 'd' && !endsOperand(code[i - 1]);

const isComparedText = (code: Token[], i: number): boolean =>
  [code[i - 1], code[i + 1]].some((token) => ['<', '<=', '>', '>='].some((mark) => isMark(token, mark)));

const endsOperand = (token: Token | undefined): boolean =>
  isMark(token, ')') ||
  (token !== undefined && ['quoted', 'number', 'string', 'variable', 'parameter'].includes(token.kind)) ||
  (token?.kind === 'word' && !mysqlSql.reservedWords.has(token.keyword));
