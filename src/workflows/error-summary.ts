import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure, TimeoutFailure } from '@temporalio/common';
import { FAILURE, OWN_TYPES, tellFailure, type ErrorSummary } from './messages.ts';

/** What went wrong, from whatever wraps it. */
export function summarize(error: unknown): ErrorSummary {
  if ((error instanceof ActivityFailure || error instanceof ChildWorkflowFailure) && error.cause) {
    return summarize(error.cause);
  }
  if (error instanceof ApplicationFailure) {
    const details = (error.details?.[0] ?? {}) as Pick<ErrorSummary, 'where' | 'next' | 'workflowId'>;
    return { ...tellFailure(error.type, error.message), ...details };
  }
  if (error instanceof TimeoutFailure) return { type: 'Timeout', message: 'no worker answered in time' };
  return { type: 'Error', message: error instanceof Error ? error.message : String(error) };
}

/** A failure that ends the workflow (a plain Error would only fail its task, for ever). */
export function failureOf(summary: ErrorSummary, extra: Record<string, unknown> = {}): ApplicationFailure {
  const { type, message, ...said } = summary;
  return ApplicationFailure.create({ type, message, nonRetryable: true, details: [{ ...said, ...extra }] });
}

/** `batch.error_class` for an error that failed a batch. Types that are not ours stay as people search for them (`TypeError`). */
export function errorClassOf({ type }: ErrorSummary): string {
  if (type === FAILURE.check) return 'check';
  if (type === FAILURE.loadFailed) return 'load';
  return OWN_TYPES.includes(type) ? type.toLowerCase() : type;
}
