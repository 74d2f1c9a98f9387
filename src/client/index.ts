/** Waybill as a library: the verbs of the command line as methods. */
export { Waybill, type OpenOptions } from './waybill.ts';
export type { RunOptions, StartedRun } from './start-run.ts';
export { RunFollower, type LoadLook } from './follow-run.ts';
export type { RunEnd } from './run-end.ts';
export type { LoadStatusRow, Status } from './read-status.ts';
export { chunkDocument, detailsDocument, type BatchDetails } from './show-batch.ts';
export type { LoadPreview } from './preview-load.ts';
export type { Validation } from './validate-project.ts';
export type { BatchView, ErrorView, FailureView, LoadStatus, SessionView } from './views.ts';
export { errorView, RunFailedError } from './error-view.ts';
export { temporalTarget, type TemporalTarget } from './temporal-target.ts';
export { ProjectError, type Problem } from '../config/problem.ts';
export {
  AlreadyRunningError,
  CancelledError,
  ConfigurationError,
  EXIT,
  LoadFailedError,
  UnreachableError,
  WaybillError,
} from '../errors.ts';
