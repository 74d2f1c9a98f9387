import type { Session } from '../dialect.ts';
import { part, raw, sql, type SqlPart } from '../sql.ts';
import { along, beyond, keyOfRow, type Keyed } from './keyed-rows.ts';

/** Below, a walk over all keys takes some 25 ms. */
const FEWEST_ROWS = 100_000;
/** Of fewer ranges, one that comes out too large would be felt. */
const FEWEST_RANGES = 8;
/** Pieces of a range: it has as many rows as were asked for, give or take half a piece. */
const PIECES_A_RANGE = 4;
/** A piece is cut into as many at the most, and these again: its rows may all lie at one end. */
const MOST_PARTS = 64;
/** Questions of one statement: few round trips, and still a short statement. */
const ASKED_AT_ONCE = 64;
/** InnoDB doubles its guess where it has not seen all pages of a piece. Whether it does is learned from so many that are counted, and as many more. */
const COUNTED_PIECES = 3;
const LEAST_SHARE = 0.5;
/** By which guesses may grow as pieces become smaller: no piece is guessed to have more than half of the table. Of others nothing is known. */
const MOST_GROWTH = 4;

/** Keys between two, both of them among them, by the first column; and how many rows the server guesses that they have. */
interface Piece {
  from: bigint;
  through: bigint;
  rows: number;
}

/** What is written of a column as a number, and back: what lies between two values can be named then without a look at the table. */
interface Numbers {
  of(written: string): bigint;
  written(number: bigint): string;
}

interface Table {
  session: Session;
  cut: Keyed;
  index: string;
  numbers: Numbers;
}

/**
 * Where ranges of about `rows` rows begin, by the server's own guesses. For one of them it goes down its index twice and looks at ten pages
 * in between, so that 3,000,000 rows take it some 30 ms, where a walk over their keys reads all of the table. Of a key of several
 * columns bounds are values of the first: they ascend whatever is written meanwhile, and nothing but the size of the ranges depends on
 * the guesses. Undefined: the table is small, or its ranges are; its first column is no number, or alone parts too little; or guesses are not to
 * be believed.
 */
export async function guessedBounds(
  session: Session,
  cut: Keyed,
  rows: number,
  index: string,
): Promise<string[] | undefined> {
  const numbers = numbersOf(cut.key[0]!.type);
  if (!numbers) return undefined;
  const first = await keyOfRow(session, cut, index, {});
  const last = await keyOfRow(session, cut, index, { last: true });
  if (!first || !last) return undefined;
  const table: Table = { session, cut, index, numbers };
  const all = partsOf({ from: numbers.of(first[0]!), through: numbers.of(last[0]!) }, MOST_PARTS);
  const pieces = await smallPieces(table, all, rows);
  const share = pieces && (await shareOf(table, pieces, rows));
  if (share === undefined) return undefined;
  return [first, ...startsOf(pieces!, share, rows).map((start) => [numbers.written(start)])].map((bound) =>
    JSON.stringify(bound),
  );
}

/** Whole numbers, and bytes of one length, as UUIDs are kept. */
function numbersOf(type: string): Numbers | undefined {
  if (/^(tiny|small|medium|big)?int\b/.test(type)) return { of: BigInt, written: String };
  const bytes = Number(/^binary\((\d+)\)/.exec(type)?.[1] ?? 0);
  if (bytes === 0) return undefined;
  return { of: (hex) => BigInt(`0x${hex}`), written: (number) => number.toString(16).padStart(2 * bytes, '0') };
}

const widthOf = ({ from, through }: Omit<Piece, 'rows'>): bigint => through - from + 1n;

function partsOf(piece: Omit<Piece, 'rows'>, most: number): Piece[] {
  const { from } = piece;
  const width = widthOf(piece);
  const parts = width < most ? Math.max(0, Number(width)) : most;
  const start = (i: number): bigint => from + (width * BigInt(i)) / BigInt(parts);
  return Array.from({ length: parts }, (_, i) => ({ from: start(i), through: start(i + 1) - 1n, rows: 0 }));
}

/** In order, none of which has many rows, unless they are of one key. */
async function smallPieces(table: Table, all: Piece[], rows: number): Promise<Piece[] | undefined> {
  const most = rows / PIECES_A_RANGE / LEAST_SHARE;
  const isSmall = (piece: Piece): boolean => piece.rows <= most || piece.from === piece.through;
  let pieces = await guessed(table, all);
  const atFirst = pieces ? sumOf(pieces) : 0;
  if (atFirst * LEAST_SHARE < Math.max(FEWEST_ROWS, FEWEST_RANGES * rows)) return undefined;
  while (pieces && !pieces.every(isSmall)) {
    const parts = pieces.flatMap((piece) =>
      isSmall(piece) ? [] : partsOf(piece, Math.min(MOST_PARTS, Math.ceil((2 * piece.rows) / most))),
    );
    const finer = await guessed(table, parts);
    pieces = finer && [...pieces.filter(isSmall), ...finer].sort((one, other) => (one.from < other.from ? -1 : 1));
    if (pieces && sumOf(pieces) > MOST_GROWTH * atFirst) return undefined;
  }
  // What further columns of the key would part is for a walk along all of them.
  return table.cut.key.length === 1 || pieces?.every((piece) => piece.rows <= most) ? pieces : undefined;
}

const sumOf = (pieces: Piece[]): number => pieces.reduce((sum, { rows }) => sum + rows, 0);

/** Undefined: the index tells nothing of a range. */
async function guessed(table: Table, pieces: Piece[]): Promise<Piece[] | undefined> {
  const found: Piece[] = [];
  for (let i = 0; i < pieces.length; i += ASKED_AT_ONCE) {
    const some = pieces.slice(i, i + ASKED_AT_ONCE);
    const questions = some.map((piece) => part`select 1 ${rowsOfPiece(table, piece)}`);
    const { rows } = await table.session.query<{ select_type: string; type: string | null; rows: unknown }>(sql`
      explain format = traditional ${questions.reduce((before, one) => part`${before} union all ${one}`)}`);
    const plans = rows.filter(({ select_type }) => select_type !== 'UNION RESULT');
    if (plans.some((plan) => plan.rows !== null && plan.type !== 'range')) return undefined;
    found.push(...some.map((piece, n) => ({ ...piece, rows: Number(plans[n]?.rows ?? 0) })));
  }
  return found;
}

function rowsOfPiece({ cut, index, numbers }: Table, { from, through }: Piece): SqlPart {
  const lower = beyond(cut, { operator: '>=', bound: [numbers.written(from)] });
  const upper = beyond(cut, { operator: '<=', bound: [numbers.written(through)] });
  return part`from ${along(cut, index)} where ${cut.condition} and ${lower} and ${upper}`;
}

/**
 * What a guess is to be multiplied with, by some that are counted: of all over the table, and those with the most keys to have rows of.
 * Undefined: one has far more rows than was guessed, as where statistics are of a time when the table was small, and bound each guess.
 */
async function shareOf(table: Table, pieces: Piece[], rows: number): Promise<number | undefined> {
  const filled = pieces.filter((piece) => piece.rows > 1 && piece.rows <= rows);
  const spread = Array.from(
    { length: COUNTED_PIECES },
    (_, i) => filled[Math.floor((i * filled.length) / COUNTED_PIECES)],
  );
  const wide = [...pieces].sort((one, other) => (widthOf(one) > widthOf(other) ? -1 : 1)).slice(0, COUNTED_PIECES);
  let guess = 0;
  let found = 0;
  for (const piece of [...spread, ...wide]) {
    if (piece === undefined || piece.rows > rows) continue;
    const { rows: count } = await table.session.query<{ n: unknown }>(sql`
      select count(*) as n from (select 1 ${rowsOfPiece(table, piece)} limit ${raw(String(2 * Math.ceil(rows)))}) some`);
    const here = Number(count[0]!.n);
    if (here > rows / PIECES_A_RANGE && here > 2 * piece.rows) return undefined;
    guess += piece.rows;
    found += here;
  }
  return guess === 0 ? LEAST_SHARE : Math.min(1, Math.max(LEAST_SHARE, found / guess));
}

/** Where ranges begin that are put together of pieces: all but the first. */
function startsOf(pieces: Piece[], share: number, rows: number): bigint[] {
  const starts: bigint[] = [];
  let held = 0;
  for (const { from, rows: guess } of pieces) {
    const found = guess * share;
    if (held > 0 && held + found / 2 > rows) {
      starts.push(from);
      held = 0;
    }
    held += found;
  }
  return starts;
}
