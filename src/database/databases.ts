import type { ConnectionDefinition } from '../config/definition.ts';
import { ConfigurationError } from '../errors.ts';
import type { Database, Session } from './dialect.ts';
import { MysqlDatabase } from './mysql/database.ts';
import { PostgresDatabase } from './postgres/database.ts';

/** MariaDB is a flavour of MySQL: which one a server is, it says itself. */
const DATABASES = { postgres: PostgresDatabase, mysql: MysqlDatabase, mariadb: MysqlDatabase };

const RESTART = 'restart the workers';

/** The databases of a project, each opened at first use, closed together. */
export class Databases {
  private readonly open = new Map<string, Database>();

  constructor(
    private readonly connections: Record<string, ConnectionDefinition>,
    /** Hears of each session that is opened. */
    private readonly opened: (session: Session, database: Database) => void = () => undefined,
  ) {}

  /** Throws `ConfigurationError` for a name that waybill.yaml did not declare when it was read for this. */
  get(name: string): Database {
    const known = this.open.get(name);
    if (known) return known;
    const definition = this.connections[name];
    if (!definition) {
      throw new ConfigurationError(`connection ${name} was not declared in waybill.yaml when this worker started`, {
        next: `${RESTART}, which read connections once`,
      });
    }
    const database: Database = new DATABASES[definition.scheme](definition, (session) =>
      this.opened(session, database),
    );
    this.open.set(name, database);
    return database;
  }

  /** Throws `ConfigurationError` where waybill.yaml says by now that one of these connections leads elsewhere. */
  refuseMoved(names: readonly string[], now: Record<string, ConnectionDefinition>): void {
    const moved = names.find((name) => now[name] && now[name].url !== this.connections[name]?.url);
    if (moved === undefined) return;
    this.get(moved); // where it was not declared at all, that is said
    throw new ConfigurationError(`the URL of connection ${moved} has changed since this worker started`, {
      next: `${RESTART}, which read connections once; or put the URL back`,
    });
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
