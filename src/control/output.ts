/** The table `output_part`: rows that the queries of a task gave, as text, each in the transaction of its chunk. */
import { LoadFailedError } from '../errors.ts';
import type { Database, Session } from '../database/dialect.ts';
import { list, part, raw, sql, type SqlPart, type SqlStatement } from '../database/sql.ts';
import { doneBefore, earlierBatches } from './continued.ts';

export interface OutputKey {
  batchId: string;
  stage: number;
  chunk: number;
}

/**
 * What a chunk gave: first its columns, then its rows in pieces.
 *
 * @throws LoadFailedError where the columns are not those of the chunks before: the SQL was mended meanwhile, or `*` became another list
 */
export async function writeParts(
  session: Session,
  database: Database,
  at: OutputKey,
  parts: Iterable<string>,
): Promise<void> {
  let n = 0;
  const write = (body: string): Promise<unknown> =>
    session.query(sql`
      insert into ${database.ledger('output_part')} (batch_id, stage, chunk, n, body)
      values (${at.batchId}, ${at.stage}, ${at.chunk}, ${n++}, ${body})`);
  for (const part of parts) {
    if (n > 0) for (const piece of piecesOf(part)) await write(piece);
    else {
      if (part !== '') await proveColumns(session, database, at, part);
      await write(part);
    }
  }
}

/** Characters that go to the server at once, of four bytes at most: MySQL and MariaDB end a connection that sends more than they take. */
const PIECE = 250_000;

function* piecesOf(text: string): Generator<string> {
  const size = Math.ceil(text.length / Math.ceil(text.length / PIECE)); // none is a small rest
  for (let from = 0, to: number; from < text.length; from = to) {
    to = from + size;
    if (HIGH_SURROGATE.test(text.charAt(to - 1))) to += 1; // the other half of the character
    yield text.slice(from, to);
  }
}

const HIGH_SURROGATE = /[\uD800-\uDBFF]/;

/** The rows of all chunks stand under one header: that of the first one here, or, of the first one itself, of the batches before. */
async function proveColumns(session: Session, database: Database, at: OutputKey, columns: string): Promise<void> {
  // By the primary key, as often as there are chunks.
  const { rows: own } = await session.query<Part>(sql`
    select chunk, n, body from ${database.ledger('output_part')}
    where batch_id = ${at.batchId} and stage = ${at.stage} and n = 0 order by chunk limit 1`);
  const first = own[0] ?? (await firstOfAll(session, database, at.batchId));
  if (first) sameColumns(first, { ...at, body: columns });
}

async function firstOfAll(session: Session, database: Database, batchId: string): Promise<Part | undefined> {
  const { rows } = await session.query<Part>(partsOf(database, batchId, part`p.n = 0`, 1));
  return rows[0];
}

/** The first parts, in the order of ranges, of a batch and those that it goes on with. */
const partsOf = (database: Database, batchId: string, condition: SqlPart, most: number): SqlStatement => sql`
  ${earlierBatches(database, batchId)}
  select p.chunk, p.n, p.body from ${database.ledger('output_part')} p join earlier e on e.batch_id = p.batch_id
  where ${condition} order by p.chunk, p.n limit ${raw(String(most))}`;

function sameColumns(first: Pick<Part, 'chunk' | 'body'>, other: Pick<Part, 'chunk' | 'body'>): void {
  if (first.body === other.body) return;
  throw new LoadFailedError(
    `the query gives the columns ${other.body.trimEnd()}, and in chunk ${first.chunk} it gave ${first.body.trimEnd()}`,
    { next: 'let it give those again; or begin anew with all ranges: waybill run … --force' },
  );
}

interface Part {
  chunk: number;
  n: number;
  body: string;
}

/** Parts at a time: each is of about a quarter of a megabyte. */
const PARTS_A_LOOK = 16;

/**
 * All that a batch, and those that it goes on with, gave, in the order of their ranges: the columns once, then rows. A few parts
 * are in memory at a time.
 *
 * @throws LoadFailedError where a later start has removed them (`clearParts`) before the last of them was asked for
 */
export async function* readParts(database: Database, batchId: string): AsyncGenerator<string> {
  let after: Pick<Part, 'chunk' | 'n'> = { chunk: 0, n: 0 };
  for (let header: Part | undefined; ;) {
    const beyond = part`p.chunk > ${after.chunk} or (p.chunk = ${after.chunk} and p.n > ${after.n})`;
    // One more than is taken: with it they are all here, or more must come with the next look.
    const { rows } = await database.query<Part>(partsOf(database, batchId, beyond, PARTS_A_LOOK + 1));
    if (rows.length === 0 && (header !== undefined || (await hasGiven(database, batchId)))) throw removed(batchId);
    for (const row of rows.slice(0, PARTS_A_LOOK)) {
      if (row.n > 0 || header === undefined) yield row.body; // each chunk has the same columns above its rows
      if (row.n === 0) sameColumns((header ??= row), row);
      after = row;
    }
    if (rows.length <= PARTS_A_LOOK) return;
  }
}

/** A chunk that is done has left at least its columns, also where it gave no row. */
const hasGiven = async (database: Database, batchId: string): Promise<boolean> =>
  (await doneBefore(database, database, batchId)).chunks > 0;

const removed = (batchId: string): LoadFailedError =>
  new LoadFailedError(`the rows of batch ${batchId} were removed by a later start before all of them were read`, {
    where: `batch ${batchId}`,
    next: 'run it again; or let it write a file, of which nobody ever reads half: output: rows.csv',
  });

/**
 * A new batch that begins anew: nobody asks any more for what those before it gave. But for `kept` of them, and those that these go on
 * with: whoever started all of them is still to show their rows.
 */
export async function clearParts(
  session: Session,
  database: Database,
  load: string,
  batchId: string,
  kept: readonly string[] = [],
): Promise<void> {
  const shown: string[] = [];
  for (const one of kept) {
    const { rows } = await session.query<{ batch_id: string }>(sql`
      ${earlierBatches(database, one)} select batch_id from earlier`);
    shown.push(...rows.map((row) => row.batch_id));
  }
  await session.query(sql`
    delete from ${database.ledger('output_part')} where batch_id in (
      select b.batch_id from ${database.ledger('batch')} b where b.load_name = ${load} and b.batch_id < ${batchId})
    ${shown.length === 0 ? part`` : part`and batch_id not in ${list(shown)}`}`);
}
