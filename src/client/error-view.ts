import { hideUserInfo } from '../config/hide-credentials.ts';
import {
  AlreadyRunningError,
  CancelledError,
  ConfigurationError,
  LoadFailedError,
  UnreachableError,
  WaybillError,
  type ErrorParts,
} from '../errors.ts';
import { FAILURE, type ErrorSummary } from '../workflows/messages.ts';
import type { ErrorView } from './views.ts';

/** A load or session ended badly. `type` is the one that its workflow failed with. */
export class RunFailedError extends LoadFailedError {
  constructor(
    readonly type: string,
    message: string,
    parts: ErrorParts = {},
  ) {
    super(message, parts);
  }
}

/** The error class, and so the exit code, of a failure that a workflow ended with. */
export function errorOf({ type, message, where, next }: ErrorSummary, cause?: unknown): WaybillError {
  const parts = { where, next, cause };
  switch (type) {
    case FAILURE.cancelled:
      return new CancelledError(message, parts);
    case FAILURE.alreadyRunning:
      return new AlreadyRunningError(message, parts);
    case FAILURE.configuration:
      return new ConfigurationError(message, parts);
    case FAILURE.unreachable:
      return new UnreachableError(message, parts);
    default:
      return new RunFailedError(type, message, parts);
  }
}

/** Any error as `{ type, message, where, next }`, without a password whatever its message was made from. */
export function errorView(error: unknown): ErrorView {
  const { message, where, next } = error as Partial<WaybillError>;
  return {
    type: typeOf(error),
    message: hideUserInfo(message ?? String(error)),
    where: where === undefined ? null : hideUserInfo(where),
    next: next === undefined ? null : hideUserInfo(next),
  };
}

function typeOf(error: unknown): string {
  if (error instanceof WaybillError && 'type' in error) return String(error.type);
  if (error instanceof ConfigurationError) return FAILURE.configuration;
  if (error instanceof CancelledError) return FAILURE.cancelled;
  if (error instanceof AlreadyRunningError) return FAILURE.alreadyRunning;
  if (error instanceof UnreachableError) return FAILURE.unreachable;
  if (error instanceof WaybillError) return FAILURE.loadFailed;
  return error instanceof Error ? error.name : 'Error';
}
