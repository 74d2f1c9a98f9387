import { checkAgainstDatabase } from '../config/check-database.ts';
import { ProjectError, sortProblems, type Problem } from '../config/problem.ts';
import type { TableDescription } from '../config/table-requirements.ts';
import { misleadingName } from '../control/bare-names.ts';
import { whyNoKey } from '../control/chunk-key.ts';
import { rangeOfRefusal } from '../control/range-bounds.ts';
import { whyNoSnapshot } from '../control/snapshot-refusals.ts';
import { fromRangeRefusal, whyNotOfOneMoment } from '../control/source.ts';
import { settingsRefusals } from '../control/settings-refusal.ts';
import { whatElseChanges, whatMayKeepRows, whyNeverTakenBack } from '../control/take-back.ts';
import { cursorRefusals } from '../control/windows.ts';
import type { LoadDefinition } from '../config/definition.ts';
import { checkQuery, checkStatements, weighed, type Asking } from './check-statements.ts';
import type { ClientContext } from './context.ts';
import { databaseFailure } from './ledger.ts';
import { previewLanding } from './preview-landing.ts';

/** What was looked at, and what is doubtful. */
export interface Validation {
  loads: number;
  sessions: number;
  /** Names of the connections that were asked; empty: files only. */
  connections: string[];
  tables: number;
  statements: { checked: number; unchecked: number };
  warnings: Problem[];
}

/** What the files alone say: a project that is open has passed that. */
export function validateFiles({ project }: Pick<ClientContext, 'project'>): Validation {
  return {
    loads: Object.keys(project.loads).length,
    sessions: Object.keys(project.sessions).length,
    connections: [],
    tables: 0,
    statements: { checked: 0, unchecked: 0 },
    warnings: project.warnings,
  };
}

/**
 * Asks the databases whether tables, columns and every statement are right; nothing is changed.
 * Throws `ProjectError` with all that is wrong, `UnreachableError` for a database that does not answer.
 */
export async function validateProject(context: ClientContext): Promise<Validation> {
  const { project, databases } = context;
  const described = new Map<string, Promise<TableDescription | undefined>>();
  const others = new Map<LoadDefinition, ReturnType<typeof whatElseChanges>>();
  const connections = new Set<string>();
  const asking: Asking = async (connection, ask) => {
    connections.add(connection);
    try {
      return await ask();
    } catch (error) {
      throw databaseFailure(databases.get(connection), error);
    }
  };
  const describe = (connection: string, table: string): Promise<TableDescription | undefined> => {
    const database = databases.get(connection);
    const key = `${connection} ${table}`;
    const known = described.get(key) ?? asking(connection, () => database.dialect.describeTable(database, table));
    described.set(key, known);
    return known;
  };
  const misleading = (load: LoadDefinition, connection: string, table: string) =>
    asking(connection, () => misleadingName(databases.get(connection), load, table));
  const describeQuery = (load: LoadDefinition): Promise<TableDescription | Problem> => {
    const { connection } = load.from!;
    return asking(connection, () => checkQuery(load, databases.get(connection)));
  };
  const notOfOneMoment = async (load: LoadDefinition) => {
    const { from } = load;
    if (!from?.consistent) return undefined;
    return asking(from.connection, () => whyNotOfOneMoment(databases.get(from.connection), load, from));
  };
  const planLanding = (load: LoadDefinition) =>
    asking(load.connection, () => previewLanding(load, databases.get(load.connection), databases));
  const neverTakenBack = (connection: string, table: string) =>
    asking(connection, () => whyNeverTakenBack(databases.get(connection), table));
  const mayKeepRows = (connection: string, table: string) =>
    asking(connection, () => whatMayKeepRows(databases.get(connection), table));
  const changesOthers = async (load: LoadDefinition, table: string) => {
    const known =
      others.get(load) ?? asking(load.connection, () => whatElseChanges(databases.get(load.connection), load));
    others.set(load, known);
    return (await known).find((one) => one.table === table);
  };
  const noSnapshot = (load: LoadDefinition, table: string) =>
    asking(load.connection, () => whyNoSnapshot(databases.get(load.connection), load, table));
  const settingsRefused = (load: LoadDefinition) =>
    asking(load.connection, () => settingsRefusals(databases.get(load.connection), load));
  const cursorRefused = async (load: LoadDefinition) =>
    load.from ? asking(load.from.connection, () => cursorRefusals(databases.get(load.from!.connection), load)) : [];
  const rangeRefused = async (load: LoadDefinition) =>
    load.from
      ? asking(load.from.connection, () => fromRangeRefusal(databases.get(load.from!.connection), load))
      : asking(load.connection, () => rangeOfRefusal(databases.get(load.connection), load));
  const keyRefused = (connection: string, table: string, names: string[]) =>
    asking(connection, async () => {
      const database = databases.get(connection);
      const facts = await database.dialect.describeTable(database, table);
      const columns = facts?.columns.filter(({ name }) => names.includes(name)) ?? [];
      return whyNoKey(database, table, columns);
    });
  const listTables = (connection: string): Promise<string[]> => {
    const database = databases.get(connection);
    return asking(connection, () => database.dialect.listTables(database));
  };

  const cutsByPages = (connection: string): boolean => databases.get(connection).dialect.planPages !== undefined;
  const ofOutputs = { planLanding, neverTakenBack, mayKeepRows, changesOthers };
  const ofLoads = { misleading, describeQuery, notOfOneMoment, noSnapshot, ...ofOutputs };
  const ofCuts = { cursorRefusals: cursorRefused, rangeRefusal: rangeRefused, keyRefusal: keyRefused };
  const ofServers = { settingsRefusals: settingsRefused, ...ofCuts };
  const tables = await checkAgainstDatabase(project, { describe, listTables, cutsByPages, ...ofLoads, ...ofServers });
  const wrong = new Set(tables.filter(({ severity }) => severity === 'error').map(({ file }) => file));
  // Where a table is missing, every statement that names it is wrong too: one complaint is enough.
  const all = Object.values(project.loads);
  const right = all.filter((load) => !wrong.has(load.file));
  const statements = await checkStatements(right, all, databases, asking);
  const ofTables = tables.map((problem) =>
    weighed(
      problem,
      all.find(({ file }) => file === problem.file),
    ),
  );
  const problems = sortProblems([...ofTables, ...statements.problems]);
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new ProjectError(errors);
  return {
    ...validateFiles(context),
    connections: [...connections].sort(),
    tables: described.size,
    statements: { checked: statements.checked, unchecked: statements.unchecked },
    warnings: [...project.warnings, ...problems],
  };
}
