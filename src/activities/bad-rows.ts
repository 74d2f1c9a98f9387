import type { RejectLimit } from '../config/definition.ts';
import { countRejected, finishRejected, recordRejected, splitChunk, type BadRow } from '../control/bad-rows.ts';
import { rangeWhere } from '../control/conditions.ts';
import { markAttempt, type Chunk } from '../control/chunks.ts';
import {
  NULL_KEYS,
  type ChunkMethod,
  type ChunkRange,
  type ColumnFacts,
  type Database,
  type ErrorFacts,
  type Session,
  type TableFacts,
} from '../database/dialect.ts';
import { fromItem, type RowSource } from '../database/row-source.ts';
import { part, raw, sql, type SqlPart } from '../database/sql.ts';
import { rowKey } from '../sql/row-key.ts';
import type { BatchContext } from './batch-context.ts';
import type { ChunkAttempt, Turn } from './chunk-transaction.ts';

/** How a stage's chunks are searched for bad rows. */
export interface BadRows {
  /** Halves of a range; one: it cannot be halved. */
  halve(session: Session, range: ChunkRange): Promise<ChunkRange[]>;
  /** The rows of a range that cannot be halved, up to one more than `MOST_OF_ONE_KEY`; `keyOnly`: without their data. */
  rows(session: Session, range: ChunkRange, keyOnly?: boolean): Promise<BadRow[]>;
  /** Chunks of this stage count the rows that they read. */
  countsRead: boolean;
}

/** What to do about rows that are more than a batch bears. */
export const mendRejected = (batchId: string): string =>
  `waybill show ${batchId} has the rows; mend them, or raise max_rejected, then start the load again`;

/** Rows that share one key and so one fate. */
const MOST_OF_ONE_KEY = 1_000;
/** A share of what was read so far says nothing before so many rows were rejected. */
const ENOUGH_FOR_A_SHARE = 100;

/**
 * A chunk failed because of a row's values: cuts it in two, so that in the end the bad row stands alone; one that stands alone is
 * written down, and its chunk is done. All in the transaction that the session is in, which holds the chunk.
 */
export async function setAside(
  session: Session,
  { database, batch }: BatchContext,
  at: ChunkAttempt & { bad: BadRows; startedAt: Date },
  chunk: Chunk,
  facts: ErrorFacts,
): Promise<Turn> {
  const key = { ...at, n: chunk.n };
  const parts = await at.bad.halve(session, chunk.range);
  if (parts.length > 1) {
    await splitChunk(session, database, key, parts);
    await session.commit();
    return { kind: 'again' };
  }
  const found = await at.bad.rows(session, chunk.range);
  const rows = found.slice(0, MOST_OF_ONE_KEY);
  await recordRejected(
    session,
    database,
    key,
    rows.map((row) => ({ ...row, error: facts.message })),
  );
  const rowsRead = at.bad.countsRead ? rows.length : null;
  const here = { rejected: 0, read: rowsRead ?? 0 };
  const over =
    found.length > MOST_OF_ONE_KEY
      ? `more than ${MOST_OF_ONE_KEY} rows share one key, which cannot be cut further`
      : (await overLimit(session, database, at.batchId, batch.definition.maxRejected, here)).over;
  if (over === undefined) {
    const { worker, startedAt } = at;
    await finishRejected(session, database, key, { rowsRead, attempts: chunk.attempts, worker, startedAt });
    await session.commit();
    return { kind: 'done', chunks: [chunk.n], rows: 0, claim: undefined };
  }
  const [error, message] = [facts.message, facts.safeMessage].map((last) => `${over}; the last: ${last}`);
  const counts = chunk.counted ? 0 : 1;
  await markAttempt(session, database, key, { error: error!, waitSeconds: 0, failed: true, counts, worker: at.worker });
  await session.commit();
  return {
    kind: 'failed',
    n: chunk.n,
    message: message!,
    attempts: chunk.attempts + 1,
    next: mendRejected(at.batchId),
  };
}

/**
 * `over`: what is said when more rows were rejected than may be; undefined: so many may. `known`: those that the ledger knows of,
 * which are not `here`.
 */
export async function overLimit(
  session: Session,
  database: Database,
  batchId: string,
  limit: RejectLimit,
  here = { rejected: 0, read: 0 },
): Promise<{ over: string | undefined; known: number }> {
  const { rejected: known, read: readBefore } = await countRejected(session, database, batchId);
  const rejected = known + here.rejected;
  const read = readBefore === null && here.read === 0 ? null : (readBefore ?? 0) + here.read;
  const early = 'percent' in limit && rejected <= ENOUGH_FOR_A_SHARE;
  return { over: early ? undefined : overAll(rejected, read, limit), known };
}

/** The same at the end, when all is read: lanes do not see the rows that others are about to reject. */
export async function overLimitAtLast({ database, batch }: BatchContext): Promise<string | undefined> {
  const { maxRejected: limit, onBadRow } = batch.definition;
  if (onBadRow !== 'quarantine') return undefined;
  const { rejected, read } = await countRejected(database, database, batch.batchId);
  return overAll(rejected, read, limit);
}

/** `read`: of so many; null: not known. */
function overAll(rejected: number, read: number | null, limit: RejectLimit): string | undefined {
  if ('rows' in limit) return rejected > limit.rows ? tooMany(rejected, limit) : undefined;
  return read !== null && rejected * 100 > limit.percent * read ? tooMany(rejected, limit, read) : undefined;
}

function tooMany(rejected: number, limit: RejectLimit, read?: number): string {
  const of = read === undefined ? '' : ` of ${read}`;
  const most = 'rows' in limit ? String(limit.rows) : `${limit.percent}%`;
  return `${rejected} ${rejected === 1 ? 'row was' : 'rows were'} rejected${of}, more than max_rejected (${most})`;
}

/** A table whose chunks are searched. */
interface Searched {
  /** Where it is: the lane's own database, or an acquisition's source. */
  database: Database;
  table: RowSource;
  /** The columns of a query, which has no keys. */
  facts?: TableFacts;
  method: ChunkMethod;
  key: ColumnFacts[];
  /** Which of its rows are the stage's; undefined: all. */
  where: SqlPart | undefined;
  countsRead: boolean;
}

/** Searches a table by the way it was cut; undefined: it was not, so nothing can be told apart. */
export function searchTable({
  database,
  table,
  facts: known,
  method,
  key,
  where,
  countsRead,
}: Searched): BadRows | undefined {
  const { dialect } = database;
  if (method === 'once') return undefined;
  const from = raw(fromItem(table, (name) => dialect.quoteTable(name)));
  const conditionOf = (range: ChunkRange): SqlPart => {
    const inRange = rangeWhere(dialect, { method, range, key });
    return where ? part`(${where}) and ${inRange}` : inRange;
  };
  return {
    countsRead,
    halve: async (session, range) => {
      if (range.from === NULL_KEYS) return [range];
      const { rows } = await session.query<{ n: string }>(
        sql`select count(*) as n from ${from} where ${conditionOf(range)}`,
      );
      const n = Number(rows[0]!.n);
      if (n <= 1) return [range];
      if (method === 'pages') return dialect.halvePages!(session, table as string, range, n);
      const plan = (step: number): Promise<ChunkRange[]> =>
        dialect.planKeys(session, table, key, step, { condition: conditionOf(range), window: false });
      const halves = await plan(Math.ceil(n / 2));
      // Where one key has most of the rows, the middle is its own beginning: cut between any two keys then.
      const parts = halves.length > 1 ? halves : await plan(1);
      const middle = parts[Math.ceil(parts.length / 2)]?.from;
      return parts.length < 2 || middle === undefined
        ? [range]
        : [
            { ...range, to: middle },
            { ...range, from: middle },
          ];
    },
    rows: async (session, range, keyOnly = false) => {
      const facts = known ?? (await dialect.describeTable(database, table as string))!;
      const unique = rowKey(facts)?.columns ?? key.map(({ name }) => name);
      const keyed = facts.columns.filter(({ name }) => unique.includes(name));
      const keyOf = raw(keyed.length === 0 ? 'null' : dialect.rowAsJson(keyed));
      const { rows } = await session.query<{ row_key: string | null; row_data: string | null }>(sql`
        select ${keyOf} as row_key, ${raw(keyOnly ? 'null' : dialect.rowAsJson(facts.columns))} as row_data
        from ${from} where ${conditionOf(range)} limit ${raw(String(MOST_OF_ONE_KEY + 1))}`);
      return rows.map(({ row_key: rowKey, row_data: data }) => ({ key: rowKey, data }));
    },
  };
}
