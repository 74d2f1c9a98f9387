/** Two databases with a session each, for tests of copying. */
import { PostgresDatabase } from '../../src/database/postgres/database.ts';
import type { Session } from '../../src/database/dialect.ts';
import { freshDatabase, type FreshDatabase, type TestServer } from '../servers.ts';

export class Ends {
  private readonly sessions: Session[] = [];

  private constructor(
    readonly source: PostgresDatabase,
    readonly target: PostgresDatabase,
    private readonly fresh: FreshDatabase[],
  ) {}

  /** `through`: what the URLs become, for instance a proxy's. */
  static async create(
    server: TestServer,
    through: (url: string, side: 'source' | 'target') => Promise<string> | string = (url) => url,
  ): Promise<Ends> {
    const fresh = await Promise.all([freshDatabase(server), freshDatabase(server)]);
    const open = async (n: 0 | 1, name: 'source' | 'target'): Promise<PostgresDatabase> =>
      new PostgresDatabase({
        name,
        url: await through(fresh[n].url, name),
        scheme: 'postgres',
        maxConnections: 6,
        controlSchema: 'waybill',
      });
    return new Ends(await open(0, 'source'), await open(1, 'target'), fresh);
  }

  /** Runs SQL of the test's own. */
  async sql(side: 'source' | 'target', text: string): Promise<Record<string, string>[]> {
    return (await this[side].query<Record<string, string>>({ strings: [text], values: [] })).rows;
  }

  /** A session in a transaction. */
  async begin(side: 'source' | 'target'): Promise<Session> {
    const session = await this[side].openSession(`test ${side}`);
    this.sessions.push(session);
    await session.begin({ readOnly: side === 'source' });
    return session;
  }

  async close(): Promise<void> {
    for (const session of this.sessions) session.destroy();
    await Promise.all([this.source.close(), this.target.close()]);
    await Promise.all(this.fresh.map((database) => database.drop()));
  }
}
