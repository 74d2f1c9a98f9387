import type { LoadDefinition } from '../config/definition.ts';
import type { Batch } from '../control/batch.ts';
import { readSnapshots, type SnapshotRecord } from '../control/snapshots.ts';
import type { Database } from '../database/dialect.ts';
import { processingName } from '../sql/processing-name.ts';
import { refused } from './failures.ts';

/** What there is to take over: the failed batch's snapshot, or `_processing` tables of another tool. */
export interface SnapshotSurvey {
  /** Records of the failed batch, whose tables stand as they were left. */
  inherited: SnapshotRecord[];
  /** `_processing` tables that no batch knows, accepted with `--adopt`: landing table names. */
  adopted: string[];
}

/** Compares the ledger with the catalog before a batch opens; refuses what only a person can judge. */
export async function surveySnapshot(
  database: Database,
  load: LoadDefinition,
  latest: Batch | undefined,
  request: { force: boolean; adopt: boolean },
): Promise<SnapshotSurvey> {
  const records =
    latest && latest.state !== 'published'
      ? (await readSnapshots(database, database, latest.batchId)).filter((record) => !record.dropped)
      : [];
  if (latest && records.length > 0) refuseEditedInputs(load, latest, records);

  const inherited: SnapshotRecord[] = [];
  const adopted: string[] = [];
  const tables = new Set([...load.inputs.map((input) => input.table), ...records.map((record) => record.table)]);
  for (const table of tables) {
    const record = records.find((candidate) => candidate.table === table);
    const processing = processingName(table);
    const found = await database.transaction((session) => database.dialect.tableIdentity(session, processing));
    // The new batch plans anew, so a rewrite since then does no harm: it takes the file as it is now.
    if (record && found?.relationId === record.relationId) inherited.push({ ...record, storageId: found.storageId });
    else if (record && !request.force) throw snapshotGone(load, latest, record, found !== undefined);
    else if (found && !record) {
      if (!request.adopt) throw unknownSnapshot(load, table, processing);
      adopted.push(table);
    }
  }
  return { inherited, adopted };
}

function refuseEditedInputs(load: LoadDefinition, latest: Batch, records: SnapshotRecord[]): void {
  const now = load.inputs.map((input) => input.table).sort();
  const then = records.map((record) => record.table).sort();
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
      next: `somebody dropped or renamed it: put it back, or accept that its rows are lost with waybill run ${load.name} --force`,
    },
  );
}

function unknownSnapshot(load: LoadDefinition, table: string, processing: string): Error {
  return refused(`${processing} exists, but no batch of ${load.name} made it`, {
    where: `load ${load.name}, input ${table}`,
    next:
      `if it is the unfinished snapshot of the tool that ran this load before: waybill run ${load.name} --adopt; ` +
      `if it is nothing: rename or drop it`,
  });
}
