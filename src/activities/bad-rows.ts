import type { RejectLimit } from '../config/definition.ts';
import { countRejected, type BadRow } from '../control/bad-rows.ts';
import { rangeWhere } from '../control/conditions.ts';
import {
  NULL_KEYS,
  type ChunkMethod,
  type ChunkRange,
  type ColumnFacts,
  type Database,
  type Session,
  type TableFacts,
} from '../database/dialect.ts';
import { fromItem, type RowSource } from '../database/row-source.ts';
import { part, raw, sql, type SqlPart } from '../database/sql.ts';
import { rowKey } from '../sql/row-key.ts';
import type { BatchContext } from './batch-context.ts';

/** How a stage's chunks are searched for bad rows. */
export interface BadRows {
  cut(session: Session, range: ChunkRange): Promise<Parts>;
  /** The rows of a range that cannot be cut, up to one more than `MOST_OF_ONE_KEY`; `keyOnly`: without their data. */
  rows(session: Session, range: ChunkRange, keyOnly?: boolean): Promise<BadRow[]>;
  /** Chunks of this stage count the rows that they read. */
  countsRead: boolean;
  /** How many those are; undefined: they are not counted. */
  count?(session: Session, range: ChunkRange): Promise<number>;
  /** Only the ledger cuts its chunks, each part in a transaction of its own: people see them there. */
  apart?: boolean;
  /** Gives back what it searched with. */
  close?(): Promise<void>;
}

/** What a range is cut into. */
export interface Parts {
  /** In their order, one behind the other; one: it cannot be cut. */
  ranges: ChunkRange[];
  /** None of them can be cut further. */
  smallest: boolean;
}

/** What to do about rows that are more than a batch bears. */
export const mendRejected = (batchId: string): string =>
  `waybill show ${batchId} has the rows; mend them, or raise max_rejected, then start the load again`;

/** Rows that share one key and so one fate. */
export const MOST_OF_ONE_KEY = 1_000;
/** Rows whose keys are all asked for at once: they are held in memory. */
const FEW_ROWS = 10_000;
/** A share of what was read so far says nothing before so many rows were rejected. */
export const ENOUGH_FOR_A_SHARE = 100;

/**
 * `over`: what is said when more rows were rejected than may be; undefined: so many may. `known`: those that the ledger knows of,
 * which are not `here`. `toCome`: so many more than `read` will be read, of which none need be rejected; asked for where it matters,
 * and to be known no further than to `enough`, with which they are not too many.
 */
export async function overLimit(
  session: Session,
  database: Database,
  batchId: string,
  limit: RejectLimit,
  here: { rejected: number; read: number; toCome: (read: number, enough: number) => Promise<number> },
): Promise<{ over: string | undefined; known: number }> {
  const { rejected: known, read: readBefore } = await countRejected(session, database, batchId);
  const rejected = known + here.rejected;
  const read = readBefore === null && here.read === 0 ? null : (readBefore ?? 0) + here.read;
  if ('percent' in limit && rejected <= ENOUGH_FOR_A_SHARE) return { over: undefined, known };
  const over = overAll(rejected, read, limit);
  const needed = 'percent' in limit ? Math.ceil((rejected * 100) / limit.percent) : Infinity;
  if (over === undefined || needed === Infinity) return { over, known };
  const enough = needed + 1 - (read ?? 0); // one more, so that no rounding tells otherwise
  return { over: overAll(rejected, read, limit, await here.toCome(read ?? 0, enough)), known };
}

/** The same at the end, when all is read: lanes do not see the rows that others are about to reject. */
export async function overLimitAtLast({ database, batch }: BatchContext): Promise<string | undefined> {
  const { maxRejected: limit, onBadRow } = batch.definition;
  if (onBadRow !== 'quarantine') return undefined;
  const { rejected, read } = await countRejected(database, database, batch.batchId);
  return overAll(rejected, read, limit);
}

/** `read`: of so many; null: not known. */
function overAll(rejected: number, read: number | null, limit: RejectLimit, toCome = 0): string | undefined {
  if ('rows' in limit) return rejected > limit.rows ? tooMany(rejected, limit) : undefined;
  if (read === null || rejected * 100 <= limit.percent * (read + toCome)) return undefined;
  return tooMany(rejected, limit, read);
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
  const count = async (session: Session, range: ChunkRange): Promise<number> => {
    const { rows } = await session.query<{ n: string }>(
      sql`select count(*) as n from ${from} where ${conditionOf(range)}`,
    );
    return Number(rows[0]!.n);
  };
  /** Described once a search, which begins with a cut: for every bad row it would take longer than all else. */
  let described: TableFacts | undefined;
  return {
    countsRead,
    count,
    cut: async (session, range) => {
      described = undefined;
      const whole = { ranges: [range], smallest: true };
      if (range.from === NULL_KEYS) return whole;
      const n = await count(session, range);
      if (n <= 1) return whole;
      const plan = async (step: number): Promise<ChunkRange[]> => {
        const found =
          method === 'pages'
            ? await dialect.cutPages!(session, table as string, range, step)
            : await dialect.planKeys(session, table, key, step, { condition: conditionOf(range), window: false });
        return found.map(({ from, to }, i) => ({
          from: i === 0 ? range.from : from,
          to: i === found.length - 1 ? range.to : to,
        }));
      };
      const few = n <= FEW_ROWS;
      const parts = await plan(few ? 1 : Math.ceil(n / 2));
      // Where one key has most of the rows, the middle is its own beginning: cut between any two keys then.
      const ranges = parts.length > 1 || few ? parts : await plan(1);
      if (ranges.length < 2) return whole;
      if (few) return { ranges, smallest: true };
      const middle = ranges[Math.ceil(ranges.length / 2)]!.from;
      const halves = [
        { ...range, to: middle },
        { ...range, from: middle },
      ];
      return { ranges: halves, smallest: false };
    },
    rows: async (session, range, keyOnly = false) => {
      const facts = known ?? (described ??= (await dialect.describeTable(session, table as string))!);
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
