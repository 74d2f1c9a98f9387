/** How errors leave an activity: sorted into "try again" and "never", and without values of rows. */
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { FencedError } from '../control/gate.ts';
import { SourceStateLost } from '../control/source-state.ts';
import type { Database, ErrorFacts } from '../database/dialect.ts';
import { ConfigurationError, UnreachableError, WaybillError } from '../errors.ts';
import { FAILURE, type ErrorSummary } from '../workflows/messages.ts';

/** Carried in an `ApplicationFailure`'s details. */
export type FailureDetails = Pick<ErrorSummary, 'where' | 'next' | 'workflowId'>;

/** A failure that no retry will mend. */
export function permanent(
  type: string,
  message: string,
  details: FailureDetails = {},
  cause?: unknown,
): ApplicationFailure {
  return ApplicationFailure.create({
    type,
    message,
    nonRetryable: true,
    details: [details],
    ...(cause instanceof Error ? { cause: safeCause(cause) } : {}),
  });
}

/** Refused before anything was touched. */
export const refused = (message: string, details: FailureDetails = {}): ApplicationFailure =>
  permanent(FAILURE.refused, message, details);

/** Only the name: a driver's message can hold values of rows. */
function safeCause(error: Error): Error {
  const cause = new Error(error.name);
  cause.name = error.name;
  delete cause.stack;
  return cause;
}

/**
 * Turns any error into what Temporal should see: our own refusals for good, transient database errors to be retried,
 * all others for good.
 */
export function toFailure(error: unknown, database: Database | undefined, where: string): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  // The worker stops, or the workflow has given it up. After the one it is done elsewhere; after the other nobody asks.
  if (error instanceof CancelledFailure) return retryable('Interrupted', error.message, { where });
  if (error instanceof ConfigurationError) {
    return permanent(FAILURE.configuration, error.message, { where: error.where ?? where, next: error.next });
  }
  if (error instanceof SourceStateLost) {
    return permanent(FAILURE.sourceStateLost, error.message, { where, next: error.next });
  }
  if (error instanceof FencedError) return permanent(FAILURE.fenced, error.message, { where });
  if (error instanceof UnreachableError) {
    return retryable(FAILURE.unreachable, error.message, { where: error.where ?? where, next: error.next });
  }
  if (error instanceof WaybillError) {
    const facts = database?.dialect.classify(error);
    // One of ours that carries the server's own "busy" (a table that somebody reads while it should be dropped).
    if (facts?.kind === 'transient') {
      return retryable(FAILURE.database, error.message, { where: error.where ?? where, next: error.next }, facts);
    }
    return permanent(FAILURE.loadFailed, error.message, { where: error.where ?? where, next: error.next });
  }
  const facts = database?.dialect.classify(error);
  const details = { where, next: facts?.next };
  if (facts && facts.kind !== 'permanent') return retryable(FAILURE.database, facts.safeMessage, details, facts);
  if (facts?.code !== undefined) return permanent(FAILURE.database, facts.safeMessage, details);
  return ApplicationFailure.create({
    type: error instanceof Error ? error.name : 'Error',
    message: error instanceof Error ? error.message : String(error),
    details: [{ where }],
    nonRetryable: true,
  });
}

function retryable(type: string, message: string, details: FailureDetails, facts?: ErrorFacts): ApplicationFailure {
  return ApplicationFailure.create({
    type,
    message,
    details: [details],
    ...(facts && facts.retryAfterSeconds > 0 ? { nextRetryDelay: facts.retryAfterSeconds * 1000 } : {}),
  });
}
