/**
 * Everything that crosses the border of the workflows: inputs, results, what signals, updates and the query carry
 * (message-definitions.ts gives them their names). Nothing of Temporal's, whose packages take longer to load than all of ours:
 * the command line imports it before it knows whether it will need them.
 */

export type ParameterValue = string | number | boolean | null;

/** Input of the workflow `load`. `{ "load": "core.flight" }` is all it takes. */
export interface LoadInput {
  load: string;
  /** Skip waiting for people: a batch whose workflow cannot be found is fenced and redone at once. */
  force?: boolean;
  /** Go on in the held batch. */
  resume?: boolean;
  /** Take over `_processing` tables that no batch knows (cut-over from another tool). */
  adopt?: boolean;
  /**
   * Acquisitions with a cursor: the window begins here, whatever was read before; ends here at the latest, exclusive; or holds
   * everything. Rows that were read before come again.
   */
  since?: string | number;
  until?: string | number;
  full?: boolean;
  params?: Record<string, ParameterValue>;
  requestedBy?: string;
  /**
   * The project whose load it is: a worker of another one, which polls the same task queue by mistake, leaves it alone. Without it, that of
   * the worker that opens the batch.
   */
  project?: string;
  /** Set by a session whose loads share one. */
  window?: SharedWindow;
  /** Set by a session: batches of this load whose rows its run is still to show, by id. */
  keepRowsOf?: string[];
  /** Set by the workflow itself when it continues as new. */
  continued?: ContinuedLoad;
}

/** What all loads of a session see as `:last_load_at` and `:load_at`, ISO text in UTC; no `from`: the session never ended well. */
export interface SharedWindow {
  session: string;
  from: string | null;
  to: string;
}

/** What a run hands to the run that continues it. */
export interface ContinuedLoad {
  /** None: it is not open yet. */
  batch?: BatchReference;
  /** How many batches this workflow has opened (force opens another). */
  attempt: number;
  /** Of these, the ones that were begun because the state of their source was lost. */
  lost?: number;
  lanes?: number;
  paused: boolean;
  /** The batch that is opened next begins anew. */
  forced?: boolean;
  /** Asked for when the history was full already. */
  interruption?: Interruption;
  runs: number;
}

/** Why the work on a batch was broken off from outside. */
export interface Interruption {
  kind: 'cancel signal' | 'force' | 'timeout';
  requestedBy?: string | undefined;
  reason?: string | undefined;
}

/** A batch, found again by connection and id. Never credentials, never SQL. */
export interface BatchReference {
  connection: string;
  batchId: string;
}

/**
 * A batch of this workflow, by the first run of its chain. A held batch that is resumed stays the same batch and becomes
 * another workflow's: what is late of the workflow before must leave it alone.
 */
export interface OwnedBatch extends BatchReference {
  firstRunId: string | null;
}

export type BatchState =
  'running' | 'checking' | 'held' | 'published' | 'rolling_back' | 'failed' | 'cancelled' | 'retracting' | 'retracted';

export interface ErrorSummary {
  type: string;
  message: string;
  where?: string;
  next?: string;
  /** Of `AlreadyRunning`: the workflow that runs it. */
  workflowId?: string;
}

/** Result of the workflow `load`. */
export interface LoadResult {
  load: string;
  /** `finished`: published; `nothing`: there was nothing to do and no batch was opened. */
  status: 'finished' | 'nothing';
  batch?: BatchReference;
  rowsWritten: number;
  chunks: number;
  /** Why there was nothing to do. */
  reason?: string;
  /** Checks of severity `warn` that failed. */
  warnings: string[];
  /** Published, but somebody still reads its snapshot, which the next start drops, or another table has its name: in words. */
  left?: string;
  /**
   * What the next start takes, in words: it did again what a failed batch had, and this came since; or it read one gap of its cursor,
   * and more lies in those above.
   */
  more?: string;
}

export interface StageProgress {
  name: string;
  state: 'waiting' | 'planning' | 'running' | 'done' | 'failed';
  chunksDone: number;
  chunksTotal: number;
  rows: number;
  lanes: number;
}

/** What others hold that a load waits for, and who they are: in words, the oldest first, as far as the server tells. */
export interface HeldUp {
  what: string;
  heldBy: string[];
}

/** `waits for acq.flight, in use by connection 4711 (mary, psql, query 340 s)`. */
export const heldUpWords = ({ what, heldBy }: HeldUp): string =>
  `waits for ${what}${heldBy.length === 0 ? '' : `, in use by ${heldBy.join(', ')}`}`;

/** Answer of the query `progress`. */
export interface LoadProgress {
  load: string;
  /** What the workflow does now: opening, before, snapshot, stage name, checking, publishing, rolling back, … */
  phase: string;
  /** While it opens. What a batch waits for stands in the heartbeats of its activities. */
  waiting?: HeldUp;
  batch?: BatchReference;
  state?: BatchState;
  paused: boolean;
  lanes: number;
  stages: StageProgress[];
  error?: ErrorSummary;
  /** How many runs (continue-as-new) came before this one. */
  continued: number;
}

/** Who steers, and why: kept in the ledger. */
export interface SteerBy {
  requestedBy?: string;
  reason?: string;
}

export interface SteerResult {
  load: string;
  batch?: BatchReference;
  /** `accepted`, or why nothing will change. */
  answer: string;
}

export interface SessionInput {
  session: string;
  requestedBy?: string;
  params?: Record<string, ParameterValue>;
  /** As in `LoadInput`. */
  project?: string;
}

export interface SessionLoadResult {
  load: string;
  status: 'finished' | 'nothing' | 'failed' | 'cancelled' | 'skipped' | 'running' | 'waiting';
  batch?: BatchReference;
  rowsWritten?: number;
  /** As in `LoadResult`. */
  reason?: string;
  left?: string;
  /**
   * The session's batches of this load before the last one, oldest first: what had failed, what was left of a shared window, and each
   * gap of a cursor came by itself.
   */
  earlier?: BatchReference[];
  error?: ErrorSummary;
}

export interface SessionResult {
  session: string;
  status: 'finished' | 'failed';
  loads: SessionLoadResult[];
}

export interface SessionProgress {
  session: string;
  loads: SessionLoadResult[];
}

/** Search attributes that loads set, with their types as the server calls them. */
export const SEARCH_ATTRIBUTES = {
  WaybillLoad: 'Keyword',
  WaybillKind: 'Keyword',
  WaybillState: 'Keyword',
  WaybillBatchId: 'Int',
  WaybillRows: 'Int',
} as const;

/** `load/<name>`: one at a time, because Temporal lets one workflow of an id run. */
export const loadWorkflowId = (load: string): string => `load/${load}`;
export const sessionWorkflowId = (session: string): string => `session/${session}`;
/** The task queue unless the project says otherwise. */
export const TASK_QUEUE = 'waybill';

/** Header of activities: the project that they are for. */
export const PROJECT_HEADER = 'waybill-project';

/** The project that an input names, or the answer of an activity; undefined: none. */
export function projectIn(value: unknown): string | undefined {
  const { project } = (value ?? {}) as { project?: unknown };
  return typeof project === 'string' ? project : undefined;
}

/** What to do where two projects share a task queue. */
export const OWN_QUEUE = 'give one of the two projects a task_queue or a namespace of its own: see docs/cli.md';

/** Types of the `ApplicationFailure` that a failed load ends with. People and scripts search for these names. */
export const FAILURE = {
  /** The batch failed and was rolled back (or is held). */
  loadFailed: 'LoadFailed',
  /** Refused before anything was touched; the message says what to do. */
  refused: 'Refused',
  /** Its batch is run by another workflow, which is alive: nothing was touched. */
  alreadyRunning: 'AlreadyRunning',
  /** The project's files are wrong, or do not know this load. */
  configuration: 'Configuration',
  /** The worker is older than the control tables: another one is asked. Told as `configuration`. */
  newerTables: 'NewerTables',
  /** A check of severity `error` failed; the batch was rolled back (or is held). */
  check: 'CheckFailed',
  /** The batch ran past `max_runtime`. */
  timeout: 'Timeout',
  /** Cancelled by the signal. */
  cancelled: 'Cancelled',
  /** A database, the Temporal server or a worker cannot be reached. */
  unreachable: 'Unreachable',
  /** The version of the workers takes other steps than the one that began the workflow. */
  nonDeterminism: 'NonDeterminism',
  /** The batch was fenced while an activity worked for it. */
  fenced: 'Fenced',
  /** The database refused a statement of ours, or failed. */
  database: 'Database',
  /** `from.consistent`: nobody holds the state of the source any more that the batch has read. */
  sourceStateLost: 'SourceStateLost',
  /** Published, but an `after` step failed: the next start resumes it. */
  afterFailed: 'AfterFailed',
} as const;

/** Types that `batch.error_class` has in lower case: those above, and what else a batch is said to have ended with. */
export const OWN_TYPES: readonly string[] = [...Object.values(FAILURE), 'Error', 'Forced', 'Interrupted', 'Superseded'];

/**
 * A workflow's failure as it is told: Temporal's own, of a history that the workers' code would not have made
 * (github.com/temporalio/rules, TMPRL1100), in our words.
 */
export function tellFailure(
  type: string | null | undefined,
  message: string,
): Pick<ErrorSummary, 'type' | 'message' | 'next'> {
  if (!message.includes('[TMPRL1100]')) return { type: type || 'Error', message };
  return {
    type: FAILURE.nonDeterminism,
    message: `another version of Waybill began this run, and that of the workers takes other steps (${message})`,
    next: 'start it again: what it left behind is rolled back first',
  };
}

const ACTIVITY_WORDS: Partial<Record<string, string>> = {
  takeSnapshot: 'the snapshot',
  settleSource: 'the wait for the source',
  planStage: 'the plan',
  runLane: 'a lane',
  runChecks: 'the checks',
  writeOutput: 'the output',
  publish: 'the publish',
  dropSnapshot: 'the drop of the snapshot',
  rollBack: 'the roll back',
};

/** What the activity of this name does for a batch: for what people read of one that fails. */
export const activityWords = (name: string): string => ACTIVITY_WORDS[name] ?? name;
