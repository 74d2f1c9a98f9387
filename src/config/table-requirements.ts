import { columnNamed, nearest } from '../sql/names.ts';
import type { SqlDialect } from '../sql/dialect.ts';
import type { LoadDefinition } from './definition.ts';
import { didYouMean } from './parsed-load.ts';
import type { Problem } from './problem.ts';
import type { ValuePath } from './yaml-file.ts';

/** A table as its database describes it. */
export interface TableDescription {
  /** `table`, `view`, `partitioned table`, `materialized view`, `foreign table` … */
  kind: string;
  /** Of one that is not `table`: why it takes no part, and what makes it a plain one (behind `alter table …`), where there is that. */
  unfit?: { why: string; alter?: string };
  columns: {
    name: string;
    /** As the server writes it, modifiers too: `bigint`, `numeric(12,4)`. */
    type: string;
    nullable: boolean;
    /** A default, identity or sequence fills it. */
    hasDefault: boolean;
    /** Computed from other columns: nothing can be written into it. */
    generated: boolean;
  }[];
  indexes: { name: string; columns: string[]; unique: boolean; primary?: boolean }[];
}

/** How the tables of a connection are looked up. */
export interface TableLookup {
  /** `undefined`: there is no such table. */
  describe: (connection: string, table: string) => Promise<TableDescription | undefined>;
  /** That a table of a load's file is another one in its SQL. */
  misleading: (
    load: LoadDefinition,
    connection: string,
    table: string,
  ) => Promise<{ message: string; next: string } | undefined>;
  /** What the query of an acquisition gives; or what its server has against it. */
  describeQuery: (load: LoadDefinition) => Promise<TableDescription | Problem>;
  /** Why an acquisition's `from.consistent` cannot be kept. */
  notOfOneMoment: (load: LoadDefinition) => Promise<{ message: string; next: string } | undefined>;
  /** What a start would do with an acquisition's landing table, in words; or why it cannot, columns that do not fit among it. */
  planLanding: (load: LoadDefinition) => Promise<{ notes: string[] } | { refused: string; next?: string }>;
  /** Why no batch could be taken back from an output that is there. */
  neverTakenBack: (connection: string, table: string) => Promise<{ message: string; next: string } | undefined>;
  /** What may keep some of its rows from going. */
  mayKeepRows: (connection: string, table: string) => Promise<{ message: string; next: string } | undefined>;
  /** Which rows of others would go, or change, with those of an output. */
  changesOthers: (load: LoadDefinition, table: string) => Promise<{ message: string; next: string } | undefined>;
  /** Why no snapshot of a landing table that is there can be taken. */
  noSnapshot: (load: LoadDefinition, table: string) => Promise<{ reason: string; next: string }[]>;
  /** What is wrong with a load's cursor, its `lag` and its `start`; the cursor's column is there. */
  cursorRefusals: (
    load: LoadDefinition,
  ) => Promise<{ key: 'cursor' | 'lag' | 'start'; message: string; next: string }[]>;
  /** Why a task's `range.of`, or an acquisition's `from.range`, cannot name its column, which is there. */
  rangeRefusal: (load: LoadDefinition) => Promise<{ message: string; next: string } | undefined>;
  /** Why a table cannot be cut by these columns, which it has. */
  keyRefusal: (
    connection: string,
    table: string,
    columns: string[],
  ) => Promise<{ message: string; next: string } | undefined>;
  /** Settings of `session_params` that the server will not have. */
  settingsRefusals: (load: LoadDefinition) => Promise<{ at: ValuePath; message: string; next: string }[]>;
  /** Names to suggest from. */
  listTables: (connection: string) => Promise<string[]>;
  /** Whether its server can cut a snapshot that has no key. */
  cutsByPages: (connection: string) => boolean;
}

/** One load's view of the databases: finds tables, notes what is wrong. */
export interface TableCheck extends Pick<
  TableLookup,
  | 'notOfOneMoment'
  | 'planLanding'
  | 'neverTakenBack'
  | 'mayKeepRows'
  | 'changesOthers'
  | 'noSnapshot'
  | 'cursorRefusals'
  | 'rangeRefusal'
  | 'keyRefusal'
  | 'settingsRefusals'
> {
  load: LoadDefinition;
  /** Of the connection that the load writes to. */
  dialect: SqlDialect;
  dialectOf: (connection: string) => SqlDialect;
  /** The description of a table that must be there; `undefined`, and a problem, when it is not. */
  find: (connection: string, table: string, at: ValuePath) => Promise<TableDescription | undefined>;
  /** What the load's query gives; `undefined`, and a problem, when its server will not have it. */
  findQuery: () => Promise<TableDescription | undefined>;
  report: (at: ValuePath, message: string, next?: string, severity?: Problem['severity']) => void;
  /** Whether the load's file has this key itself. */
  says: (key: string) => boolean;
  cutsByPages: TableLookup['cutsByPages'];
}

/** What a load writes must be able to go again. Answers whether it is. */
export async function requireTakeBack(
  { load, neverTakenBack, mayKeepRows, changesOthers, report }: TableCheck,
  table: string,
  at: ValuePath,
): Promise<boolean> {
  const why = await neverTakenBack(load.connection, table);
  if (why) report(at, why.message, why.next);
  const doubts = why ? [] : [await mayKeepRows(load.connection, table), await changesOthers(load, table)];
  for (const doubt of doubts) if (doubt) report(at, doubt.message, doubt.next, 'warn');
  return why === undefined;
}

/** Only plain tables can be swapped for an empty twin, or written under the gate. Answers whether it is one. */
export function requireTable(
  found: TableDescription,
  table: string,
  at: ValuePath,
  report: TableCheck['report'],
): boolean {
  if (found.kind === 'table') return true;
  const { kind, unfit } = found;
  const message = `\`${table}\` is ${/^[aeiou]/i.test(kind) ? 'an' : 'a'} ${kind}, and only a plain table can be used here`;
  if (unfit === undefined) report(at, message);
  else report(at, `${message}: ${unfit.why}`, howToFit(table, unfit));
  return false;
}

/** What to do about a table that is one, but no plain one. */
export const howToFit = (table: string, { alter }: { alter?: string }): string =>
  alter === undefined ? 'name another table' : `alter table ${table} ${alter}; or name another table`;

/** Reports a column that is not there, with the nearest name. Answers whether it is. */
export function requireColumn(
  { columns }: TableDescription,
  table: string,
  column: string,
  at: ValuePath,
  { dialect, report }: Pick<TableCheck, 'dialect' | 'report'>,
): boolean {
  if (columnNamed(columns, column, dialect)) return true;
  const close = nearest(
    column,
    columns.map(({ name }) => name),
  );
  report(at, `\`${table}\` has no column \`${column}\`${didYouMean(close)}`);
  return false;
}

/** Types for whole numbers that grow, as servers write them: `bigint`, `int(11) unsigned`, `decimal(20,0)`. */
const WHOLE_NUMBER = /^(?:(?:big)?int(?:eger)?(?:\(\d+\))?(?: unsigned)?|numeric|(?:numeric|decimal)\(\d+(?:,0)?\))$/;

/** Why the numbers of batches cannot stand in a table's `batch_id`, and what makes one where there is none; undefined: they can. */
export function whyNoBatchId(
  { columns }: Pick<TableDescription, 'columns'>,
  table: string,
  dialect: SqlDialect,
): { message: string; make?: string } | undefined {
  const column = columnNamed(columns, 'batch_id', dialect);
  if (column === undefined) {
    return {
      message: `\`${table}\` has no column \`batch_id\`: no roll back could find its rows`,
      make: `alter table ${table} add column batch_id bigint`,
    };
  }
  if (!WHOLE_NUMBER.test(column.type)) {
    return { message: `\`batch_id\` of \`${table}\` must be bigint, and is ${column.type}` };
  }
  return column.generated
    ? { message: `\`batch_id\` of \`${table}\` is generated: nothing can be written into it` }
    : undefined;
}

/** The column that every row's batch stands in. Answers whether it is there and right. */
export function requireBatchId(
  found: TableDescription,
  table: string,
  at: ValuePath,
  { dialect, report }: Pick<TableCheck, 'dialect' | 'report'>,
): boolean {
  const why = whyNoBatchId(found, table, dialect);
  if (why === undefined) return true;
  report(at, why.message, why.make === undefined ? undefined : `${why.make};`);
  return false;
}
