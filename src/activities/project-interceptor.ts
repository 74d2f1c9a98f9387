import { ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { FAILURE, OWN_QUEUE, PROJECT_HEADER } from '../workflows/messages.ts';

/** What a start asks first: a person waits for the answer, and nothing is under way that would have to go on elsewhere. */
const ASKED_FIRST = ['openBatch', 'planSession', 'openWindow'];

/** Soon: a worker of the right project may stand by. */
const TRIED_AGAIN_MS = 2_000;

/**
 * Keeps a worker from the work of another project, whose workflows may come to it where both poll one task queue: its databases are
 * not theirs, and a batch of the same number is another one in them. What is under way is tried again until a worker of its project has it.
 */
export class ProjectInterceptor implements ActivityInboundCallsInterceptor {
  constructor(
    /** The worker's. */
    private readonly project: string,
    private readonly activity: string,
  ) {}

  execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    const payload = input.headers[PROJECT_HEADER];
    // None: started by hand, or by a version that did not say it.
    const asked = payload && defaultPayloadConverter.fromPayload<string>(payload);
    return asked === undefined || asked === this.project ? next(input) : Promise.reject(this.refusal(asked));
  }

  private refusal(asked: string): ApplicationFailure {
    const first = ASKED_FIRST.includes(this.activity);
    return ApplicationFailure.create({
      type: FAILURE.refused,
      message: `work of project ${asked} came to a worker of project ${this.project}, which has left it alone: both poll one task queue`,
      nonRetryable: first,
      details: [{ where: `project ${asked}`, next: OWN_QUEUE }],
      ...(first ? {} : { nextRetryDelay: TRIED_AGAIN_MS }),
    });
  }
}
