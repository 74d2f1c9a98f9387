/** Errors of chunks, and what becomes of one after each. */
import type { RejectedRow } from '../control/bad-rows.ts';
import { SourceError } from '../copy/copy-rows.ts';
import type { ErrorFacts } from '../database/dialect.ts';
import { WaybillError } from '../errors.ts';
import type { BatchContext } from './batch-context.ts';
import { isHeldUp } from './held-up.ts';

/** Between two attempts while a source is down. */
const SOURCE_DOWN_SECONDS = 5;
/** Between two attempts while somebody holds a lock for longer than the server waits. */
const HELD_UP_SECONDS = 2;

/** What went wrong with a chunk that is a place of its own: a file. `cause`: as sorted by itself. */
export class FileError extends Error {
  override readonly name = 'FileError';
  constructor(
    readonly place: string,
    override readonly cause: unknown,
    /** What to do about it, where that can be said. */
    readonly next?: string,
  ) {
    super(place, { cause });
  }
}

/** More rows of a chunk cannot be processed than may be. They are written down, though their chunk fails. */
export class TooManyRejected extends WaybillError {
  constructor(
    message: string,
    readonly rows: readonly RejectedRow[],
    next: string,
    /** The message with values of rows, for the ledger alone. */
    readonly inFull = message,
  ) {
    super(message, { next });
  }
}

/** An error, and whether it counts as an attempt at the chunk. */
export interface ChunkErrorFacts extends ErrorFacts {
  counts: boolean;
  /** Rows to write down with it. */
  rejected?: readonly RejectedRow[];
}

/** Some row's values are what is wrong. */
export const isOfRow = ({ kind, because }: ErrorFacts): boolean => kind === 'permanent' && because === 'data';

/**
 * A source that cannot be reached leaves this session whole: the chunk is tried again, here or elsewhere, until the batch's
 * time is over. An outage is not the chunk's fault, so it burns no attempt.
 */
export function factsOf(error: unknown, context: BatchContext): ChunkErrorFacts {
  const { database } = context;
  if (error instanceof FileError) {
    const facts = factsOf(error.cause, context);
    const { message, safeMessage } = facts;
    const placed = { message: `${error.place}: ${message}`, safeMessage: `${error.place}: ${safeMessage}` };
    return { ...facts, ...placed, next: error.next ?? facts.next };
  }
  if (error instanceof TooManyRejected) {
    const facts = database.dialect.classify(error);
    return { ...facts, message: error.inFull, counts: true, rejected: error.rows, next: error.next };
  }
  if (!(error instanceof SourceError)) {
    const said = database.dialect.classify(error);
    const facts = isHeldUp(said, context.batch)
      ? { ...said, retryAfterSeconds: HELD_UP_SECONDS, counts: false }
      : { ...said, counts: true };
    return error instanceof WaybillError ? { ...facts, next: error.next ?? facts.next } : facts;
  }
  const { facts } = error;
  const said = {
    ...facts,
    message: `on the source: ${facts.message}`,
    safeMessage: `on the source: ${facts.safeMessage}`,
  };
  return facts.kind === 'connection'
    ? { ...said, kind: 'transient', retryAfterSeconds: SOURCE_DOWN_SECONDS, counts: false }
    : { ...said, counts: true };
}
