import { condition, workflowInfo } from '@temporalio/workflow';
import type { OpenedBatch } from '../activities/opened-batch.ts';
import type { LaneResult } from '../activities/run-lane.ts';
import { activities, LANE } from './activity-proxies.ts';
import { failureOf } from './error-summary.ts';
import { FAILURE } from './messages.ts';
import type { Progress } from './progress.ts';
import type { Steering } from './steering.ts';

/** A lane comes back after 5 s, then 10, 20, 40, 60: soon enough to show, seldom enough to keep the history short. */
const FIRST_SLICE_MS = 5_000;
const LONGEST_SLICE_MS = 60_000;

/** The history is long enough: lanes were drained, and the workflow should continue as new. */
export class HistoryFull extends Error {
  override readonly name = 'HistoryFull';
}

/** `worked`: this run has got something done; before that a limit that is set too low must not end it, or none ever would. */
export function historyIsFull(batch: { historyLimit: number | null }, worked: boolean): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || (worked && batch.historyLimit !== null && historyLength >= batch.historyLimit);
}

/** Runs a stage's lanes until the ledger has no pending chunk: the barrier between two stages. */
export class StageLanes {
  private readonly running = new Set<number>();
  private readonly slices = new Map<number, number>();
  private drained = false;
  /** A lane of this run has come back. */
  private worked = false;
  private failure: Error | undefined;
  /** That chunks failed, as the ledger has it; thrown when no lane says more. */
  private unsaid: Error | undefined;
  /** Counts what happened, so that a wait misses nothing. */
  private changes = 0;
  /** Stop flags in the ledger: how many lanes may go on; undefined: none is set. */
  private kept: number | undefined;
  private most: number;
  /** Lanes that should run now. */
  private want = 0;

  constructor(
    private readonly batch: OpenedBatch,
    private readonly stage: OpenedBatch['stages'][number],
    private readonly steering: Steering,
    private readonly progress: Progress,
    continued: boolean,
  ) {
    this.most = stage.lanes;
    if (continued) this.kept = 0; // the run before stopped its lanes to drain them
  }

  async run(): Promise<void> {
    while (!this.drained) {
      const seen = this.changes + this.steering.changes;
      const full = historyIsFull(this.batch, this.worked);
      const want = full || this.steering.paused ? 0 : (this.steering.lanes ?? this.stage.lanes);
      this.want = want;
      await this.keep(want);
      for (let lane = 1; lane <= want && !this.drained; lane += 1) if (!this.running.has(lane)) this.start(lane);
      this.progress.stage(this.stage.n, { lanes: this.running.size });
      if (full && this.running.size === 0) throw new HistoryFull();
      await condition(() => this.failure !== undefined || this.changes + this.steering.changes !== seen);
      if (this.failure !== undefined) throw this.failure;
    }
    await condition(() => this.running.size === 0 || this.failure !== undefined);
    const failure = this.failure ?? this.unsaid;
    if (failure !== undefined) throw failure;
  }

  /** Sets the stop flags, where they differ from what is wanted. */
  private async keep(want: number): Promise<void> {
    this.most = Math.max(this.most, want, ...this.running);
    const unneeded = this.kept === undefined && [...this.running].every((lane) => lane <= want);
    if (unneeded || this.kept === want) return;
    this.kept = want;
    const { connection, batchId } = this.batch;
    await activities(
      want === 0 ? `${this.stage.name}: all lanes stop` : `${this.stage.name}: ${want} lanes`,
    ).steerLanes({ connection, batchId, stage: this.stage.n, keep: want, most: this.most });
  }

  private start(lane: number): void {
    this.running.add(lane);
    this.work(lane)
      .then((result) => this.ended(lane, result))
      .catch((error: Error) => {
        this.failure ??= error;
      })
      .finally(() => {
        this.running.delete(lane);
        this.changes += 1;
      });
  }

  private work(lane: number): Promise<LaneResult> {
    const slice = this.slices.get(lane) ?? FIRST_SLICE_MS;
    this.slices.set(lane, Math.min(LONGEST_SLICE_MS, slice * 2));
    const { chunksDone } = this.progress.view.stages[this.stage.n - 1]!;
    return activities(`${this.stage.name}: lane ${lane}, from chunk ${chunksDone + 1}`, LANE).runLane({
      connection: this.batch.connection,
      batchId: this.batch.batchId,
      stage: this.stage.n,
      lane,
      sliceMs: slice,
    });
  }

  /** Chunks that are left of another batch keep their numbers: how many there are says nothing of them. */
  private goesOn(): boolean {
    return this.batch.keepsItsWork && this.batch.redoes !== null;
  }

  private ended(lane: number, result: LaneResult): void {
    this.worked = true;
    const { stage } = result;
    const shown = this.progress.view.stages[this.stage.n - 1]!;
    // Lanes may answer in another order than they counted.
    if (stage.done >= shown.chunksDone) this.progress.stage(this.stage.n, { chunksDone: stage.done, rows: stage.rows });
    const where = `load ${this.batch.load}, batch ${this.batch.batchId}, stage ${this.stage.name}`;
    if (result.end === 'failed' && result.failure) {
      const { chunk, message, next = `waybill show ${this.batch.batchId} has the whole message` } = result.failure;
      this.failure ??= failureOf({
        type: FAILURE.database,
        message: `chunk ${chunk}${this.goesOn() ? '' : ` of ${stage.planned ?? '?'}`}: ${message}`,
        where: `${where}, chunk ${chunk}`,
        next,
      });
    } else if (result.end === 'fenced') {
      this.failure ??= failureOf({ type: FAILURE.fenced, message: 'the batch was fenced by somebody else', where });
    } else if (stage.failed > 0) {
      // The lane that met the failure is about to say so, or died before it could.
      this.drained = true;
      this.unsaid ??= failureOf({
        type: FAILURE.database,
        message: `${stage.failed} of ${stage.planned ?? '?'} chunks failed`,
        where,
        next: `waybill show ${this.batch.batchId} has the whole message`,
      });
    } else if (result.end === 'drained' && stage.pending === 0) this.drained = true;
    // Told to stop by an attempt of ours that woke up late: say anew who may go on.
    else if (result.end === 'stopped' && lane <= this.want) this.kept = Number.NaN;
  }
}
