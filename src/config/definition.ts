/**
 * The checked definitions that the project's files become. Everything downstream (client, worker, activities) reads these
 * and never YAML. A `LoadDefinition` is plain JSON without secrets: it is frozen into `waybill.batch.definition` when a
 * batch opens, SQL text included.
 */

export const LOAD_KINDS = ['acquisition', 'core', 'services', 'task'] as const;
export type LoadKind = (typeof LOAD_KINDS)[number];

/** A value of `params:`, bound as `:params.name`. */
export type ParameterValue = string | number | boolean | null;

/** One database. The URL holds the credentials: it stays in this process and is never frozen, logged or sent. */
export interface ConnectionDefinition {
  name: string;
  url: string;
  /** Of its URL; `postgres` also for postgresql:// and where the URL is not known. */
  scheme: 'postgres' | 'mysql' | 'mariadb';
  /** Names of the variables of its URL, where they are not set and nothing else says which server it is of: the scheme is a guess. */
  unknownServer?: string;
  /** Most connections that one worker opens to it, over all loads. Default 8. */
  maxConnections: number;
  /** Schema (MySQL: database) of the control tables. Default `waybill`. */
  controlSchema: string;
  /** `true`: verify the server's certificate against the system's authorities; or files in PEM format. */
  tls?: boolean | { ca?: string; cert?: string; key?: string };
}

/** A text of SQL and where it stands: one file, or one inline scalar of a load file. */
export interface SqlSource {
  text: string;
  /** Path relative to the project folder. */
  file: string;
  /** 1-based line and column, in `file`, of the text's first character. */
  line: number;
  column: number;
}

/** A step. `sessionParams`: the settings that it runs with, in place of those of the load. */
export interface StepDefinition extends SqlSource {
  sessionParams?: Record<string, string>;
}

/** `inputs:` of a core load: a landing table. */
export interface InputTable {
  table: string;
  /** Filled by scripts outside Waybill, not by an acquisition of this project. */
  external: boolean;
  /** Whether those scripts are done, as a query says. */
  ready?: SqlSource;
}

/** How a stage is cut into chunks. */
export interface ChunkDefinition {
  /** A landing table of `inputs`, or an output of a load in `consumes`. */
  input: string;
  /** Rows a chunk, about. */
  rows: number;
  /** All rows of one value of these columns share a chunk. Absent: a chunk is any part of the table. */
  key?: string[];
}

export interface StageDefinition {
  name: string;
  sql: SqlSource[];
  chunk?: ChunkDefinition;
  /** Overrides the load's `lanes`. */
  lanes?: number;
}

/** An output and how a batch's rows leave it again. Today `rollback: delete` and `write: append` only. */
export interface OutputDefinition {
  table: string;
  rollback: 'delete';
  write: 'append';
}

/** `expect:` of a check: the first column of the first row must compare so. */
export interface Expectation {
  operator: '=' | '<>' | '<' | '<=' | '>' | '>=';
  value: number;
  /** As the user wrote it, for messages. */
  text: string;
}

export interface CheckDefinition {
  name: string;
  sql: SqlSource;
  expect: Expectation;
  /** `error` (default) fails the batch; `warn` is recorded and shown. */
  severity: 'error' | 'warn';
}

/** `from:` of an acquisition. */
export interface AcquisitionSource {
  connection: string;
  /** What is read: a table, or else `sql`. */
  table?: string;
  /** One SELECT in the dialect of `connection`, whose rows are read. */
  sql?: SqlSource;
  /** Cuts what is read whole by arithmetic, where no key can or should. */
  range?: { column: string; step: number };
  /** All chunks read the source as it was at one moment. Default: each as it is when it is read. */
  consistent?: true;
  /** Column whose growing values cut windows. Absent: the whole table, every time. */
  cursor?: string;
  /** Time cursors: milliseconds behind the source server's clock where a window ends. Absent: 10,000; never 0 by default. */
  lagMs?: number;
  /** First value of the first window. Absent: everything. */
  start?: string;
}

/** Rows, or a share of those that were read. */
export type RejectLimit = { rows: number } | { percent: number };

/** `from.files` of an acquisition: CSV files, where the workers run. */
export interface FileSource {
  /** Relative to the project's folder; `*`, `**` and `?` stand for what they do in a shell. */
  patterns: string[];
  format: { delimiter: string; quote: string; nullText: string };
  /** Milliseconds since a file was last written to, before which it is not read. Default 0. */
  lagMs: number;
}

/** `to:` of an acquisition, besides its table. */
export interface LandingDefinition {
  /** A start makes the table where there is none. */
  create: boolean;
  /** What becomes of columns of the source that the table lacks. */
  onNewColumns: 'fail' | 'ignore' | 'add';
  /** What becomes of values that the table's columns cannot keep; for all columns, or for those that are named. */
  onInvalid: { all: InvalidRule; columns: Record<string, InvalidRule> };
}

/** `fail`: the batch does. `null`: NULL. `text`: the column is a text, which keeps them. */
export type InvalidRule = 'fail' | 'null' | 'text';

/** `min` or `max` of a range: a number, date or time as text, or a query for one. */
export type RangeBound = { value: string } | { query: SqlSource };

/** How far it is from one range to the next. */
export interface RangeStep {
  /** How many of these, as text. */
  by: string;
  unit: 'whole' | 'microsecond' | 'day' | 'month';
  /** As the user wrote it. */
  text: string;
}

/** `range:` of a task: what its `:from` and `:to` go over, `max` included. */
export interface RangeDefinition {
  /** Between two bounds; or over all values of a column. */
  over: { min: RangeBound; max: RangeBound } | { table: string; column: string };
  step: RangeStep;
}

/** What becomes of the rows of a task's query. */
export interface TaskOutput {
  /** Only the first row of each range. */
  first: boolean;
  /** Relative to the project's folder; null: standard output of whoever follows the run. */
  file: string | null;
  format: 'csv' | 'json lines';
}

/** One load, checked. */
export interface LoadDefinition {
  /** `core.flight`: the file's path under `loads/`, dots for slashes, without `.yaml`. */
  name: string;
  kind: LoadKind;
  /** Relative path of the load's file. */
  file: string;
  description?: string;
  enabled: boolean;
  /** The connection that holds inputs, outputs and the control tables of this load. */
  connection: string;
  inputs: InputTable[];
  /** Names of loads whose published batches this load takes, each once. */
  consumes: string[];
  reads: string[];
  outputs: OutputDefinition[];
  stages: StageDefinition[];
  checks: CheckDefinition[];
  /** Each step is a list of statements that runs in one transaction. */
  before: StepDefinition[];
  after: StepDefinition[];
  /** Tasks only: run when the batch has failed. */
  onError: StepDefinition[];
  needs: string[];
  params: Record<string, ParameterValue>;
  /** Those whose number is written as a decimal, `2.0`: a number knows nothing of it. Every value of theirs is one where `/` truncates. */
  decimals?: string[];
  /** Server settings, set for each transaction of the load. */
  sessionParams: Record<string, string>;
  lanes: number;
  maxAttempts: number;
  maxRuntimeMs: number;
  onFailure: 'roll_back' | 'hold';
  /** `quarantine`: rows that cannot be processed are written to `rejected_row`, and the others go on. */
  onBadRow: 'fail' | 'quarantine';
  /** So many rejected rows a batch bears. */
  maxRejected: RejectLimit;
  renamedFrom?: string;
  /** Acquisitions only. `outputs` then holds the landing table. */
  from?: AcquisitionSource;
  /** Acquisitions from files have this, and no `from`. */
  files?: FileSource;
  landing?: LandingDefinition;
  /** Tasks only. Absent: every stage runs once. */
  range?: RangeDefinition;
  /** Tasks only: the last statement of its stage is a query. */
  output?: TaskOutput;
  /** Acquisitions only: rows a chunk, about. */
  chunkRows: number;
  /**
   * For each table in `consumes`' reach: the load that writes it (`core.flight` → load name), so that braces can be
   * resolved from the frozen definition alone. Key: table, value: producing load.
   */
  producers: Record<string, string>;
}

/** A session: several loads, in the order that their tables and `needs` give. */
export interface SessionDefinition {
  name: string;
  /** Load names, patterns expanded, disabled ones left out, in dependency order. */
  loads: string[];
  /** For each load, the loads of this session that must end well before it starts. */
  dependencies: Record<string, string[]>;
  /** One after the other; the first that fails ends it. */
  sequential: boolean;
  /**
   * All loads see one `:last_load_at` and `:load_at`, which move only when the session succeeds: as it says, or because a task that
   * goes on with what it has left comes after another one.
   */
  sharesWindow: boolean;
  /** Connections of its loads, disabled ones too, that of the first in `loads` first: there a new shared window is kept. */
  ledgers: string[];
}

/** A project folder, read and checked. */
export interface Project {
  name: string;
  /** Absolute path. */
  directory: string;
  /** Temporal task queue of its workers. Default `waybill`. */
  taskQueue: string;
  connections: Record<string, ConnectionDefinition>;
  loads: Record<string, LoadDefinition>;
  sessions: Record<string, SessionDefinition>;
}
