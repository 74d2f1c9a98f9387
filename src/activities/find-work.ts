import { nothingHalves } from '../config/check-halves.ts';
import type { LoadDefinition } from '../config/definition.ts';
import type { Reread } from '../config/reread.ts';
import type { Batch } from '../control/batch.ts';
import { stillPublished, unconsumed, type ProducerBatch } from '../control/consumption.ts';
import { notReady } from '../control/readiness.ts';
import { wantedBy } from '../control/landing.ts';
import { historyNames } from '../control/rename.ts';
import { describeSource, sourceName } from '../control/source.ts';
import type { SettledFile } from '../control/source-files.ts';
import { nextWindow, type Window } from '../control/windows.ts';
import { fittingColumns } from '../copy/landing-columns.ts';
import { planLanding, type LandingNote } from '../copy/plan-landing.ts';
import type { Database } from '../database/dialect.ts';
import { looking } from '../database/transaction.ts';
import { ConfigurationError } from '../errors.ts';
import type { BatchReference } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { findFileWork } from './find-file-work.ts';
import type { SnapshotSurvey } from './survey-snapshot.ts';
import { taskWork, valuesBefore, type WorkRequest } from './task-work.ts';
import { isDead } from './workflow-liveness.ts';

/** What a new batch would do. */
export type Work =
  | {
      kind: 'work';
      consumes: ProducerBatch[];
      window?: Window;
      deadWanting?: string[];
      /** Names of files to read. */
      files?: string[];
      /** Read files that a start has looked into: the next one need not. */
      settled?: SettledFile[];
      /** What becomes of the landing table, or of columns that it lacks. */
      notes?: LandingNote[];
      /** The batch of a task whose work stays, and is gone on with. */
      continues?: Batch;
    }
  | { kind: 'nothing'; reason: string; settled?: SettledFile[] }
  | { kind: 'wait'; batch: BatchReference; load: string };

/** Is there anything to do? A start that finds nothing opens no batch. */
export async function findWork(
  engine: Engine,
  database: Database,
  load: LoadDefinition,
  latest: Batch | undefined,
  snapshot: SnapshotSurvey,
  request: WorkRequest,
): Promise<Work> {
  if (load.kind === 'task') return taskWork(database, load, latest, request);
  if (load.kind === 'acquisition') return acquisitionWork(engine, database, load, request.reread ?? {});
  if (load.consumes.length > 0) return consumption(database, load, latest);
  if (snapshot.inherited.length > 0 || snapshot.adopted.length > 0) return { kind: 'work', consumes: [] };
  const waiting = await notReady(database, load, () => valuesBefore(database, load, request));
  if (waiting.length > 0)
    return { kind: 'nothing', reason: `${waiting.join(', ')} ${waiting.length === 1 ? 'is' : 'are'} not ready` };
  const tables = load.inputs.map((input) => input.table);
  const some = await looking(database, `waybill read ${load.name}`, async (session) => {
    for (const table of tables) if (await database.dialect.hasRows(session, table)) return true;
    return false;
  });
  return some ? { kind: 'work', consumes: [] } : { kind: 'nothing', reason: `no rows in ${tables.join(', ')}` };
}

async function consumption(database: Database, load: LoadDefinition, latest: Batch | undefined): Promise<Work> {
  const redo =
    latest && latest.state !== 'published'
      ? await stillPublished(database, database, latest.batchId, load.consumes)
      : [];
  const consumes = redo.length > 0 ? redo : await unconsumed(database, database, historyNames(load), load.consumes);
  if (consumes.length > 0) return { kind: 'work', consumes };
  return { kind: 'nothing', reason: `every published batch of ${load.consumes.join(', ')} has been consumed` };
}

async function acquisitionWork(
  engine: Engine,
  database: Database,
  load: LoadDefinition,
  reread: Reread,
): Promise<Work> {
  // One that has ended without its snapshot is not waited for: its next start comes after the acquisitions, so that would be for ever.
  // Should an activity of it still be alive, it looks for open acquisitions again before it swaps.
  const deadWanting: string[] = [];
  for (const { table } of load.outputs) {
    const wanting = await wantedBy(database, database, table);
    if (!wanting) continue;
    if (!(await isDead(engine.client, wanting))) {
      return { kind: 'wait', batch: { connection: database.connection, batchId: wanting.batchId }, load: wanting.load };
    }
    deadWanting.push(wanting.batchId);
  }
  if (load.files) {
    const found = await findFileWork(engine, database, load, load.files, reread);
    if ('nothing' in found) return { kind: 'nothing', reason: found.nothing, settled: found.settled };
    return { kind: 'work', consumes: [], deadWanting, ...found };
  }
  const from = load.from!;
  const source = engine.databases.get(from.connection);
  const facts = await describeSource(source, load, from);
  const unhalved = nothingHalves(load, facts);
  if (unhalved) throw new ConfigurationError(unhalved.message, { where: load.file, next: unhalved.next });
  const landing = await database.dialect.describeTable(database, load.outputs[0]!.table);
  const { statements, notes } = planLanding({ dialect: source.dialect, facts }, database.dialect, landing, load);
  // `plan` looks before a start makes or adds what is missing.
  fittingColumns({ dialect: source.dialect, facts }, database.dialect, landing, load, statements.length > 0);
  const next = await nextWindow(source, database, load, from, reread);
  if (next === undefined) return { kind: 'nothing', reason: `nothing new in ${sourceName(from)}` };
  const { leftFrom, ...window } = next;
  const reason = `rows of ${sourceName(from)} from ${leftFrom} on`;
  const all: LandingNote[] = leftFrom === undefined ? notes : [...notes, { what: 'rows_left', reason }];
  return { kind: 'work', consumes: [], window, deadWanting, notes: all };
}
