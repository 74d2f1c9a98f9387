import type { ResultSetHeader } from 'mysql2/promise';
import { sql } from '../sql.ts';
import type { MysqlSession } from './session.ts';

/**
 * LOAD DATA LOCAL behaves like IGNORE: what would be an error is a warning, and the row is changed or left out (FACTS,
 * "Drivers"). So any warning is the error that it would have been. Throws the first one.
 */
export async function proveRows(session: MysqlSession, { warningStatus }: ResultSetHeader): Promise<void> {
  if (warningStatus === 0) return;
  const { rows } = await session.query<{ Level: string; Code: number; Message: string }>(sql`show warnings`);
  const worst = rows.find(({ Level }) => Level !== 'Note') ?? rows[0];
  throw worst
    ? Object.assign(new Error(worst.Message), { errno: Number(worst.Code) })
    : new Error(`the server has ${warningStatus} warnings about the rows, and does not say which`);
}

/** WARN_DATA_TRUNCATED: blanks that were cut off, and digits. */
const CUT = 1265;
/**
 * ER_WARN_ALLOWED_PACKET_OVERFLOWED: of what is longer than max_allowed_packet a SELECT gives NULL, and of a JSON, whose text MySQL makes as
 * it sends it, an empty text.
 */
export const OVERFLOWED = 1301;

/** The same of an INSERT … SELECT, which is strict: only of what was cut of a value. Other warnings are about the SELECT, and its author's. */
export const proveWhole = (session: MysqlSession, { warningStatus }: ResultSetHeader): Promise<void> =>
  refuse(session, warningStatus, [CUT, OVERFLOWED]);

/** And of the rows of a SELECT: that each value is what was sent of it. */
export const proveSent = (session: MysqlSession, { warningStatus }: ResultSetHeader): Promise<void> =>
  refuse(session, warningStatus, [OVERFLOWED]);

async function refuse(session: MysqlSession, warnings: number, codes: readonly number[]): Promise<void> {
  if (warnings === 0) return;
  const { rows } = await session.query<{ Code: number; Message: string }>(sql`show warnings`);
  const found = rows.find(({ Code }) => codes.includes(Number(Code)));
  if (found) throw Object.assign(new Error(found.Message), { errno: Number(found.Code) });
}
