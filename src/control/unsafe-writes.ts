/** Writes that a roll back does not take back: what a chunk or step did would be done again by its next attempt. */
import type { LoadDefinition, SqlSource } from '../config/definition.ts';
import type { Database } from '../database/dialect.ts';
import { parseTableName } from '../sql/names.ts';
import type { Position } from '../sql/sql-error.ts';
import { parseStatements, type SqlPlace, type Statement } from '../sql/statement.ts';
import { temporaryTable, writtenTables, type WrittenTable } from '../sql/written-tables.ts';

/** One of them, where the table is written. */
export interface UnsafeWrite extends Position {
  file: string;
  message: string;
  next: string;
  /** It runs once, unless something goes wrong. */
  inStep: boolean;
}

/**
 * Each table once for each place. Of statements that commit by themselves, and of what stands beside them in a step, nobody expects to
 * run once. What functions and triggers write is not seen.
 */
export async function unsafeWrites(
  database: Database,
  load: LoadDefinition,
  which: 'stages' | 'all',
): Promise<UnsafeWrite[]> {
  const { sql, neverRolledBack } = database.dialect;
  if (neverRolledBack === undefined) return [];
  const found: UnsafeWrite[] = [];
  const asked = new Map<string, ReturnType<typeof neverRolledBack>>();
  for (const { sources, place } of which === 'all' ? [...stagesOf(load), ...stepsOf(load)] : stagesOf(load)) {
    const statements = sources.flatMap((source) => parseStatements(source, sql, place));
    if (statements.some(({ commitsByItself }) => commitsByItself)) continue;
    for (const { table, ifHas, file, line, column } of lasting(statements)) {
      const key = `${table} ${ifHas ?? ''}`;
      const answer = asked.get(key) ?? neverRolledBack(database, table, ifHas);
      asked.set(key, answer);
      const unsafe = await answer;
      if (!unsafe) continue;
      const inStep = place === 'step';
      const what = `\`${table}\` ${unsafe.table === table ? 'is' : `shows \`${unsafe.table}\`,`} a table of ${unsafe.engine}`;
      const when = inStep ? 'a step that is cut off or fails' : 'a chunk that is rolled back';
      found.push({
        ...{ file, line, column, inStep },
        message: `${what}, which keeps what ${when} has written: the next attempt writes it again`,
        next: `alter table ${unsafe.table} engine = InnoDB; or write to another table`,
      });
    }
  }
  return found;
}

/** What runs on one connection. */
interface Together {
  sources: SqlSource[];
  place: SqlPlace;
}

const stagesOf = ({ stages }: LoadDefinition): Together[] =>
  stages.map((stage) => ({ sources: stage.sql, place: 'batch' }));

const stepsOf = ({ before, after, onError }: LoadDefinition): Together[] =>
  [...before, ...after, ...onError].map((source) => ({ sources: [source], place: 'step' }));

/** What is written there to tables that go with no connection; each table once. */
function lasting(statements: Statement[]): (WrittenTable & { file: string })[] {
  const own = new Set<string>();
  const written = new Map<string, WrittenTable & { file: string }>();
  for (const statement of statements) {
    const { dialect, file } = statement;
    const made = temporaryTable(statement);
    if (made !== undefined) own.add(made);
    for (const target of writtenTables(statement)) {
      const { schema, name } = parseTableName(target.table, dialect);
      const names = [name, ...(schema === undefined ? [] : [`${schema}.${name}`])].map((text) =>
        dialect.foldName(text),
      );
      const key = `${target.table} ${target.ifHas ?? ''}`;
      if (!names.some((each) => own.has(each)) && !written.has(key)) written.set(key, { ...target, file });
    }
  }
  return [...written.values()];
}
