import type { ConnectionDefinition } from '../config/definition.ts';
import { ConfigurationError } from '../errors.ts';
import type { Database } from './dialect.ts';
import { MysqlDatabase } from './mysql/database.ts';
import { PostgresDatabase } from './postgres/database.ts';

/** MariaDB is a flavour of MySQL: which one a server is, it says itself. */
const DATABASES = { postgres: PostgresDatabase, mysql: MysqlDatabase, mariadb: MysqlDatabase };

/** The databases of a project, each opened at first use, closed together. */
export class Databases {
  private readonly open = new Map<string, Database>();

  constructor(private readonly connections: Record<string, ConnectionDefinition>) {}

  /** Throws `ConfigurationError` for a name that waybill.yaml does not declare. */
  get(name: string): Database {
    const known = this.open.get(name);
    if (known) return known;
    const definition = this.connections[name];
    if (!definition) throw new ConfigurationError(`connection ${name} is not declared in waybill.yaml`);
    const database = new DATABASES[definition.scheme](definition);
    this.open.set(name, database);
    return database;
  }

  names(): string[] {
    return Object.keys(this.connections);
  }

  async close(): Promise<void> {
    const all = [...this.open.values()];
    this.open.clear();
    await Promise.all(all.map((database) => database.close()));
  }
}
