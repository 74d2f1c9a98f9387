import { Context } from '@temporalio/activity';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { LockWaits, type Waits } from './lock-waits.ts';

/** How often an activity says that it lives. The workflows' heartbeat timeout is several times this. */
const EVERY_MS = 2_000;

const details = new WeakMap<Context, object>();

/** What the running activity is at: shown in the Temporal UI with the next heartbeat; `Waits` in `status`, too. */
export function report(progress: object): void {
  details.set(Context.current(), progress);
}

/**
 * Every activity heartbeats by timer: one that died is found by its silence, whatever it was doing. With it goes whom it waits for, unless
 * it says that itself.
 */
export class HeartbeatInterceptor implements ActivityInboundCallsInterceptor {
  constructor(private readonly context: Context) {}

  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    const waits = new LockWaits(this.context);
    const beat = (): void => {
      const progress: Partial<Waits> | undefined = details.get(this.context);
      const told = progress?.waitingFor === undefined ? waits.told : undefined;
      this.context.heartbeat(told ? { ...progress, ...told } : progress);
      void waits.look();
    };
    const timer = setInterval(beat, EVERY_MS);
    try {
      return await next(input);
    } finally {
      clearInterval(timer);
    }
  }
}
