/** The documents of `--json`, which are a contract (DESIGN §6), and what the methods of `Waybill` answer. */
import type { LoadKind } from '../config/definition.ts';
import type { BatchState } from '../workflows/messages.ts';

/** What went wrong: all four keys are always there. */
export interface ErrorView {
  /** `LoadFailed`, `CheckFailed`, `Configuration`, `Cancelled`, `AlreadyRunning`, `Unreachable`, … */
  type: string;
  message: string;
  where: string | null;
  next: string | null;
}

/**
 * `running`, `finished` and `error` are the words of the view `job_control`; the rest stands for a load that has no batch:
 * it had nothing to do, was not reached yet, was skipped because what it needs failed, or failed before a batch was opened.
 */
export type LoadStatus = 'running' | 'finished' | 'error' | 'nothing' | 'waiting' | 'skipped';

export interface BatchView {
  load: string;
  kind: LoadKind;
  status: LoadStatus;
  state: BatchState | null;
  /** Text: batch ids may outgrow what JSON readers keep exact. */
  batch_id: string | null;
  rows_read: number | null;
  /** While it runs, what its finished chunks wrote so far; 0 once it was rolled back. */
  rows_written: number | null;
  /** So far; those of a batch that was rolled back stay in the ledger. */
  rows_rejected: number | null;
  chunks: { done: number; total: number };
  /** UTC, ISO 8601. */
  started_at: string | null;
  finished_at: string | null;
  error: ErrorView | null;
  /** Why there was nothing to do. */
  reason?: string;
  /** Checks of severity `warn` that failed. */
  warnings?: string[];
  /** For whom it waits; who keeps the snapshot of a published batch from being dropped; or what the next start takes. In words. */
  waiting?: string;
  /** Its workflow runs, and cannot go on: why, and what to do. */
  stuck?: { message: string; next: string };
}

export interface SessionView {
  session: string;
  status: 'running' | 'finished' | 'error';
  loads: BatchView[];
  error?: ErrorView;
}

/** The document of any failure. */
export interface FailureView {
  error: ErrorView;
}
