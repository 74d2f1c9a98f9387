import { WaybillError } from '../errors.ts';
import { normalizeTableName } from '../sql/names.ts';
import type { OutputDefinition } from './definition.ts';
import type { LoadBuild } from './load-definition.ts';
import { sqlDialectOf } from './sql-dialect.ts';
import type { ValuePath } from './yaml-file.ts';

/** The one way to write a table's name; what cannot be one is reported and kept as it is. */
export function readTable(
  text: string,
  at: ValuePath,
  connection: string,
  { yaml, settings, problems }: LoadBuild,
): string {
  try {
    return normalizeTableName(text, sqlDialectOf(settings.connections, connection));
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    problems.push({
      ...yaml.place(at),
      message: error.message,
      ...(error.next !== undefined && { next: error.next }),
      severity: 'error',
    });
    return text;
  }
}

/** The tables of a list whose entries are names, or mappings with a name. */
export function readTables(
  entries: (string | { table: string })[],
  key: string,
  connection: string,
  build: LoadBuild,
): string[] {
  return entries.map((entry, index) =>
    typeof entry === 'string'
      ? readTable(entry, [key, index], connection, build)
      : readTable(entry.table, [key, index, 'table'], connection, build),
  );
}

export function readOutputs(
  entries: (string | { table: string })[],
  connection: string,
  build: LoadBuild,
): OutputDefinition[] {
  return readTables(entries, 'outputs', connection, build).map((table) => ({
    table,
    rollback: 'delete',
    write: 'append',
  }));
}
