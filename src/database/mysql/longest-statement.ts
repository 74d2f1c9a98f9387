import type { Session } from '../dialect.ts';
import { sql } from '../sql.ts';

/** What a packet has besides the statement. */
export const MARGIN = 1024;

/** See `Dialect.longestStatement`. */
export async function longestStatement(session: Session): Promise<number> {
  const { rows } = await session.query<{ packet: number | string }>(sql`select @@max_allowed_packet as packet`);
  return Number(rows[0]!.packet) - MARGIN;
}
