import { CancellationScope, setHandler } from '@temporalio/workflow';
import { ApplicationFailure } from '@temporalio/common';
import type { Progress } from './progress.ts';
import {
  cancelSignal,
  cancelUpdate,
  forceReloadSignal,
  forceReloadUpdate,
  pauseSignal,
  pauseUpdate,
  progressQuery,
  resumeSignal,
  resumeUpdate,
  setLanesSignal,
  setLanesUpdate,
} from './message-definitions.ts';
import type { Interruption, SteerResult } from './messages.ts';

/** Lanes that a person may ask for. */
const MOST_LANES = 64;

/** What people asked of a running load, and the handlers that hear it. */
export class Steering {
  paused: boolean;
  lanes: number | undefined;
  interruption: Interruption | undefined;
  /** Counts pauses and changes of lanes. */
  changes = 0;
  /** Past the point where anything can be cancelled: the batch is published, or being rolled back. */
  closed = false;
  /** The batch that ends has lost the state of its source: another one is opened next, unless it is cancelled. */
  again = false;
  private work: CancellationScope | undefined;
  /** By the run before, for its batch. */
  private readonly handedOn: Interruption | undefined;
  /** What people asked of this run themselves. */
  private readonly asked = { pause: false, lanes: false };

  constructor(
    private readonly progress: Progress,
    start: { paused: boolean; lanes?: number | undefined; interruption?: Interruption | undefined },
    /** The batch that is opened next begins anew. */
    public forced: boolean,
  ) {
    this.paused = start.paused;
    this.lanes = start.lanes;
    this.interruption = this.handedOn = start.interruption;
    progress.view.paused = start.paused;
    setHandler(progressQuery, () => progress.view);
    setHandler(cancelSignal, (by) => void this.interrupt({ ...by, kind: 'cancel signal' }));
    setHandler(forceReloadSignal, (by) => void this.interrupt({ ...by, kind: 'force' }));
    setHandler(pauseSignal, () => void this.pause(true));
    setHandler(resumeSignal, () => void this.pause(false));
    setHandler(setLanesSignal, (n) => {
      if (isLanes(n)) this.setLanes(n);
    });
    setHandler(cancelUpdate, (by) => this.interrupt({ ...by, kind: 'cancel signal' }));
    setHandler(forceReloadUpdate, (by) => this.interrupt({ ...by, kind: 'force' }));
    setHandler(pauseUpdate, () => this.pause(true));
    setHandler(resumeUpdate, () => this.pause(false));
    setHandler(setLanesUpdate, (n) => this.setLanes(n), {
      validator: (n) => {
        if (!isLanes(n)) throw ApplicationFailure.nonRetryable(`lanes must be a whole number from 1 to ${MOST_LANES}`);
      },
    });
  }

  /** Runs the work on a batch so that an interruption ends it. One that came before ends it at once. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const scope = new CancellationScope();
    this.work = scope;
    this.closed = this.again = false;
    if (this.interruption) scope.cancel();
    try {
      return await scope.run(work);
    } finally {
      // What is still under way (lanes, after one of them failed) is not waited for: the fence ends it.
      scope.cancel();
      this.work = undefined;
      this.closed = true;
    }
  }

  /** The batch that the run before handed on has ended: so has what was asked of it. What people asked of this run stays. */
  forgetRunBefore(forced: boolean): void {
    this.forced = forced;
    if (this.interruption === this.handedOn) this.interruption = undefined;
    if (!this.asked.lanes) this.lanes = undefined;
    if (!this.asked.pause) this.setPaused(false);
  }

  /**
   * A batch is taken down, by a force or because its source's state was lost, and another one is opened next: that one can still be
   * kept waiting, or not be opened at all.
   */
  private get ahead(): boolean {
    const next = this.interruption ? this.interruption.kind === 'force' : this.again;
    return next && this.progress.view.state !== 'published';
  }

  interrupt(interruption: Interruption): SteerResult {
    const instead = this.ahead && interruption.kind === 'cancel signal';
    if (this.closed && !instead) return this.tooLate();
    if (this.interruption && !instead) return this.answer(`already asked for: ${this.interruption.kind}`);
    this.interruption = interruption;
    if (interruption.kind === 'force') this.setPaused(false); // it is to begin anew now, not when somebody resumes it
    this.work?.cancel();
    return this.answer('accepted');
  }

  private pause(paused: boolean): SteerResult {
    if (paused && this.closed && !this.ahead) return this.tooLate();
    this.asked.pause = true;
    this.setPaused(paused);
    if (!paused) return this.answer('accepted');
    const what = this.ahead
      ? 'the batch that is opened next waits'
      : 'lanes stop after the chunk that they are at; max_runtime goes on';
    return this.answer(`accepted: ${what}`);
  }

  private setPaused(paused: boolean): void {
    this.changes += 1;
    this.paused = paused;
    this.progress.view.paused = paused;
    this.progress.show();
  }

  private tooLate(): SteerResult {
    const { state } = this.progress.view;
    // Its work has ended, and the fence that says so in the ledger is on its way.
    const ending = state === 'running' || state === 'checking';
    return this.answer(`too late: the batch is ${ending ? 'being broken off' : (state ?? 'closed')}`);
  }

  private setLanes(lanes: number): SteerResult {
    this.changes += 1;
    this.asked.lanes = true;
    this.lanes = lanes;
    this.progress.view.lanes = lanes;
    this.progress.show();
    // Noted all the same: where a load was begun anew before `again` was known, the next batch has as many.
    if (this.closed && !this.ahead) return this.tooLate();
    return this.answer(`accepted: ${lanes} lanes`);
  }

  private answer(answer: string): SteerResult {
    const { load, batch } = this.progress.view;
    return { load, answer, ...(batch ? { batch } : {}) };
  }
}

/** Who asked for it, and why, as messages say it around what was done. */
export const askedFor = (interruption: Interruption | undefined): { by: string; why: string } => ({
  by: interruption?.requestedBy ? ` by ${interruption.requestedBy}` : '',
  why: interruption?.reason ? `: ${interruption.reason}` : '',
});

/** What to do after a cancel. */
export const startAgain = (load: string): string => `start it again when you want: waybill run ${load}`;

const isLanes = (n: unknown): n is number => Number.isInteger(n) && (n as number) >= 1 && (n as number) <= MOST_LANES;
