import { Context } from '@temporalio/activity';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';

/** How often an activity says that it lives. The workflows' heartbeat timeout is several times this. */
const EVERY_MS = 2_000;

const details = new WeakMap<Context, unknown>();

/** What the running activity is at: shown in the Temporal UI with the next heartbeat. */
export function report(progress: unknown): void {
  details.set(Context.current(), progress);
}

/** Every activity heartbeats by timer: one that died is found by its silence, whatever it was doing. */
export class HeartbeatInterceptor implements ActivityInboundCallsInterceptor {
  constructor(private readonly context: Context) {}

  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    const beat = (): void => this.context.heartbeat(details.get(this.context));
    const timer = setInterval(beat, EVERY_MS);
    try {
      return await next(input);
    } finally {
      clearInterval(timer);
    }
  }
}
