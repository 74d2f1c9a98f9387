/** The table `output_part`: rows that the queries of a task gave, as text, each in the transaction of its chunk. */
import type { Database, Session } from '../database/dialect.ts';
import { raw, sql } from '../database/sql.ts';
import { earlierBatches } from './continued.ts';

export interface OutputKey {
  batchId: string;
  stage: number;
  chunk: number;
}

/** What a chunk gave: first its columns, then its rows in pieces. */
export async function writeParts(
  session: Session,
  database: Database,
  at: OutputKey,
  parts: Iterable<string>,
): Promise<void> {
  let n = 0;
  for (const body of parts) {
    await session.query(sql`
      insert into ${database.ledger('output_part')} (batch_id, stage, chunk, n, body)
      values (${at.batchId}, ${at.stage}, ${at.chunk}, ${n}, ${body})`);
    n += 1;
  }
}

interface Part {
  chunk: number;
  n: number;
  body: string;
}

/** Parts at a time: each is of about a megabyte. */
const PARTS_A_LOOK = 4;

/**
 * All that a batch, and those that it goes on with, gave, in the order of their ranges: the columns once, then rows. A few parts
 * are in memory at a time.
 */
export async function* readParts(database: Database, batchId: string): AsyncGenerator<string> {
  let after: Pick<Part, 'chunk' | 'n'> = { chunk: 0, n: 0 };
  for (let first = true; ;) {
    const { rows } = await database.query<Part>(sql`
      ${earlierBatches(database, batchId)}
      select p.chunk, p.n, p.body from ${database.ledger('output_part')} p join earlier e on e.batch_id = p.batch_id
      where p.chunk > ${after.chunk} or (p.chunk = ${after.chunk} and p.n > ${after.n})
      order by p.chunk, p.n limit ${raw(String(PARTS_A_LOOK))}`);
    for (const part of rows) {
      if (part.n > 0 || first) yield part.body; // each chunk has the same columns above its rows
      first = false;
      after = part;
    }
    if (rows.length === 0) return;
  }
}

/** A new batch that begins anew: nobody asks any more for what those before it gave. */
export async function clearParts(session: Session, database: Database, load: string, batchId: string): Promise<void> {
  await session.query(sql`
    delete from ${database.ledger('output_part')} where batch_id in (
      select b.batch_id from ${database.ledger('batch')} b where b.load_name = ${load} and b.batch_id < ${batchId})`);
}
