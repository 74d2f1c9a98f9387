/** The table `source_file`: which files an acquisition reads, and as what it found them. */
import type { Database, Session } from '../database/dialect.ts';
import { list, sql, SqlPart } from '../database/sql.ts';
import { insertMany } from './insert-many.ts';

/** A file that a published batch has read, as it was then. */
export interface PublishedFile {
  size: number;
  sha256: string;
  /** What the file system said of it: `FileState.lasting`; or `version`, which is not to be relied on. Null: not kept yet. */
  state: string | null;
  batchId: string;
  /** Its chunk. */
  n: number;
  /** What other published batches have read under this name, and was the same. */
  before: FileRead[];
}

/** A file of a batch: its chunk. */
export interface FileRead {
  batchId: string;
  n: number;
}

/** A file that was found to be what was read, and what it is called now, and the file system says of it. */
export interface SettledFile extends FileRead {
  name: string;
  state: string;
}

/** Every file that published batches of a load (`names`: see `historyNames`) have read, by name, as the newest of them found it. */
export async function publishedFiles(database: Database, names: string[]): Promise<Map<string, PublishedFile>> {
  const { rows } = await database.query<PublishedRow>(sql`
    select f.name, f.size, f.sha256, f.file_state, f.batch_id, f.n from ${database.ledger('source_file')} f
    join ${database.ledger('batch')} b on b.batch_id = f.batch_id
    where b.load_name in ${list(names)} and b.state = 'published' order by f.batch_id`);
  const files = new Map<string, PublishedFile[]>();
  for (const { name, size, sha256, file_state: state, batch_id: batchId, n } of rows) {
    const file = { size: Number(size), sha256, state, batchId, n: Number(n), before: [] };
    files.set(name, [...(files.get(name) ?? []), file]);
  }
  return new Map(
    [...files].map(([name, all]) => {
      const newest = all.at(-1)!;
      const before = all.filter((file) => file !== newest && file.sha256 === newest.sha256);
      return [name, { ...newest, before }];
    }),
  );
}

interface PublishedRow {
  name: string;
  size: string;
  sha256: string;
  file_state: string | null;
  batch_id: string;
  n: string;
}

/** How many files one statement says that of. */
const SETTLED_AT_ONCE = 1_000;

/** So that the next start need not read them. */
export async function settleFiles(database: Database, files: readonly SettledFile[]): Promise<void> {
  const batches = new Map<string, SettledFile[]>();
  for (const file of files) {
    const known = batches.get(file.batchId);
    if (known) known.push(file);
    else batches.set(file.batchId, [file]);
  }
  for (const [batchId, all] of batches) {
    for (let i = 0; i < all.length; i += SETTLED_AT_ONCE) {
      await settleSome(database, batchId, all.slice(i, i + SETTLED_AT_ONCE));
    }
  }
}

async function settleSome(database: Database, batchId: string, files: readonly SettledFile[]): Promise<void> {
  const byChunk = (of: (file: SettledFile) => string): SqlPart =>
    new SqlPart(
      [...files.flatMap(() => [' when ', ' then ']), ' end'],
      files.flatMap((file) => [file.n, of(file)]),
    );
  await database.query(sql`
    update ${database.ledger('source_file')}
    set file_state = case n ${byChunk(({ state }) => state)}, name = case n ${byChunk(({ name }) => name)}
    where batch_id = ${batchId} and n in ${list(files.map(({ n }) => n))}`);
}

/** The files that a batch is to read, in order of their chunks. */
export async function insertFiles(session: Session, database: Database, batchId: string, names: readonly string[]) {
  const rows = names.map((name, i) => [batchId, i + 1, name]);
  await insertMany(session, database.ledger('source_file'), ['batch_id', 'n', 'name'], rows);
}

export async function filesOf(database: Database, batchId: string): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>(sql`
    select name from ${database.ledger('source_file')} where batch_id = ${batchId} order by n`);
  return rows.map(({ name }) => name);
}

/** The files of a stage that no lane has done, but for this one. */
export async function otherPendingFiles(
  session: Session,
  database: Database,
  at: { batchId: string; stage: number; n: number },
): Promise<string[]> {
  const { rows } = await session.query<{ range_from: string }>(sql`
    select range_from from ${database.ledger('chunk')}
    where batch_id = ${at.batchId} and stage = ${at.stage} and state = 'pending' and n <> ${at.n}`);
  return rows.map(({ range_from: name }) => name);
}

/** What was read, within the transaction of its rows. */
export async function markFile(
  session: Session,
  database: Database,
  at: { batchId: string; n: number },
  { size, sha256, state }: { size: number; sha256: string; state: string },
): Promise<void> {
  await session.query(sql`
    update ${database.ledger('source_file')} set size = ${size}, sha256 = ${sha256}, file_state = ${state}
    where batch_id = ${at.batchId} and n = ${at.n}`);
}
