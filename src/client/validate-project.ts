import { checkAgainstDatabase } from '../config/check-database.ts';
import { ProjectError, sortProblems, type Problem } from '../config/problem.ts';
import type { TableDescription } from '../config/table-requirements.ts';
import { whyNeverTakenBack } from '../control/take-back.ts';
import type { LoadDefinition } from '../config/definition.ts';
import { checkQuery, checkStatements, weighed } from './check-statements.ts';
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
  const connections = new Set<string>();
  const asking = async <T>(connection: string, ask: () => Promise<T>): Promise<T> => {
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
  const describeQuery = (load: LoadDefinition): Promise<TableDescription | Problem> => {
    const { connection } = load.from!;
    return asking(connection, () => checkQuery(load, databases.get(connection)));
  };
  const planLanding = (load: LoadDefinition) =>
    asking(load.connection, () => previewLanding(load, databases.get(load.connection), databases));
  const neverTakenBack = (connection: string, table: string) =>
    asking(connection, () => whyNeverTakenBack(databases.get(connection), table));
  const listTables = (connection: string): Promise<string[]> => {
    const database = databases.get(connection);
    return asking(connection, () => database.dialect.listTables(database));
  };

  const cutsByPages = (connection: string): boolean => databases.get(connection).dialect.planPages !== undefined;
  const lookup = { describe, describeQuery, planLanding, neverTakenBack, listTables, cutsByPages };
  const tables = await checkAgainstDatabase(project, lookup);
  const wrong = new Set(tables.filter(({ severity }) => severity === 'error').map(({ file }) => file));
  // Where a table is missing, every statement that names it is wrong too: one complaint is enough.
  const all = Object.values(project.loads);
  const right = all.filter((load) => !wrong.has(load.file));
  const statements = await checkStatements(right, all, databases);
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
