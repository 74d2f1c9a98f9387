import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError, WorkflowNotFoundError, type Client, type WorkflowHandle } from '@temporalio/client';
import type { Batch } from '../control/batch.ts';
import { readRejectedCount, readStages, type StageReading } from '../control/reading.ts';
import { UnreachableError } from '../errors.ts';
import { progressQuery, sessionProgressQuery } from '../workflows/message-definitions.ts';
import {
  loadWorkflowId,
  type BatchReference,
  type LoadProgress,
  type LoadResult,
  type SessionLoadResult,
  type SessionProgress,
  type SessionResult,
} from '../workflows/messages.ts';
import { temporalFailure } from './connect.ts';
import type { ClientContext } from './context.ts';
import { batchOfRun, ifReachable } from './ledger.ts';
import type { Named } from './names.ts';
import { endedBadly, endedWell, type RunEnd } from './run-end.ts';
import { pollingWorkers } from './workers.ts';
import type { BatchView } from './views.ts';
import type { Waiting } from './waiting.ts';
import { describeRun, isChildOf, type StartedRun } from './start-run.ts';

/** One load of a run at this moment. */
export interface LoadLook {
  load: string;
  /** As its workflow says; a load that is followed by itself is `running` until its end. */
  status: SessionLoadResult['status'];
  /** What its workflow does now, in words; undefined: it has not said. */
  phase: string | undefined;
  paused: boolean;
  /** For whom it waits. */
  waiting: Waiting | undefined;
  batch: (Pick<Batch, 'batchId' | 'state'> & { startedAt?: Date }) | undefined;
  stages: StageReading[];
  /** Rows; undefined: the ledger has not said. */
  rejected: number | undefined;
  error: string | undefined;
  /** Why there was nothing to do. */
  reason: string | undefined;
}

interface LedgerReading {
  batch: Batch;
  stages: StageReading[];
  rejected: number;
}

/**
 * How long Temporal may be away before a follower gives up; the load itself goes on when it is back. A call that cannot get through
 * ends after some 20 s by itself.
 */
const PATIENCE_MS = 60_000;
const QUERY_MS = 3_000;
/** A look waits for the ledger so long. Then it has what the workflow says; the question stays, and the next look waits for its answer. */
const LEDGER_MS = 2_000;
/** Not more often than this is a workflow asked: each question costs its worker a little. */
const ASK_EVERY_MS = 1_000;

/** Follows one run to its end: what it does now from the ledger, and from its workflow what the ledger does not say. */
export class RunFollower {
  private readonly handle: WorkflowHandle;
  private readonly asked = new Map<string, { at: number; answer: unknown; busy: boolean }>();
  private readonly runs = new Map<
    string,
    { at: number; firstRunId: string | undefined; waiting: Waiting | undefined }
  >();
  /** What was asked of the ledger and has no answer yet, by load. */
  private readonly reading = new Map<string, Promise<LedgerReading | undefined>>();

  constructor(
    private readonly context: ClientContext,
    private readonly client: Client,
    readonly named: Named,
    readonly run: StartedRun,
  ) {
    this.handle = this.handleOf(named.workflowId, run.firstRunId);
  }

  /** Waits for the end, through restarts of Temporal. Resolves however it ends; rejects when Temporal stays away. */
  async result(): Promise<RunEnd> {
    const at = { context: this.context, client: this.client, named: this.named, firstRunId: this.run.firstRunId };
    for (let lostAt: number | undefined; ;) {
      const askedAt = Date.now();
      try {
        return await endedWell(at, (await this.handle.result()) as LoadResult | SessionResult);
      } catch (error) {
        if (error instanceof WorkflowFailedError || error instanceof WorkflowNotFoundError) {
          return endedBadly(at, error, await this.sessionLoads());
        }
        const failure = temporalFailure(this.context.target, error);
        if (Date.now() - askedAt > PATIENCE_MS) lostAt = undefined; // Temporal was back meanwhile: this is another outage
        lostAt ??= Date.now();
        if (!(failure instanceof UnreachableError) || Date.now() - lostAt > PATIENCE_MS) throw failure;
        await sleep(1_000);
      }
    }
  }

  /** What it does now. Never rejects: what cannot be read is left out. */
  async look(): Promise<LoadLook[]> {
    if (this.named.kind === 'load') {
      const progress = this.ask<LoadProgress>(this.named.workflowId, this.run.firstRunId, progressQuery.name);
      const look = await this.lookAtLoad(this.named.name, 'running', this.run.firstRunId, progress);
      const { firstRunId, waiting } = await this.newestRun(this.named.name, true);
      return [{ ...look, waiting: (firstRunId === this.run.firstRunId ? waiting : undefined) ?? look.waiting }];
    }
    const session = this.ask<SessionProgress>(this.named.workflowId, this.run.firstRunId, sessionProgressQuery.name);
    // Before it has read its plan, a session answers with no loads at all.
    const loads = session?.loads.length
      ? session.loads
      : this.named.session.loads.map((load) => ({ load, status: 'waiting' as const }));
    return Promise.all(loads.map((result) => this.lookAtChild(result)));
  }

  /** The last picture: what it had done when it ended. */
  async lastLook(end: RunEnd): Promise<LoadLook[]> {
    this.reading.clear(); // what it answers to an earlier look is not the end
    const looks = await this.look();
    return looks.map((look) => {
      const view = end.loads.findLast(({ load }) => load === look.load);
      const batch = view?.batch_id && view.state ? { batchId: view.batch_id, state: view.state } : undefined;
      return { ...look, status: endStatus(view) ?? look.status, waiting: undefined, batch: look.batch ?? batch };
    });
  }

  /** Why nothing may be moving, in words; undefined: a worker polls, Temporal answers, and no workflow is stuck. */
  async trouble(): Promise<string | undefined> {
    const { project } = this.context;
    try {
      if ((await pollingWorkers(this.client, project)).length > 0) return await this.stuck();
      return `No worker of project ${project.name} polls task queue ${project.taskQueue}: it waits for one. Start one: waybill worker`;
    } catch {
      return `The Temporal server at ${this.context.target.address} does not answer; the load waits for it`;
    }
  }

  private async stuck(): Promise<string | undefined> {
    const loads = this.named.kind === 'load' ? [] : this.named.session.loads;
    const ids = [this.named.workflowId, ...loads.map(loadWorkflowId)];
    const runs = await Promise.all(ids.map((id) => describeRun(this.context, this.client, id)));
    const [first] = runs.flatMap((run, i) =>
      run?.stuck ? [`${ids[i]}: ${run.stuck.message}\n  next: ${run.stuck.next}`] : [],
    );
    return first;
  }

  private async lookAtChild(result: SessionLoadResult): Promise<LoadLook> {
    const { load, status, batch } = result;
    if (status === 'waiting' || status === 'nothing' || status === 'skipped') {
      return { ...nothingYet(load, status), error: result.error?.message, reason: result.reason };
    }
    const { firstRunId, waiting } = await this.newestRun(load, status === 'running');
    const id = loadWorkflowId(load);
    const progress =
      status === 'running' && firstRunId !== undefined
        ? this.ask<LoadProgress>(id, firstRunId, progressQuery.name)
        : undefined;
    const look = await this.lookAtLoad(load, status, firstRunId, progress, batch);
    return { ...look, waiting: waiting ?? look.waiting, error: result.error?.message ?? look.error };
  }

  private async lookAtLoad(
    load: string,
    status: SessionLoadResult['status'],
    firstRunId: string | undefined,
    progress: LoadProgress | undefined,
    reference: BatchReference | undefined = progress?.batch,
  ): Promise<LoadLook> {
    const connection = reference?.connection ?? this.context.project.loads[load]?.connection;
    const told = {
      ...nothingYet(load, status),
      phase: progress?.phase,
      waiting: progress?.waiting,
      paused: progress?.paused ?? false,
      error: progress?.error?.message,
    };
    if (connection === undefined) return told;
    const reading =
      this.reading.get(load) ??
      this.readLedger(connection, firstRunId, reference).finally(() => this.reading.delete(load));
    this.reading.set(load, reading);
    const read = await ifReachable(() => reading, LEDGER_MS);
    return read ? { ...told, ...read } : { ...told, stages: stagesOf(progress), batch: batchOf(progress) };
  }

  private async readLedger(
    connection: string,
    firstRunId: string | undefined,
    reference: BatchReference | undefined,
  ): Promise<LedgerReading | undefined> {
    const database = this.context.databases.get(connection);
    // The newest batch of the run first: a forced reload has opened another since the workflow was asked.
    const batch =
      (firstRunId === undefined ? undefined : await batchOfRun(database, firstRunId, undefined)) ??
      (await batchOfRun(database, '', reference));
    if (batch === undefined) return undefined;
    const [stages, rejected] = await Promise.all([
      readStages(database, batch.batchId),
      readRejectedCount(database, batch),
    ]);
    return { batch, stages, rejected };
  }

  /** The last answer of a query; asks again in the background when it has grown old. */
  private ask<T>(workflowId: string, firstRunId: string, query: string): T | undefined {
    const key = `${workflowId} ${firstRunId}`;
    const known = this.asked.get(key) ?? { at: 0, answer: undefined, busy: false };
    this.asked.set(key, known);
    if (!known.busy && Date.now() - known.at >= ASK_EVERY_MS) {
      known.busy = true;
      void this.client
        .withDeadline(Date.now() + QUERY_MS, () => this.handleOf(workflowId, firstRunId).query(query))
        .then(
          (answer) => (known.answer = answer),
          () => undefined, // no worker, or it has just ended: the ledger says what there is
        )
        .finally(() => Object.assign(known, { busy: false, at: Date.now() }));
    }
    return known.answer as T | undefined;
  }

  /**
   * The newest run of a load's workflow, and for whom it waits; asked again when it may have changed. Of a session: its child, or what
   * somebody else runs and it waits for; never what has ended before, which would be an earlier night's.
   */
  private async newestRun(
    load: string,
    running: boolean,
  ): Promise<{ firstRunId: string | undefined; waiting: Waiting | undefined }> {
    const known = this.runs.get(load);
    if (known && (!running || Date.now() - known.at < ASK_EVERY_MS)) return known;
    const run = await ifReachable(async () => {
      const newest = await describeRun(this.context, this.client, loadWorkflowId(load));
      if (newest === undefined || this.named.kind === 'load' || (running && newest.status === 'RUNNING')) return newest;
      const session = { workflowId: this.named.workflowId, firstRunId: this.run.firstRunId };
      return (await isChildOf(this.context, this.client, newest, session)) ? newest : undefined;
    });
    const now = { at: Date.now(), firstRunId: run?.firstRunId, waiting: run?.waiting };
    this.runs.set(load, now);
    return now;
  }

  /** A session that was cancelled ends without a list of its loads: its workflow still answers for them. */
  private async sessionLoads(): Promise<SessionLoadResult[]> {
    if (this.named.kind === 'load') return [];
    const { workflowId, session } = this.named;
    const handle = this.handleOf(workflowId, this.run.firstRunId);
    const progress = await ifReachable(() =>
      this.client.withDeadline(Date.now() + QUERY_MS, () => handle.query<SessionProgress>(sessionProgressQuery.name)),
    );
    return progress?.loads ?? session.loads.map((load) => ({ load, status: 'waiting' }));
  }

  private handleOf(workflowId: string, firstRunId: string): WorkflowHandle {
    return this.client.workflow.getHandle(workflowId, undefined, { firstExecutionRunId: firstRunId });
  }
}

function endStatus(view: BatchView | undefined): LoadLook['status'] | undefined {
  if (view?.status === 'error') return view.state === 'cancelled' ? 'cancelled' : 'failed';
  return view?.status;
}

const nothingYet = (load: string, status: SessionLoadResult['status']): LoadLook => ({
  load,
  status,
  phase: undefined,
  paused: false,
  waiting: undefined,
  batch: undefined,
  stages: [],
  rejected: undefined,
  error: undefined,
  reason: undefined,
});

function batchOf(progress: LoadProgress | undefined): LoadLook['batch'] {
  if (!progress?.batch || !progress.state) return undefined;
  return { batchId: progress.batch.batchId, state: progress.state };
}

/** The workflow's own counts, which are a lane's slice behind the ledger's. */
function stagesOf(progress: LoadProgress | undefined): StageReading[] {
  return (progress?.stages ?? []).map((stage, i) => ({
    n: i + 1,
    name: stage.name,
    total: stage.state === 'waiting' || stage.state === 'planning' ? null : stage.chunksTotal,
    done: stage.chunksDone,
    failed: 0,
    rows: stage.rows,
    startedAt: null,
    finishedAt: null,
  }));
}
