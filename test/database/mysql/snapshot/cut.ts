import { createConnection } from 'mysql2/promise';
import type { Database, Session } from '../../../../src/database/dialect.ts';
import type { MysqlSession } from '../../../../src/database/mysql/session.ts';

/** What changes nothing: to be cut off before it is to be cut off before what comes next. */
const LOOKS = /^\s*(select|show|set|use)\b/i;

/** Before which statement: the n-th of those that change anything, or the first, the last of these, of which this holds. */
export type CutPlace = number | ((sent: readonly string[]) => boolean | Promise<boolean>);

/**
 * The same database, on which the connection of an activity is killed by the server just before this statement; `sent` are those
 * that change anything, so that a run without a cut tells how many there are.
 */
export function cutBefore(database: Database, url: string, place: CutPlace): { database: Database; sent: string[] } {
  const sent: string[] = [];
  const here = typeof place === 'number' ? () => sent.length === place : () => place(sent);
  let done = false;
  const watch = async (text: string, connectionId: string): Promise<void> => {
    if (LOOKS.test(text)) return;
    sent.push(text);
    if (done || !(await here())) return;
    done = true;
    await kill(url, connectionId);
  };
  return { database: watched(database, watch), sent };
}

/** The same database, whose lane connections show each statement before they send it. */
export function watched(database: Database, before: (text: string, connectionId: string) => Promise<void>): Database {
  const openSession = async (...options: Parameters<Database['openSession']>): Promise<Session> => {
    const session = (await database.openSession(...options)) as MysqlSession;
    const { connection } = session;
    for (const way of ['query', 'execute'] as const) {
      const send = connection[way].bind(connection) as (options: { sql: string }) => Promise<unknown>;
      const shown = async (statement: { sql: string }): Promise<unknown> => {
        await before(statement.sql, session.connectionId);
        return send(statement);
      };
      (connection as unknown as Record<string, typeof shown>)[way] = shown;
    }
    return session;
  };
  return new Proxy(database, {
    get: (target, name) => {
      if (name === 'openSession') return openSession;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
}

async function kill(url: string, connectionId: string): Promise<void> {
  const connection = await createConnection(url);
  await connection.query(`kill connection ${connectionId}`);
  await connection.end();
}
