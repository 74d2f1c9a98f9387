import type { Database, Session } from '../database/dialect.ts';
import { withoutLedger } from '../database/hidden-text.ts';
import { inTransaction, withSession } from '../database/transaction.ts';

/** A setting of `session_params` that the server will not have, and what it says. */
interface SettingsRefusal {
  name: string;
  reason: string;
}

/** Has the server take each of these settings, for a transaction that does nothing. */
export async function settingsRefusal(
  database: Database,
  load: string,
  settings: Record<string, string>,
): Promise<SettingsRefusal | undefined> {
  for (const [name, value] of Object.entries(settings)) {
    try {
      // A session each: what one has set would stay on it.
      await withSession(database, `waybill read ${load}`, (session) =>
        inTransaction(session, () => takeIt(session, name === 'time_zone' ? value : undefined), {
          readOnly: true,
          settings: { [name]: value },
        }),
      );
    } catch (error) {
      const { kind, safeMessage: reason } = database.dialect.classify(error);
      if (kind !== 'permanent') throw error;
      return { name, reason: withoutLedger(reason) };
    }
  }
  return undefined;
}

/** A time zone may be one of statements, not of transactions. */
async function takeIt(session: Session, timeZone: string | undefined): Promise<void> {
  await session.run({ text: 'select 1', values: [], ...(timeZone !== undefined && { timeZone }) });
}
