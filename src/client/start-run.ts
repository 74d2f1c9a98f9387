import { userInfo, hostname } from 'node:os';
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { LoadDefinition, ParameterValue } from '../config/definition.ts';
import { rereadProblem, rereadWords, type Reread } from '../config/reread.ts';
import { AlreadyRunningError, ConfigurationError, LoadFailedError } from '../errors.ts';
import { forceReloadUpdate } from '../workflows/message-definitions.ts';
import type { LoadInput, SessionInput, SteerResult } from '../workflows/messages.ts';
import { answerTo } from './answer.ts';
import type { ClientContext } from './context.ts';
import { temporalFailure } from './connect.ts';
import type { Named } from './names.ts';
import { waitingOf } from './read-waiting.ts';
import type { Waiting } from './waiting.ts';
import { stuckOf, type Stuck } from './stuck.ts';
import { othersRun } from './others-run.ts';
import { requireWorker } from './workers.ts';

export interface RunOptions extends Reread {
  /** Loads only: of a running load, fence and roll back its batch and begin anew; else skip waiting for people. */
  force?: boolean;
  /** Loads only: go on in the held batch. */
  resume?: boolean;
  /** Loads only: take over `_processing` tables that no batch knows. */
  adopt?: boolean;
  /** Follow it if it runs already, instead of refusing. */
  attach?: boolean;
  params?: Record<string, ParameterValue>;
  /** Who asked; default: user@host. */
  requestedBy?: string;
}

/** A workflow that runs, by the chain of runs that it is (continue-as-new keeps `firstRunId`). */
export interface StartedRun {
  workflowId: string;
  firstRunId: string;
  how: 'started' | 'attached' | 'forced';
}

/** user@host, as it stands in `batch.requested_by`. */
export function requester(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    return hostname(); // a container's user may have no name
  }
}

/** Starts a load or session, or joins the run that there is. Throws `AlreadyRunningError`, `UnreachableError`. */
export async function startRun(context: ClientContext, named: Named, options: RunOptions = {}): Promise<StartedRun> {
  if (named.kind === 'session') refuseLoadOptions(named.name, options);
  else {
    refuseBoth(options);
    refuseWindow(named.load, options);
  }
  const client = await context.temporal();
  const { taskQueue } = context.project;
  try {
    await requireWorker(client, context.project);
    const handle = await client.workflow.start(named.kind, {
      workflowId: named.workflowId,
      taskQueue,
      args: [inputOf(context.project.name, named, options)],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      workflowIdConflictPolicy: 'FAIL',
      staticSummary: `${named.kind} ${named.name}, for ${options.requestedBy ?? requester()}`,
    });
    return { workflowId: named.workflowId, firstRunId: handle.firstExecutionRunId, how: 'started' };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw temporalFailure(context.target, error);
  }
  return join(context, client, named, options);
}

function refuseLoadOptions(session: string, options: RunOptions): void {
  const flags = ['force', 'resume', 'adopt', 'since', 'until', 'full'] as const;
  const given = flags.find((name) => options[name] !== undefined && options[name] !== false);
  if (given === undefined) return;
  throw new ConfigurationError(`--${given} is for a load, and ${session} is a session`, {
    next: `run the load itself: waybill run LOAD --${given}`,
  });
}

/** A held batch would go on, and one that runs begin anew: whoever says both means one of them. */
function refuseBoth({ resume, force }: RunOptions): void {
  if (resume !== true || force !== true) return;
  throw new ConfigurationError('--resume goes on in the batch that is held, and --force begins anew', {
    next: 'give one of the two',
  });
}

/** What an acquisition is asked to read fits it, and the batch that would read it is a new one. */
function refuseWindow(load: LoadDefinition, options: RunOptions): void {
  const problem = rereadProblem(load, options);
  if (problem) throw new ConfigurationError(problem.message, { where: load.file, next: problem.next });
  const words = rereadWords(options);
  if (words === '') return;
  const other = (['resume', 'attach'] as const).find((name) => options[name] === true);
  if (other === undefined) return;
  throw new ConfigurationError(`--${other} goes on in a batch whose window is set, and ${words} asks for another`, {
    next: `leave --${other} out, or the window`,
  });
}

function inputOf(project: string, named: Named, options: RunOptions): LoadInput | SessionInput {
  const params = options.params ?? {};
  const rest = {
    ...(Object.keys(params).length > 0 && { params }),
    requestedBy: options.requestedBy ?? requester(),
    project,
  };
  if (named.kind === 'session') return { session: named.name, ...rest };
  return {
    load: named.name,
    ...rest,
    ...(options.force === true && { force: true }),
    ...(options.resume === true && { resume: true }),
    ...(options.adopt === true && { adopt: true }),
    ...(options.since !== undefined && { since: options.since }),
    ...(options.until !== undefined && { until: options.until }),
    ...(options.full === true && { full: true }),
  };
}

/** What only a start can be given: a run that is there has its own, which a force does not change. In words; '' if nothing. */
function askedAnew(options: RunOptions): string {
  const params = Object.entries(options.params ?? {}).map(([name, value]) => `--param ${name}=${String(value)}`);
  return [rereadWords(options), ...params, ...(options.adopt === true ? ['--adopt'] : [])].filter(Boolean).join(' ');
}

/** Somebody started it before us. */
async function join(context: ClientContext, client: Client, named: Named, options: RunOptions): Promise<StartedRun> {
  const running = await describeRun(context, client, named.workflowId);
  if (running?.status !== 'RUNNING') return startRun(context, named, options); // it ended in this moment
  const other = await othersRun(context, client, { workflowId: named.workflowId, runId: running.runId });
  if (other !== undefined) throw runsForAnother(context, named, running, other);
  const joined = { workflowId: named.workflowId, firstRunId: running.firstRunId };
  const asked = askedAnew(options);
  if (options.force === true && running.stuck) {
    // It would hear of nothing. The start that follows finds its batch without a workflow, fences it and rolls it back.
    await client.workflow
      .getHandle(named.workflowId, running.runId)
      .terminate(`forced by ${options.requestedBy ?? requester()}: ${running.stuck.message}`)
      .catch((error: unknown) => {
        if (!(error instanceof WorkflowNotFoundError)) throw temporalFailure(context.target, error);
      });
    return startRun(context, named, options);
  }
  if (options.force === true && asked === '') {
    const handle = client.workflow.getHandle(named.workflowId);
    const steered = await answerTo(client, named, () =>
      handle.executeUpdate<SteerResult, [{ requestedBy: string }]>(forceReloadUpdate.name, {
        args: [{ requestedBy: options.requestedBy ?? requester() }],
      }),
    ).catch((error: unknown) => {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw temporalFailure(context.target, error);
    });
    if (steered === undefined) return startRun(context, named, options); // it ended before it heard of it
    const { answer } = steered;
    if (answer === 'accepted') return { ...joined, how: 'forced' };
    throw new LoadFailedError(`${named.name} cannot be forced to reload: ${answer}`, {
      where: `workflow ${named.workflowId}`,
      next: `follow it to its end: waybill run ${named.name} --attach; what is published is never forced away`,
    });
  }
  if (options.attach === true && asked === '') return { ...joined, how: 'attached' };
  const { where, message } = isRunning(named, running);
  if (running.stuck) {
    throw new AlreadyRunningError(`${message}; ${running.stuck.message}`, { where, next: running.stuck.next });
  }
  throw new AlreadyRunningError(message, {
    where,
    next:
      (asked === '' ? '' : `${asked} cannot be given to a run that is there: start it when this one is over; `) +
      `follow it: waybill run ${named.name} --attach; end it: waybill cancel ${named.name}` +
      (named.kind === 'load' && asked === '' ? `; begin anew: waybill run ${named.name} --force` : ''),
  });
}

function isRunning(named: Named, { startedAt, runId }: DescribedRun): { message: string; where: string } {
  const since = startedAt.toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    message: `${named.name} is running already, since ${since}`,
    where: `workflow ${named.workflowId}, run ${runId}`,
  };
}

/** Nothing of it is ours: not to be followed, and least of all to be forced. */
function runsForAnother(
  { target }: ClientContext,
  named: Named,
  run: DescribedRun,
  other: string,
): AlreadyRunningError {
  const { message, where } = isRunning(named, run);
  return new AlreadyRunningError(`${message}, for project ${other}`, {
    where: `${where}, Temporal namespace ${target.namespace}`,
    next: `wait until it is over; a namespace runs one load of a name, so give one of the two projects a namespace of its own: see docs/cli.md`,
  });
}

/** A run of a workflow, as Temporal describes it. */
export interface DescribedRun {
  status: string;
  runId: string;
  firstRunId: string;
  startedAt: Date;
  /** The very run that started it, not its chain. */
  parent: { workflowId: string; runId: string } | undefined;
  waiting: Waiting | undefined;
  stuck: Stuck | undefined;
}

/** The newest run of a workflow id, or that of `wantedRunId`; undefined: Temporal knows none. */
export async function describeRun(
  context: ClientContext,
  client: Client,
  workflowId: string,
  wantedRunId?: string,
): Promise<DescribedRun | undefined> {
  try {
    const description = await client.workflow.getHandle(workflowId, wantedRunId).describe();
    const { status, runId, startTime, raw, parentExecution } = description;
    const firstRunId = raw.workflowExecutionInfo?.firstRunId || runId;
    return {
      status: status.name,
      runId,
      firstRunId,
      startedAt: startTime,
      parent: parentOf(parentExecution),
      waiting: waitingOf(description),
      stuck: await stuckOf(client, description),
    };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw temporalFailure(context.target, error);
  }
}

/**
 * Whether a run was started by the newest run of a session's chain: each night's session has the same id, and by a cron schedule of one
 * workflow the same chain, too. Of a chain that others have come after, any run will do. `newestOf`: the newest run, where it is known.
 */
export async function isChildOf(
  context: ClientContext,
  client: Client,
  { parent }: DescribedRun,
  of: { workflowId: string; firstRunId: string },
  newestOf?: DescribedRun,
): Promise<boolean> {
  if (parent?.workflowId !== of.workflowId) return false;
  const newest = newestOf ?? (await describeRun(context, client, of.workflowId));
  if (newest?.firstRunId === of.firstRunId) return parent.runId === newest.runId;
  if (parent.runId === of.firstRunId) return true;
  return (await describeRun(context, client, parent.workflowId, parent.runId))?.firstRunId === of.firstRunId;
}

function parentOf(
  execution: { workflowId?: string | null; runId?: string | null } | undefined,
): DescribedRun['parent'] {
  if (!execution?.workflowId || !execution.runId) return undefined;
  return { workflowId: execution.workflowId, runId: execution.runId };
}
