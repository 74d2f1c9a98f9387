/** One state of a database: no other session can join it. */
import type { Session } from '../dialect.ts';
import { sql } from '../sql.ts';

export const sharesState = false;

/** Who holds a state lies idle while the rows of a chunk are written, however long that takes. The longest that all servers take. */
const NEVER_IDLE = sql`set session wait_timeout = 2147483`;

export async function holdState(session: Session): Promise<undefined> {
  await session.pipeline([
    NEVER_IDLE,
    sql`set transaction isolation level repeatable read`,
    sql`start transaction with consistent snapshot, read only`,
  ]);
}

export const joinState = (): Promise<boolean> => Promise.resolve(false);

/** Which the server itself says: error 1412. */
export const stateBreach = (): Promise<undefined> => Promise.resolve(undefined);
