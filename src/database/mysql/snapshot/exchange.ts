import { LoadFailedError } from '../../../errors.ts';
import type { MysqlSession } from '../session.ts';
import { isBusy } from './busy.ts';
import { definitionOf } from './definition.ts';
import type { SwapIntent } from './intents.ts';
import { withTablesLocked } from './lock-tables.ts';
import { at, taken, type Place } from './place.ts';
import { withDdlSettings } from './settings.ts';
import { isAsPlanned } from './twin.ts';

export interface Exchanged extends SwapIntent {
  place: Place;
}

/** `changed`: somebody altered this table since its twin was made. */
type ExchangeResult = 'done' | { busy: Place } | { changed: Place };

/**
 * The one statement that counts: all tables get their new names, or none does. Whoever stands in line for a table when it is
 * renamed goes on in its twin. A table is waited for a few seconds at most, for so long writers queue behind us.
 */
export async function exchange(
  session: MysqlSession,
  tables: readonly Exchanged[],
  waitMs: number,
  waitFirst: string | undefined,
): Promise<ExchangeResult> {
  for (const { place } of tables) {
    if (!(await taken(session, place, place.processing))) continue;
    throw new LoadFailedError(`${place.schema}.${place.processing} exists already`, {
      where: place.table,
      next: "It is a snapshot that has not been dropped, or somebody else's table: see waybill status.",
    });
  }
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return session.server.flavour === 'MySQL'
    ? exchangeUnderLock(session, tables, seconds)
    : exchangeWithHeadroom(session, tables, seconds, waitFirst);
}

const renaming = (tables: readonly Exchanged[]): string =>
  `rename table ${tables
    .flatMap(({ place }) => [
      `${at(place, place.name)} to ${at(place, place.processing)}`,
      `${at(place, place.twin)} to ${at(place, place.name)}`,
    ])
    .join(', ')}`;

/**
 * MySQL renames tables that are locked: nobody writes while the number that comes next is handed on. Its locks are taken all at
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
    const result = await withTablesLocked(session, both, async (): Promise<ExchangeResult> => {
      for (const { place, plan } of tables) if (!(await isAsPlanned(session, place, plan))) return { changed: place };
      for (const { place } of tables) {
        const { nextNumber } = await definitionOf(session, place, place.name);
        if (nextNumber !== undefined) await number(session, place, place.twin, nextNumber);
      }
      await session.say(renaming(tables));
      return 'done';
    });
    return result === 'busy' ? { busy: tables[0]!.place } : result;
  });
}

const number = (session: MysqlSession, place: Place, table: string, next: bigint): Promise<void> =>
  session.say(`alter table ${at(place, table)} auto_increment = ${next}`);

/** Numbers that writers may take between our look at the next one and the moment of the rename. */
const HEADROOM = 1_000_000n;
/** Pauses between tries that do not wait. */
const PAUSE_MS = 20;

/**
 * MariaDB refuses RENAME under LOCK TABLES: the twin begins so far on that no writer gets there meanwhile, and `continueNumbers`
 * says afterwards what the next number really is. Where one table is renamed, it is waited for; several first without waiting
 * for any while others are held, so that a transaction that spans them is in no deadlock with us (FACTS), and only then at once.
 */
async function exchangeWithHeadroom(
  session: MysqlSession,
  tables: readonly Exchanged[],
  seconds: number,
  waitFirst: string | undefined,
): Promise<ExchangeResult> {
  const until = Date.now() + seconds * 1000;
  for (let polite = tables.length > 1; ; polite &&= Date.now() < until) {
    const result = await withDdlSettings(session, polite ? 0 : seconds, async (): Promise<ExchangeResult> => {
      for (const { place, plan } of tables) {
        if (!(await isAsPlanned(session, place, plan))) return { changed: place };
        await reserveNumbers(session, place);
      }
      try {
        await session.say(renaming(tables));
        return 'done';
      } catch (error) {
        if (!isBusy(error)) throw error;
        return { busy: tables.find(({ table }) => table === waitFirst)?.place ?? tables[0]!.place };
      }
    });
    if (result === 'done' || 'changed' in result || !polite) return result;
    await new Promise((done) => setTimeout(done, PAUSE_MS * Math.random()));
  }
}

async function reserveNumbers(session: MysqlSession, place: Place): Promise<void> {
  const { nextNumber } = await definitionOf(session, place, place.name);
  if (nextNumber === undefined) return;
  const left = (await greatestNumber(session, place)) - nextNumber;
  await number(session, place, place.twin, nextNumber + (left / 2n < HEADROOM ? left / 2n : HEADROOM));
}

/**
 * After the swap: the numbers that the snapshot did not use. A number that a writer was given in the twin meanwhile is never
 * given again: the server begins above it, whatever we say.
 */
export async function continueNumbers(session: MysqlSession, place: Place): Promise<void> {
  const { nextNumber } = await definitionOf(session, place, place.processing);
  if (nextNumber !== undefined) await number(session, place, place.name, nextNumber);
}

const BITS: Record<string, bigint> = { tinyint: 8n, smallint: 16n, mediumint: 24n, int: 32n, bigint: 64n };

/** What the column holds at most; for other types (float, double) what a double counts exactly. */
async function greatestNumber(session: MysqlSession, place: Place): Promise<bigint> {
  const { rows } = await session.query<{ family: string; type: string }>({
    strings: [
      'select data_type as family, column_type as type from information_schema.columns where table_schema = ',
      ' and table_name = ',
      " and extra like '%auto_increment%'",
    ],
    values: [place.schema, place.name],
  });
  const bits = BITS[rows[0]?.family ?? ''];
  if (bits === undefined) return 2n ** 24n;
  return 2n ** (rows[0]!.type.includes('unsigned') ? bits : bits - 1n) - 1n;
}
