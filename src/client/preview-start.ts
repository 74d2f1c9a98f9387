import type { LoadDefinition } from '../config/definition.ts';
import { findLatest, findUnfinished, type Batch } from '../control/batch.ts';
import { readSnapshots } from '../control/snapshots.ts';
import { openSteps } from '../control/steps.ts';
import type { Database } from '../database/dialect.ts';
import { processingName } from '../sql/processing-name.ts';
import { loadWorkflowId } from '../workflows/messages.ts';
import type { ClientContext } from './context.ts';
import { ifReachable } from './ledger.ts';
import { describeRun } from './start-run.ts';

/** What the restart rules (DESIGN §3) make of a start at this moment, before it is asked whether there is work. */
export interface StartPreview {
  /** `goes on`: with a new batch, if there is work. */
  does: 'goes on' | 'refused' | 'running';
  /** What it does first, and why; sentences. */
  first: string[];
  /** The batch that is taken back first: its rows leave the outputs. */
  takesBack: Batch | undefined;
  /** The batch that the new one does again. */
  redoes: Batch | undefined;
  /** Landing tables whose snapshot is there already. */
  inherited: string[];
}

/** Reads only; the same rules as `openBatch` follows, which decides anew when a start comes. */
export async function previewStart(
  context: ClientContext,
  database: Database,
  load: LoadDefinition,
): Promise<StartPreview> {
  const none: StartPreview = { does: 'goes on', first: [], takesBack: undefined, redoes: undefined, inherited: [] };
  const unfinished =
    (await findUnfinished(database, load.name)) ??
    (load.renamedFrom === undefined ? undefined : await findUnfinished(database, load.renamedFrom));
  if (unfinished) return withSnapshot(database, load, await previewUnfinished(context, unfinished, none));
  const latest =
    (await findLatest(database, load.name)) ??
    (load.renamedFrom === undefined ? undefined : await findLatest(database, load.renamedFrom));
  if (latest?.state === 'published') {
    return withSnapshot(database, load, { ...none, first: await leftovers(database, latest) });
  }
  return withSnapshot(database, load, { ...none, redoes: latest });
}

async function previewUnfinished(context: ClientContext, batch: Batch, none: StartPreview): Promise<StartPreview> {
  const { batchId, state, loadName } = batch;
  const takeBack = (why: string): StartPreview => ({
    ...none,
    takesBack: batch,
    redoes: batch,
    first: [`rolls back batch ${batchId}: ${why}`],
  });
  if (state === 'rolling_back') return takeBack('its roll back had begun');
  if (state === 'held') return takeBack(`it is held (waybill run ${loadName} --resume would go on in it instead)`);
  if (state === 'retracting') return { ...none, does: 'refused', first: [`batch ${batchId} is being retracted`] };
  const life = await liveness(context, batch);
  if (life === 'running')
    return { ...none, does: 'running', first: [`batch ${batchId} is ${state}, and its workflow runs`] };
  if (life === 'closed') return takeBack('its workflow ended without finishing it');
  if (batch.deadlineAt.getTime() < Date.now())
    return takeBack('it is past its max_runtime, and its workflow is not known');
  const until = batch.deadlineAt.toISOString();
  const why = `batch ${batchId} is ${state}, and Temporal does not know its workflow; a start is refused until ${until}, or with --force`;
  return { ...none, does: 'refused', first: [why] };
}

/** As the worker will see it: by the chain of runs that opened the batch. */
async function liveness(context: ClientContext, batch: Batch): Promise<'running' | 'closed' | 'unknown'> {
  const known = await ifReachable(async () => {
    const client = await context.temporal();
    const newest = await describeRun(context, client, loadWorkflowId(batch.loadName));
    if (newest === undefined || batch.firstRunId === null) return 'unknown';
    if (newest.firstRunId === batch.firstRunId) return newest.status === 'RUNNING' ? 'running' : 'closed';
    await client.workflow.getHandle(loadWorkflowId(batch.loadName), batch.firstRunId).describe();
    return 'closed';
  });
  return known ?? 'unknown';
}

async function leftovers(database: Database, published: Batch): Promise<string[]> {
  const snapshots = await readSnapshots(database, database, published.batchId);
  const undropped = snapshots.filter(({ dropped }) => !dropped).map(({ processing }) => processing);
  const after = await openSteps(database, published.batchId, 'after');
  return [
    ...(undropped.length > 0 ? [`drops ${undropped.join(', ')}: batch ${published.batchId} is published`] : []),
    ...(after.length > 0 ? [`goes on with \`after\` of batch ${published.batchId}`] : []),
  ];
}

/** Which snapshots are there to take over, and which tables stand in the way. */
async function withSnapshot(database: Database, load: LoadDefinition, start: StartPreview): Promise<StartPreview> {
  if (start.does !== 'goes on') return start;
  const { redoes } = start;
  const records = redoes
    ? (await readSnapshots(database, database, redoes.batchId)).filter(({ dropped }) => !dropped)
    : [];
  const beingDropped = start.first.some((sentence) => sentence.startsWith('drops '));
  const inherited: string[] = [];
  for (const { table } of load.inputs) {
    const processing = processingName(table);
    const found = await database.transaction((session) => database.dialect.tableIdentity(session, processing));
    const record = records.find((candidate) => candidate.table === table);
    if (record && found?.relationId === record.relationId) inherited.push(table);
    else if (record)
      return refuse(start, `${processing}, the snapshot of batch ${redoes!.batchId}, is gone or another table`);
    else if (found && !beingDropped) {
      return refuse(start, `${processing} exists, but no batch made it (--adopt takes it over)`);
    }
  }
  return { ...start, inherited };
}

const refuse = (start: StartPreview, why: string): StartPreview => ({
  ...start,
  does: 'refused',
  first: [...start.first, why],
});
