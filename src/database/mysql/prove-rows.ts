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

/** The same of an INSERT … SELECT, which is strict: only of what was cut of a value. Other warnings are about the SELECT, and its author's. */
export async function proveWhole(session: MysqlSession, { warningStatus }: ResultSetHeader): Promise<void> {
  if (warningStatus === 0) return;
  const { rows } = await session.query<{ Code: number; Message: string }>(sql`show warnings`);
  const cut = rows.find(({ Code }) => Number(Code) === CUT);
  if (cut) throw Object.assign(new Error(cut.Message), { errno: CUT });
}
