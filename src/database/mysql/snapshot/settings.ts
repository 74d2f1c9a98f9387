import type { MysqlSession } from '../session.ts';

/**
 * What makes a definition that the server wrote mean the same when it is run: no mode that reads text in another way, none that
 * refuses what stands already (a default of '0000-00-00'). Rows are not checked again for a foreign key that they have met under
 * another name.
 */
const PINNED = {
  sql_mode: "'NO_ENGINE_SUBSTITUTION'",
  foreign_key_checks: '0',
  sql_quote_show_create: '1',
} as const;

/** Runs `work` with what replays definitions, a lock being waited for so many seconds. */
export const withDdlSettings = <T>(session: MysqlSession, waitSeconds: number, work: () => Promise<T>): Promise<T> =>
  inSession(
    session,
    {
      ...PINNED,
      // A table may have options that only a server which is not strict takes.
      ...(session.server.showsRefusedOptions && { innodb_strict_mode: '0' }),
      // Without it a `timestamp` gets a default that does not stand there (see `isReadOtherwise` of twin.ts).
      ...(session.server.letsSetTimestampDefaults && { explicit_defaults_for_timestamp: '1' }),
      lock_wait_timeout: String(waitSeconds),
    },
    work,
  );

let runs = 0;

/** Runs `work` with these settings (expressions) of the session, and gives back what was set before; one may run in another. */
export async function inSession<T>(
  session: MysqlSession,
  settings: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> {
  const names = Object.keys(settings);
  const before = `@waybill_${(runs += 1)}`;
  const set = (of: (name: string) => string): Promise<void> => session.say(`set ${names.map(of).join(', ')}`);
  await set((name) => `${before}_${name} = @@session.${name}`);
  await set((name) => `session ${name} = ${settings[name]!}`);
  try {
    return await work();
  } finally {
    // A connection that is gone has no settings to be given back.
    await set((name) => `session ${name} = ${before}_${name}`).catch(() => undefined);
  }
}
