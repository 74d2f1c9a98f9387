/** Chunks that hold bad rows: their ranges in `chunk`, and the rows themselves in `rejected_row`. */
import { LONGEST_KEY, type ChunkRange, type Database, type Session } from '../database/dialect.ts';
import { part, sql, type SqlPart } from '../database/sql.ts';

interface ChunkKey {
  batchId: string;
  stage: number;
  n: number;
}

/** Rows that are written down together, and bytes of them, about. */
const ROWS_A_STATEMENT = 100;
const BYTES_A_STATEMENT = 1 << 20;

/** A row that could not be processed. */
export interface BadRow {
  /** JSON object of what tells it from others; null: nothing does. */
  key: string | null;
  /** JSON object of all its columns. */
  data: string | null;
}

/** And why not. */
export interface RejectedRow extends BadRow {
  error: string;
}

/** Puts these ranges in place of a chunk's own: it keeps the first of them, the others become chunks behind all there are. */
export async function splitChunk(
  session: Session,
  database: Database,
  at: ChunkKey,
  [first, ...others]: ChunkRange[],
): Promise<void> {
  const { dialect } = database;
  const stage = part`batch_id = ${at.batchId} and n = ${at.stage}`;
  // The stage's row keeps two lanes from taking the same numbers.
  await session.query(sql`
    update ${database.ledger('stage')} set planned_chunks = planned_chunks + ${others.length} where ${stage}`);
  const { rows } = await session.query<{ n: number }>(sql`
    select max(n) as n from ${database.ledger('chunk')} where batch_id = ${at.batchId} and stage = ${at.stage}`);
  for (const [i, range] of others.entries()) {
    await session.query(sql`
      insert into ${database.ledger('chunk')} (batch_id, stage, n, range_from, range_to)
      values (${at.batchId}, ${at.stage}, ${rows[0]!.n + i + 1}, ${range.from}, ${range.to})`);
  }
  await session.query(sql`
    update ${database.ledger('chunk')}
    set range_from = ${first!.from}, range_to = ${first!.to}, attempts = 0, not_before = ${dialect.words.now}, error = null
    where batch_id = ${at.batchId} and stage = ${at.stage} and n = ${at.n}`);
}

/** Writes down the rows of a chunk, which stand alone: they could not be processed. */
export async function recordRejected(
  session: Session,
  database: Database,
  at: ChunkKey,
  rows: readonly RejectedRow[],
): Promise<void> {
  const table = database.ledger('rejected_row');
  // A chunk that was held with its rows, and resumed.
  await session.query(
    sql`delete from ${table} where batch_id = ${at.batchId} and stage = ${at.stage} and chunk = ${at.n}`,
  );
  const most = (await database.dialect.longestStatement?.(session)) ?? Infinity;
  let n = 0;
  for (const together of statementsOf(rows.map((row) => fitting(row, most)))) {
    const values = together
      .map((row) => part`(${at.batchId}, ${at.stage}, ${at.n}, ${(n += 1)}, ${row.key}, ${row.data}, ${row.error})`)
      .reduce((all, one) => part`${all}, ${one}`);
    await session.query(sql`
      insert into ${table} (batch_id, stage, chunk, n, row_key, row_data, error) values ${values}`);
  }
}

const bytesOf = ({ key, data, error }: RejectedRow): number =>
  Buffer.byteLength(key ?? '') + Buffer.byteLength(data ?? '') + Buffer.byteLength(error);

/** What the ledger's server takes of a row: one that is longer than a statement may be is known by its key alone. */
function fitting(row: RejectedRow, most: number): RejectedRow {
  const key = Buffer.byteLength(row.key ?? '') > LONGEST_KEY ? null : row.key;
  const long = bytesOf(row);
  if (long <= most - STATEMENT_ITSELF) return { ...row, key };
  const error = `${row.error.slice(0, ERROR_OF_LONG)} (the row has ${long} bytes, more than a statement on the ledger's server)`;
  return { key, data: null, error };
}

/** Bytes of a statement without the texts of its rows: one stands alone where it is long. */
const STATEMENT_ITSELF = 1024;
const ERROR_OF_LONG = 10_000;

function statementsOf(rows: readonly RejectedRow[]): RejectedRow[][] {
  const statements: RejectedRow[][] = [];
  let bytes = 0;
  for (const row of rows) {
    bytes += bytesOf(row);
    const last = statements.at(-1);
    if (last && last.length < ROWS_A_STATEMENT && bytes <= BYTES_A_STATEMENT) last.push(row);
    else {
      statements.push([row]);
      bytes = bytesOf(row);
    }
  }
  return statements;
}

/** Rows of a batch that were rejected, as a value in a statement. */
export const rejectedRows = (database: Database, batchId: string): SqlPart =>
  part`(select count(*) from ${database.ledger('rejected_row')} where batch_id = ${batchId})`;

/** How many rows of a batch were rejected so far, and read by its chunks that are done; null: they do not say. */
export async function countRejected(
  reader: Pick<Session, 'query'>,
  database: Database,
  batchId: string,
): Promise<{ rejected: number; read: number | null }> {
  const { rows } = await reader.query<{ rejected: string; rows_read: string | null }>(sql`
    select ${rejectedRows(database, batchId)} as rejected,
      (select sum(rows_read) from ${database.ledger('chunk')} where batch_id = ${batchId}) as rows_read`);
  const { rejected, rows_read: read } = rows[0]!;
  return { rejected: Number(rejected), read: read === null ? null : Number(read) };
}

/** At one moment: how many rows the chunks of a batch that are done have read, and what of a stage is pending but for this chunk. */
export async function readAndPending(
  reader: Pick<Session, 'query'>,
  database: Database,
  at: ChunkKey,
): Promise<{ read: number; pending: ChunkRange[] }> {
  const chunk = database.ledger('chunk');
  // This chunk is one of them, so that there is a row.
  const { rows } = await reader.query<{
    n: number;
    range_from: string | null;
    range_to: string | null;
    rows_read: string;
  }>(sql`
    select n, range_from, range_to,
      (select coalesce(sum(rows_read), 0) from ${chunk} where batch_id = ${at.batchId}) as rows_read
    from ${chunk} where batch_id = ${at.batchId} and stage = ${at.stage} and state = 'pending' order by n`);
  const pending = rows.filter(({ n }) => n !== at.n).map(({ range_from: from, range_to: to }) => ({ from, to }));
  return { read: Number(rows[0]?.rows_read ?? 0), pending };
}
