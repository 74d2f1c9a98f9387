import type { LoadDefinition } from '../config/definition.ts';
import type { Batch } from '../control/batch.ts';
import {
  lastSnapshot,
  readSnapshots,
  recordSwap,
  type LastSnapshot,
  type SnapshotRecord,
} from '../control/snapshots.ts';
import { isUnfinished } from '../control/states.ts';
import type { Database, Session, TableIdentity } from '../database/dialect.ts';
import { inTransaction, looking } from '../database/transaction.ts';
import { tableNamed } from '../sql/names.ts';
import { processingName } from '../sql/processing-name.ts';
import { refused } from './failures.ts';

/** What there is to take over: the failed batch's snapshot, or `_processing` tables of another tool. */
export interface SnapshotSurvey {
  /** Records of the failed batch, whose tables stand as they were left. */
  inherited: SnapshotRecord[];
  /** `_processing` tables that are not what a batch knows, accepted with `--adopt`: landing table names. */
  adopted: string[];
  /** Some of those stand for the failed batch's own, out of a restored dump. */
  restored: boolean;
}

/** Compares the ledger with the catalog before a batch opens; refuses what only a person can judge. */
export async function surveySnapshot(
  database: Database,
  load: LoadDefinition,
  latest: Batch | undefined,
  request: { force: boolean; adopt: boolean },
): Promise<SnapshotSurvey> {
  if (latest && latest.state !== 'published' && latest.definition.inputs.length > 0) await settle(database, latest);
  const all = latest && latest.state !== 'published' ? await readSnapshots(database, database, latest.batchId) : [];
  const records = all.filter((record) => !record.dropped);
  if (latest && records.length > 0) {
    const adopted = all.filter((record) => record.dropped).map((record) => record.table);
    refuseEditedInputs(load, latest, adopted);
  }
  const tables = new Set([...load.inputs.map((input) => input.table), ...records.map((record) => record.table)]);
  if (tables.size === 0) return { inherited: [], adopted: [], restored: false };
  return looking(database, `waybill read ${load.name}`, (session) =>
    compare(session, database, load, latest, request, [...tables], records),
  );
}

async function compare(
  session: Session,
  database: Database,
  load: LoadDefinition,
  latest: Batch | undefined,
  request: { force: boolean; adopt: boolean },
  tables: string[],
  records: SnapshotRecord[],
): Promise<SnapshotSurvey> {
  const inherited: SnapshotRecord[] = [];
  const adopted: string[] = [];
  for (const table of tables) {
    const record = records.find((candidate) => candidate.table === table);
    const processing = processingName(table);
    // Nothing has a name that the server cannot keep: `refuseUncarried` says so, and what to do.
    const found =
      tableNamed(processing, database.dialect.sql) && (await database.dialect.tableIdentity(session, processing));
    if (record && found?.relationId === record.relationId) {
      const rewritten = found.storageId !== record.storageId;
      if (rewritten && !request.force && !(await database.dialect.hasRows(session, processing))) {
        throw snapshotEmptied(load, record);
      }
      // The new batch plans anew, so any other rewrite does no harm: it takes the file as it is now.
      inherited.push({ ...record, storageId: found.storageId });
      // Forced or not: while another table has the name, no snapshot can be taken. A restored dump may have its rows.
    } else if (record && (found ? !request.adopt : !request.force)) {
      throw snapshotGone(load, latest, record, found !== undefined);
    } else if (found) {
      const last = await lastSnapshot(database, database, processing);
      if (last && isInUse(last, load, found)) throw snapshotInUse(load, table, processing, last);
      if (!request.adopt) throw unknownSnapshot(load, table, processing, last);
      await refuseUnadoptable(session, database, load, table, processing);
      adopted.push(table);
    }
  }
  const known = new Set([...inherited.map((record) => record.table), ...adopted]);
  await refuseUncarried(
    session,
    database,
    load.inputs.map((input) => input.table).filter((table) => !known.has(table)),
  );
  const restored = records.some(({ table }) => adopted.includes(table));
  return { inherited, adopted, restored };
}

/** A swap that broke off, of a batch that has ended since: where DDL commits by itself, it may be half done. */
const settle = (database: Database, { batchId }: Batch): Promise<void> =>
  database.dialect.settleSwap(database, batchId, (session, taken, since) =>
    recordSwap(session, database, batchId, taken, since),
  );

/** Looks before anything is touched: a table that cannot be carried over stays as it is. */
export async function refuseUncarried(session: Session, database: Database, tables: string[]): Promise<void> {
  const reasons: string[] = [];
  const next = new Set<string>();
  for (const table of tables) {
    const look = () => database.dialect.snapshotRefusals(session, table);
    for (const refusal of await inTransaction(session, look, { readOnly: true })) {
      reasons.push(`${table}: ${refusal.reason}`);
      next.add(refusal.next);
    }
  }
  if (reasons.length > 0) {
    throw refused(`the snapshot cannot be taken: ${reasons.join('; ')}`, {
      where: tables.join(', '),
      next: [...next].join('; '),
    });
  }
}

/** It must be readable as a whole, stay as it is, and be dropped at last; a partitioned one would be dropped unread. */
async function refuseUnadoptable(
  session: Session,
  database: Database,
  load: LoadDefinition,
  table: string,
  processing: string,
): Promise<void> {
  const where = `load ${load.name}, input ${table}`;
  const look = () => database.dialect.adoptionRefusals(session, processing);
  const refusals = await inTransaction(session, look, { readOnly: true });
  if (refusals.length > 0) {
    const instead = `Or put its rows into an ordinary table of that name, or back into ${table}.`;
    throw refused(`${processing} cannot be adopted as a snapshot: ${refusals.map(({ reason }) => reason).join('; ')}`, {
      where,
      next: [...new Set(refusals.map(({ next }) => next.replace(/[^.…]$/, '$&.'))), instead].join(' '),
    });
  }
  if (await database.dialect.describeTable(session, table)) return;
  throw refused(`${processing} is there, but ${table} is not: the tool that renamed it stopped half-way`, {
    where,
    next: `rename ${processing} back to ${table}, or create ${table}; then start the load again`,
  });
}

/**
 * Goes by the definition, not by what there is of the snapshot: it may be a part, after a forced or adopting start. `adopted`: inputs
 * whose part another load has taken over, which may be left out now or not.
 */
function refuseEditedInputs(load: LoadDefinition, latest: Batch, adopted: string[]): void {
  const kept = ({ inputs }: Pick<LoadDefinition, 'inputs'>): string[] =>
    inputs
      .map((input) => input.table)
      .filter((table) => !adopted.includes(table))
      .sort();
  const now = kept(load);
  const then = kept(latest.definition);
  if (now.join() === then.join()) return;
  throw refused(`the inputs of ${load.name} were edited while batch ${latest.batchId}'s snapshot is open`, {
    where: load.file,
    next:
      `put inputs back to [${then.join(', ')}] and run the load, so that the snapshot is processed; ` +
      `then change them to [${now.join(', ')}]`,
  });
}

function snapshotGone(load: LoadDefinition, latest: Batch | undefined, record: SnapshotRecord, other: boolean): Error {
  return refused(
    other
      ? `${record.processing} is not the table that batch ${latest?.batchId} took as its snapshot`
      : `${record.processing}, the snapshot of batch ${latest?.batchId}, is gone, though it was never published`,
    {
      where: `load ${load.name}, batch ${latest?.batchId}`,
      next:
        `somebody dropped or renamed it: put it back, or ` +
        (other
          ? `take the table that has its name now for it, if that holds its rows (a restored dump), with waybill run ${load.name} --adopt, or move it out of the way (rename or drop it) and `
          : '') +
        `accept that its rows are lost with waybill run ${load.name} --force`,
    },
  );
}

/** TRUNCATE, past the trigger that refuses it. A VACUUM FULL of one that was always empty looks the same: a person knows. */
function snapshotEmptied(load: LoadDefinition, record: SnapshotRecord): Error {
  return refused(
    `${record.processing}, the snapshot of batch ${record.batchId}, was rewritten since, and holds no row: ` +
      `it looks as if somebody had emptied it`,
    {
      where: `load ${load.name}, batch ${record.batchId}`,
      next:
        `put its rows back, or accept that it is empty (it may have been from the start) ` +
        `with waybill run ${load.name} --force`,
    },
  );
}

/**
 * Its batch still reads it, or another load's next start drops it: adopted, it would be read twice, or go while it is read. That start
 * leaves alone another table that has the name by now; a batch that is not over would end with it.
 */
const isInUse = (last: LastSnapshot, load: LoadDefinition, found: TableIdentity): boolean =>
  isUnfinished(last.state) ||
  (last.state === 'published' && !last.dropped && last.load !== load.name && last.relationId === found.relationId);

function snapshotInUse(load: LoadDefinition, table: string, processing: string, last: LastSnapshot): Error {
  const { batchId, load: owner, state } = last;
  const where = `load ${load.name}, input ${table}`;
  // A start ends what is left of the batch before it looks at the inputs and, but for a held one, whether the load is enabled.
  const without = `where ${owner} is no more in the project,`;
  if (state === 'published') {
    return refused(
      `${processing} is the snapshot of batch ${batchId} of ${owner}, which is published and has not dropped it yet`,
      {
        where,
        next: `its rows are published: waybill run ${owner} drops it first, once nobody reads it; then start ${load.name} again; ${without} drop ${processing} yourself`,
      },
    );
  }
  return refused(`${processing} is the snapshot of batch ${batchId} of ${owner}, which is ${state.replace('_', ' ')}`, {
    where,
    next:
      `wait for the end of that batch, or end it (waybill cancel ${owner}; where it is held or nothing runs it: waybill run ${owner}); ` +
      `then start ${load.name} again; ${without} put its file back for that as it was, and until then take ${table} out of the inputs of ${load.name}, ` +
      `or the file of ${load.name} out of the project`,
  });
}

/** Nobody is at work on it. `last`: the batch that had a snapshot of this name. Of one that is published, the rows would be so twice. */
function unknownSnapshot(
  load: LoadDefinition,
  table: string,
  processing: string,
  last: LastSnapshot | undefined,
): Error {
  const where = `load ${load.name}, input ${table}`;
  const adopt = `waybill run ${load.name} --adopt`;
  if (last === undefined) {
    return refused(`${processing} exists, but no batch of ${load.name} made it`, {
      where,
      next: `if it is the unfinished snapshot of the tool that ran this load before: ${adopt}; if it is nothing: rename or drop it`,
    });
  }
  const { batchId, state } = last;
  const batch = last.load === load.name ? `batch ${batchId}` : `batch ${batchId} of ${last.load}`;
  if (state === 'published') {
    return refused(
      `${processing} exists, and is not known as what it was: ${batch}, which is published, had a snapshot of ` +
        `this name, and ${last.gone ? 'found it gone when it was to drop it' : 'did not drop it'}`,
      {
        where,
        next:
          `look whether its rows are those of batch ${batchId}: then they are published already, so drop it ` +
          `(${adopt} would load them a second time); if they are others, rename it`,
      },
    );
  }
  return refused(
    `${processing} exists: ${batch} (${state}) had a snapshot of this name, and did not publish its rows`,
    {
      where,
      next:
        `if ${load.name} is to load them: ${adopt}` +
        (last.load === load.name ? '' : `; if ${last.load} is to: put ${table} back into its inputs and start that`),
    },
  );
}
