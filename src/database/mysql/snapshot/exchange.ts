import { LoadFailedError } from '../../../errors.ts';
import type { MysqlSession } from '../session.ts';
import { isBusy } from './busy.ts';
import type { SwapIntent } from './intents.ts';
import { withTablesLocked } from './lock-tables.ts';
import { handOnNumber, reserveNumbers } from './numbers.ts';
import { at, taken, type Place } from './place.ts';
import { withDdlSettings } from './settings.ts';
import { isAsPlanned } from './twin.ts';

export interface Exchanged extends SwapIntent {
  place: Place;
}

/** `busy`: somebody uses one of the tables. `changed`: somebody altered this one since its twin was made. */
type ExchangeResult = 'done' | 'busy' | { changed: Place };

/**
 * The one statement that counts: all tables get their new names, or none does. Whoever stands in line for a table when it is
 * renamed goes on in its twin. A table is waited for a few seconds at most, for so long writers queue behind us.
 */
export async function exchange(
  session: MysqlSession,
  tables: readonly Exchanged[],
  waitMs: number,
): Promise<ExchangeResult> {
  for (const { place } of tables) {
    if (!(await taken(session, place, place.processing))) continue;
    throw new LoadFailedError(`${place.schema}.${place.processing} exists already`, {
      where: place.table,
      next: "It is a snapshot that has not been dropped, or somebody else's table: see waybill status.",
    });
  }
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return session.server.renamesLockedTables
    ? exchangeUnderLock(session, tables, seconds)
    : exchangeWithHeadroom(session, tables, seconds);
}

const renaming = (tables: readonly Exchanged[]): string =>
  `rename table ${tables
    .flatMap(({ place }) => [
      `${at(place, place.name)} to ${at(place, place.processing)}`,
      `${at(place, place.twin)} to ${at(place, place.name)}`,
    ])
    .join(', ')}`;

/**
 * Where tables are renamed that are locked (MySQL): nobody writes while the number that comes next is handed on. Its locks are taken all at
 * once, so a transaction that has one of the tables and then wants another is in a deadlock with us, which the server breaks at
 * its cost (FACTS): there is no NOWAIT for it.
 */
async function exchangeUnderLock(
  session: MysqlSession,
  tables: readonly Exchanged[],
  seconds: number,
): Promise<ExchangeResult> {
  return withDdlSettings(session, seconds, async () => {
    const both = tables.flatMap(({ place }) => [at(place, place.name), at(place, place.twin)]);
    const swapLocked = async (): Promise<ExchangeResult> => {
      try {
        for (const { place, plan } of tables) if (!(await isAsPlanned(session, place, plan))) return { changed: place };
        for (const { place } of tables) await handOnNumber(session, place);
        await session.say(renaming(tables));
        return 'done';
      } catch (error) {
        if (!isBusy(error)) throw error; // of a backup, which has all DDL wait (LOCK INSTANCE FOR BACKUP)
        return 'busy';
      }
    };
    return withTablesLocked(session, both, swapLocked);
  });
}

/** Pauses between tries that do not wait. */
const PAUSE_MS = 20;

/**
 * Where RENAME is refused under LOCK TABLES (MariaDB): the twin begins so far on that no writer gets there meanwhile, and `continueNumbers`
 * says right afterwards what the next number really is. Where one table is renamed, it is waited for; several first without waiting
 * for any while others are held, so that a transaction that spans them is in no deadlock with us (FACTS), and only then at once.
 */
async function exchangeWithHeadroom(
  session: MysqlSession,
  tables: readonly Exchanged[],
  seconds: number,
): Promise<ExchangeResult> {
  const until = Date.now() + seconds * 1000;
  for (let polite = tables.length > 1; ; polite &&= Date.now() < until) {
    const result = await withDdlSettings(session, polite ? 0 : seconds, async (): Promise<ExchangeResult> => {
      try {
        for (const { place, plan } of tables) {
          if (!(await isAsPlanned(session, place, plan))) return { changed: place };
          await reserveNumbers(session, place); // the twin may be held too, for moments: by the purge of the server's own
        }
        await session.say(renaming(tables));
        return 'done';
      } catch (error) {
        if (!isBusy(error)) throw error;
        return 'busy';
      }
    });
    if (result !== 'busy' || !polite) return result;
    await new Promise((done) => setTimeout(done, PAUSE_MS * Math.random()));
  }
}
