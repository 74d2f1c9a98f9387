/** One state of a database for several sessions. */
import type { Session } from '../dialect.ts';
import { raw, sql } from '../sql.ts';
import { quoteText } from './names.ts';

export const sharesState = true;

const BEGIN = sql`begin isolation level repeatable read read only`;

export async function holdState(session: Session): Promise<string> {
  const answers = await session.pipeline<{ name: string }>([
    BEGIN,
    sql`set local idle_in_transaction_session_timeout = 0`,
    sql`select pg_export_snapshot() as name`,
  ]);
  return answers.at(-1)!.rows[0]!.name;
}

/**
 * What PostgreSQL says of a snapshot that is gone: 22023 (until 16) or 42704 that there is none of this name, 55000 that its
 * transaction has just ended.
 */
const GONE = new Set(['22023', '42704', '55000']);

export async function joinState(session: Session, name: string): Promise<boolean> {
  try {
    await session.pipeline([BEGIN, sql`set transaction snapshot ${raw(quoteText(name))}`]);
    return true;
  } catch (error) {
    if (!GONE.has(String((error as { code?: unknown }).code))) throw error;
    await session.rollback();
    return false;
  }
}
