import {
  isGrpcServiceError,
  ServiceError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
} from '@temporalio/client';
import { UnreachableError } from '../errors.ts';

/** How long a worker may take to answer: it is busy, or it has just died. */
const ANSWER_MS = 20_000;

/** What a run says to an update, which waits for a worker without end by itself. Throws `UnreachableError` when it says nothing. */
export async function answerTo<Answer>(
  client: Client,
  { name, workflowId }: { name: string; workflowId: string },
  update: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await client.withDeadline(Date.now() + ANSWER_MS, update);
  } catch (error) {
    if (!isSilence(error)) throw error;
    throw new UnreachableError(`${name} did not answer`, {
      where: `workflow ${workflowId}`,
      next: 'its worker is busy or has just died: try again',
      cause: error,
    });
  }
}

/** Our time is over; or Temporal's, for whoever took the workflow's task and sleeps. */
function isSilence(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return true;
  const cause = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(cause) && cause.details.includes('Workflow Task in failed state');
}
