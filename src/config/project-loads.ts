import { parseTableName } from '../sql/names.ts';
import type { ConnectionDefinition, LoadDefinition } from './definition.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { ProjectSettings } from './project-definition.ts';
import { sqlDialectOf } from './sql-dialect.ts';

/** All loads of a project, for the checks that look beyond one file. */
export interface ProjectLoads {
  settings: ProjectSettings;
  loads: ParsedLoad[];
  byName: ReadonlyMap<string, ParsedLoad>;
  /** Names of all load files, of those too that are wrong in themselves. */
  names: ReadonlySet<string>;
  /** Some load is wrong in itself: what no load declares may be declared by that one. */
  incomplete: boolean;
  /** The load that has this table as an output (an acquisition: as its landing table). */
  producerOf: (connection: string, table: string) => ParsedLoad | undefined;
}

/** Indexes the loads that are right in themselves. */
export function indexLoads(settings: ProjectSettings, loads: ParsedLoad[], names: ReadonlySet<string>): ProjectLoads {
  const producers = new Map<string, ParsedLoad>();
  for (const load of loads) {
    for (const { table } of load.definition.outputs) {
      const id = tableId(settings, load.definition.connection, table);
      if (!producers.has(id)) producers.set(id, load);
    }
  }
  return {
    settings,
    loads,
    byName: new Map(loads.map((load) => [load.definition.name, load])),
    names,
    incomplete: loads.length < names.size,
    producerOf: (connection, table) => producers.get(tableId(settings, connection, table)),
  };
}

/** The same for two names of one table: `flight` is `public.flight`, and on MySQL that of the URL's database. */
export function tableId(
  { connections }: Pick<ProjectSettings, 'connections'>,
  connection: string,
  table: string,
): string {
  const dialect = sqlDialectOf(connections, connection);
  try {
    const { schema, name } = parseTableName(table, dialect);
    return JSON.stringify([connection, schema ?? dialect.defaultSchema ?? databaseOf(connections[connection]), name]);
  } catch {
    return JSON.stringify([connection, table]);
  }
}

function databaseOf(connection: ConnectionDefinition | undefined): string {
  return connection === undefined ? '' : decodeURIComponent(new URL(connection.url).pathname.slice(1));
}

/** The outputs of the loads that this one consumes: table to load, for those loads that are known. */
export function consumedTables(definition: LoadDefinition, project: ProjectLoads): Map<string, LoadDefinition> {
  const tables = new Map<string, LoadDefinition>();
  for (const name of definition.consumes) {
    const producer = project.byName.get(name)?.definition;
    producer?.outputs.forEach(({ table }) => tables.set(table, producer));
  }
  return tables;
}
