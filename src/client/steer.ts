import { randomUUID } from 'node:crypto';
import { isGrpcServiceError, type Client, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import type { LoadDefinition } from '../config/definition.ts';
import { findLatest } from '../control/batch.ts';
import { recordEvent } from '../control/events.ts';
import { findNewestOfRun } from '../control/reading.ts';
import { isUnfinished } from '../control/states.ts';
import { ConfigurationError, LoadFailedError } from '../errors.ts';
import { pauseUpdate, resumeUpdate, setLanesUpdate } from '../workflows/message-definitions.ts';
import { loadWorkflowId, type SteerResult } from '../workflows/messages.ts';
import { answerTo } from './answer.ts';
import { NOT_FOUND, temporalFailure } from './connect.ts';
import type { ClientContext } from './context.ts';
import { RunFollower } from './follow-run.ts';
import { ifReachable } from './ledger.ts';
import { findLoad, findName, type Named } from './names.ts';
import { describeRun, isChildOf, requester, type DescribedRun } from './start-run.ts';
import { othersRun } from './others-run.ts';
import { requireWorker } from './workers.ts';

export type Steering = { update: 'pause' } | { update: 'resume' } | { update: 'setLanes'; lanes: number };

/** Asks a running load for something and gives its answer. Throws `LoadFailedError` when it does not run. */
export async function steer(context: ClientContext, name: string, steering: Steering): Promise<SteerResult> {
  findLoad(context.project, name);
  if (steering.update === 'setLanes' && !(Number.isInteger(steering.lanes) && steering.lanes >= 1)) {
    throw new ConfigurationError(`${steering.lanes} is no number of lanes`, { next: 'give a whole number from 1 on' });
  }
  const client = await context.temporal();
  const workflowId = loadWorkflowId(name);
  const run = await describeRun(context, client, workflowId);
  if (run?.status !== 'RUNNING') throw await notRunning(context, findName(context.project, name));
  await refuseOthersRun(context, client, findName(context.project, name), run);
  await requireWorker(client, context.project).catch((error: unknown) => {
    throw temporalFailure(context.target, error);
  });
  const handle = client.workflow.getHandle(workflowId);
  try {
    return await answerTo(client, { name, workflowId }, () =>
      steering.update === 'setLanes'
        ? handle.executeUpdate(setLanesUpdate, { args: [steering.lanes] })
        : handle.executeUpdate(steering.update === 'pause' ? pauseUpdate : resumeUpdate),
    );
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw await notRunning(context, findName(context.project, name));
    if (error instanceof WorkflowUpdateFailedError) {
      throw new ConfigurationError(error.cause?.message ?? error.message, {
        where: `workflow ${workflowId}`,
        cause: error,
      });
    }
    throw temporalFailure(context.target, error);
  }
}

/** Asks a running load or session to end; follow it to see it roll back. Throws `LoadFailedError` when it does not run. */
export async function cancelRun(
  context: ClientContext,
  name: string,
  by: { requestedBy?: string | undefined; reason?: string | undefined } = {},
): Promise<RunFollower> {
  const named = findName(context.project, name);
  const client = await context.temporal();
  const run = await describeRun(context, client, named.workflowId);
  if (run?.status !== 'RUNNING') throw await notRunning(context, named);
  await refuseOthersRun(context, client, named, run);
  const asked = { requestedBy: by.requestedBy ?? requester(), reason: by.reason };
  if (named.kind === 'load') await recordCancel(context, named.load, run.firstRunId, asked);
  else {
    const session = { workflowId: named.workflowId, newest: run };
    await Promise.all(named.session.loads.map((load) => recordCancelOfChild(context, client, load, session, asked)));
  }
  try {
    // The SDK's own `cancel` takes no reason. A session that has no batch yet keeps it in its history alone.
    await client.workflowService.requestCancelWorkflowExecution({
      namespace: client.options.namespace,
      workflowExecution: { workflowId: named.workflowId },
      firstExecutionRunId: run.firstRunId,
      requestId: randomUUID(),
      identity: asked.requestedBy,
      reason: asked.reason ?? '',
    });
  } catch (error) {
    if (isGrpcServiceError(error) && Number(error.code) === NOT_FOUND) throw await notRunning(context, named);
    throw temporalFailure(context.target, error);
  }
  return new RunFollower(context, client, named, {
    workflowId: named.workflowId,
    firstRunId: run.firstRunId,
    how: 'attached',
  });
}

/** The cancel itself waits for its note so long: once the batch is over none is made. */
const NOTE_MS = 2_000;

/** Who asked, and why, in the ledger: Temporal does not hand it to the workflow that it cancels. */
async function recordCancel(
  context: ClientContext,
  load: LoadDefinition,
  firstRunId: string,
  asked: { requestedBy: string; reason: string | undefined },
): Promise<void> {
  await ifReachable(async () => {
    const database = context.databases.get(load.connection);
    const batch = await findNewestOfRun(database, firstRunId);
    if (!batch || !isUnfinished(batch.state)) return;
    await recordEvent(database, database, batch.batchId, 'cancel_requested', asked);
  }, NOTE_MS);
}

/** The same for a load that the session runs at this moment. */
async function recordCancelOfChild(
  context: ClientContext,
  client: Client,
  name: string,
  { workflowId, newest }: { workflowId: string; newest: DescribedRun },
  asked: { requestedBy: string; reason: string | undefined },
): Promise<void> {
  const load = context.project.loads[name];
  const run = load && (await describeRun(context, client, loadWorkflowId(name)));
  if (run?.status !== 'RUNNING') return;
  if (!(await isChildOf(context, client, run, { workflowId, firstRunId: newest.firstRunId }, newest))) return;
  await recordCancel(context, load!, run.firstRunId, asked);
}

/** What runs under the name may be another project's. */
async function refuseOthersRun(
  context: ClientContext,
  client: Client,
  { name, workflowId }: Named,
  { runId }: DescribedRun,
): Promise<void> {
  const other = await othersRun(context, client, { workflowId, runId });
  if (other === undefined) return;
  throw new LoadFailedError(
    `${name} is not running; what runs under its name is project ${other}'s, and was left alone`,
    {
      where: `workflow ${workflowId}, Temporal namespace ${context.target.namespace}`,
      next: 'give one of the two projects a namespace of its own: see docs/cli.md',
    },
  );
}

/** Says what there is instead. */
async function notRunning(context: ClientContext, named: Named): Promise<LoadFailedError> {
  const where = `workflow ${named.workflowId}`;
  if (named.kind === 'session') {
    return new LoadFailedError(`session ${named.name} is not running`, { where, next: 'see: waybill status' });
  }
  const latest = await ifReachable(() => findLatest(context.databases.get(named.load.connection), named.name));
  const found = latest
    ? `its newest batch, ${latest.batchId}, is ${latest.state}${latest.finishedAt ? ` since ${latest.finishedAt.toISOString()}` : ''}`
    : 'it never ran';
  const next =
    latest?.state === 'held'
      ? `go on in it: waybill run ${named.name} --resume; begin anew: waybill run ${named.name}`
      : latest && isUnfinished(latest.state)
        ? `nothing works on it: waybill run ${named.name} rolls it back and does it again`
        : `start it: waybill run ${named.name}`;
  return new LoadFailedError(`${named.name} is not running; ${found}`, { where, next });
}
