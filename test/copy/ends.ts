/** Two databases with a session each, for tests of copying. */
import { copyRows } from '../../src/copy/copy-rows.ts';
import type { CopyDialect } from '../../src/database/copy-dialect.ts';
import type { CopyFormat, CopyInColumn } from '../../src/database/copy-stream.ts';
import type { Database, Dialect, Session } from '../../src/database/dialect.ts';
import { MysqlDatabase } from '../../src/database/mysql/database.ts';
import { PostgresDatabase } from '../../src/database/postgres/database.ts';
import { inject } from 'vitest';
import { freshMysqlDatabase, mysqlServers } from '../mysql-servers.ts';
import type { MysqlTestServer } from '../mysql-on-demand.ts';
import { hashOf } from '../seed.ts';
import { freshDatabase, servers, type TestServer } from '../servers.ts';

/** A server of either family. */
export type AnyServer = TestServer | MysqlTestServer;

/** What a copy needs of a dialect. */
type EndDialect = Pick<Dialect, 'classify' | 'describeTable' | 'describeQuery' | keyof CopyDialect>;

export const isMysql = (server: AnyServer): server is MysqlTestServer => 'flavour' in server;

/** The newest PostgreSQL, MySQL and MariaDB, as far as they are there. */
export async function families(): Promise<AnyServer[]> {
  return [servers[0]!, ...(await mysqlServers())];
}

/** All pairs of them, with names for the titles of tests. */
export async function pairs(): Promise<{ from: AnyServer; into: AnyServer; source: string; target: string }[]> {
  const all = await families();
  return all.flatMap((from) => all.map((into) => ({ from, into, source: from.name, target: into.name })));
}

/**
 * Some of those pairs, for what is dear: each family once as a source and once as a target of another one, and one with itself, as the
 * run's seed has it. All, where all are wanted.
 */
export async function somePairs(file: string): ReturnType<typeof pairs> {
  const all = await pairs();
  const n = Math.sqrt(all.length);
  if (inject('seed').all) return all;
  const hash = hashOf(file);
  const [itself, further] = [hash[6]! % n, 1 + (hash[7]! % Math.max(1, n - 1))];
  return all.filter((_, i) => {
    const [from, into] = [Math.floor(i / n), i % n];
    return from === into ? from === itself : (from + further) % n === into;
  });
}

/** A derived table `s(g)` of the numbers from 1 to `n`, in words that all servers know. */
export function numbers(n: number): string {
  const digits = Math.max(1, Math.ceil(Math.log10(n)));
  const ten = Array.from({ length: 10 }, (_, d) => `select ${d} as d`).join(' union all ');
  const tables = Array.from({ length: digits }, (_, i) => `(${ten}) d${i}`).join(' cross join ');
  const sum = Array.from({ length: digits }, (_, i) => `d${i}.d * ${10 ** i}`).join(' + ');
  return `(select g from (select 1 + ${sum} as g from ${tables}) a where g <= ${n}) s`;
}

export class Ends {
  private readonly sessions: Session[] = [];

  private constructor(
    readonly source: Database & { dialect: EndDialect },
    readonly target: Database & { dialect: EndDialect },
    private readonly drops: (() => Promise<void>)[],
  ) {}

  /** `through`: what the URLs become, for instance a proxy's. */
  static async create(
    source: AnyServer,
    target: AnyServer = source,
    through: (url: string, side: 'source' | 'target') => Promise<string> | string = (url) => url,
  ): Promise<Ends> {
    const drops: (() => Promise<void>)[] = [];
    const open = async (server: AnyServer, name: 'source' | 'target'): Promise<Database> => {
      const definition = { name, maxConnections: 6, controlSchema: 'waybill' };
      if (isMysql(server)) {
        const url = await through((await freshMysqlDatabase(server)).url, name);
        return new MysqlDatabase({ ...definition, url, scheme: 'mysql' });
      }
      const fresh = await freshDatabase(server);
      drops.push(() => fresh.drop());
      return new PostgresDatabase({ ...definition, url: await through(fresh.url, name), scheme: 'postgres' });
    };
    return new Ends(await open(source, 'source'), await open(target, 'target'), drops);
  }

  /** Runs SQL of the test's own. */
  async sql(side: 'source' | 'target', text: string): Promise<Record<string, string | null>[]> {
    return (await this[side].query<Record<string, string | null>>({ strings: [text], values: [] })).rows;
  }

  /** The zone of a database on PostgreSQL, for sessions that begin from now on. */
  async setZone(side: 'source' | 'target', zone: string): Promise<void> {
    await this.sql(
      side,
      `do $$ begin execute format('alter database %I set timezone = ''${zone}''', current_database()); end $$`,
    );
  }

  /** Has the target's `t` take a while for its first row, by the numbers in this column. */
  async slowDown(column: string, seconds: number): Promise<void> {
    if (this.target.dialect.name === 'mysql') {
      await this.sql(
        'target',
        `create trigger slow before insert on t for each row begin if new.${column} = 1 then do sleep(${seconds}); end if; end`,
      );
      return;
    }
    await this.sql(
      'target',
      `create function slow() returns trigger language plpgsql as
       $$ begin if new.${column} = 1 then perform pg_sleep(${seconds}); end if; return new; end $$;`,
    );
    await this.sql('target', 'create trigger slow before insert on t for each row execute function slow()');
  }

  /** A session in a transaction. */
  async begin(side: 'source' | 'target'): Promise<Session> {
    const session = await this[side].openSession(`test ${side}`);
    this.sessions.push(session);
    await session.begin({ readOnly: side === 'source' });
    return session;
  }

  /**
   * The session in a new transaction, whatever a copy has left of the one before; another session where the copy has cut it. A
   * connection takes longer to open than a copy does.
   */
  async again(side: 'source' | 'target', session: Session): Promise<Session> {
    try {
      await session.rollback();
      await session.begin({ readOnly: side === 'source' });
      return session;
    } catch {
      session.destroy();
      return this.begin(side);
    }
  }

  /** Ends the connection of this session from elsewhere. */
  async kill(side: 'source' | 'target', session: Session): Promise<void> {
    const { name } = this[side].dialect;
    const id = session.connectionId;
    await this.sql(side, name === 'mysql' ? `kill connection ${id}` : `select pg_terminate_backend(${id})`);
  }

  copy(
    source: Session,
    target: Session,
    request: { select: string; columns: CopyInColumn[]; format?: CopyFormat; table?: string },
  ): Promise<{ read: number; written: number }> {
    return copyRows(
      { dialect: this.source.dialect, session: source },
      { dialect: this.target.dialect, session: target },
      { table: 't', format: 'text', ...request },
    );
  }

  async close(): Promise<void> {
    for (const session of this.sessions) session.destroy();
    await Promise.all([this.source.close(), this.target.close()]);
    await Promise.all(this.drops.map((drop) => drop()));
  }
}
