/**
 * What Waybill says when something goes wrong: what happened, where, and what to do next.
 *
 * Every failure that a person can meet is one of these classes. The command line turns them into one message and the
 * documented exit code; `--json` prints `{ error: { type, message, where, next } }`.
 */

/** The parts of an error besides its message. */
export interface ErrorParts {
  /** Where it happened: `file:line:column`, or load / batch / stage / chunk. */
  where?: string | undefined;
  /** What the reader should do next, as a sentence. */
  next?: string | undefined;
  cause?: unknown;
}

/** The process exit codes of the command line (docs: README, "Exit codes"). */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  cancelled: 3,
  alreadyRunning: 4,
  unreachable: 5,
} as const;

/** Base class of all errors that Waybill raises on purpose. */
export class WaybillError extends Error {
  readonly where: string | undefined;
  readonly next: string | undefined;
  /** The exit code that the command line ends with. */
  readonly exitCode: number = EXIT.failed;

  constructor(message: string, parts: ErrorParts = {}) {
    super(message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = new.target.name;
    this.where = parts.where;
    this.next = parts.next;
  }
}

/** A file, flag or environment variable is wrong. Nothing was touched. */
export class ConfigurationError extends WaybillError {
  override readonly exitCode = EXIT.usage;
}

/** The load could not be done, or was refused, and the database is as it was (or was rolled back). */
export class LoadFailedError extends WaybillError {}

/** A person or a signal cancelled the load; it was rolled back. */
export class CancelledError extends WaybillError {
  override readonly exitCode = EXIT.cancelled;
}

/** The load runs already, elsewhere. */
export class AlreadyRunningError extends WaybillError {
  override readonly exitCode = EXIT.alreadyRunning;
}

/** A database, the Temporal server or a worker cannot be reached. */
export class UnreachableError extends WaybillError {
  override readonly exitCode = EXIT.unreachable;
}
