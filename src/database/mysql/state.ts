/** One state of a database: no other session can join it. */
import type { Session } from '../dialect.ts';
import { sql } from '../sql.ts';

export const sharesState = false;

export async function holdState(session: Session): Promise<undefined> {
  await session.pipeline([
    sql`set transaction isolation level repeatable read`,
    sql`start transaction with consistent snapshot, read only`,
  ]);
}

export const joinState = (): Promise<boolean> => Promise.resolve(false);
