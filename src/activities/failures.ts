/** How errors leave an activity: sorted into "try again" and "never", and without values of rows. */
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { FencedError } from '../control/gate.ts';
import { NewerTablesError } from '../control/project.ts';
import { SourceStateLost } from '../control/source-state.ts';
import type { Database, ErrorFacts } from '../database/dialect.ts';
import { errorFacts } from '../database/error-facts.ts';
import { howToRead, withoutLedger } from '../database/hidden-text.ts';
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

const behind = new WeakMap<Error, ErrorFacts>();

/** What a database said that a failure was made of, values of rows included; undefined: it was made of something else. */
export const factsBehind = (error: unknown): ErrorFacts | undefined =>
  error instanceof ApplicationFailure ? behind.get(error) : undefined;

/** As `toFailure` where nothing writes the text of an error into the ledger: before a batch, and of what is done beside it. */
export const toUntoldFailure = (error: unknown, database: Database | undefined, where: string): ApplicationFailure =>
  toFailure(error, database, where, { told: false });

/**
 * Turns any error into what Temporal should see: our own refusals for good, transient database errors to be retried,
 * all others for good. `told`: the ledger gets the whole text of a database's error.
 */
export function toFailure(
  error: unknown,
  database: Database | undefined,
  where: string,
  { told } = { told: true },
): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  // The worker stops, or the workflow has given it up. After the one it is done elsewhere; after the other nobody asks.
  if (error instanceof CancelledFailure) return retryable('Interrupted', error.message, { where });
  if (error instanceof ConfigurationError) {
    const type = error instanceof NewerTablesError ? FAILURE.newerTables : FAILURE.configuration;
    return permanent(type, error.message, { where: error.where ?? where, next: error.next });
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
  const facts = errorFacts(error, database);
  if (facts && (facts.kind !== 'permanent' || facts.code !== undefined)) {
    const message = told ? facts.safeMessage : withoutLedger(facts.safeMessage);
    const details = { where, next: facts.next ?? (told ? undefined : howToRead(facts.safeMessage)) };
    const failure =
      facts.kind === 'permanent'
        ? permanent(FAILURE.database, message, details)
        : retryable(FAILURE.database, message, details, facts);
    behind.set(failure, facts);
    return failure;
  }
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
