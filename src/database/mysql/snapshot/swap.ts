import { LoadFailedError } from '../../../errors.ts';
import type { BusyTable, SwapLedger, SwapResult, TakenSnapshot } from '../../snapshot-dialect.ts';
import type { Database } from '../../dialect.ts';
import { part } from '../../sql.ts';
import type { MysqlSession } from '../session.ts';
import { aloneWith, SWAP_WAITS } from './alone-with.ts';
import { isBusy, TableBusyError } from './busy.ts';
import { renameConstraints } from './constraints.ts';
import { exchange, type Exchanged } from './exchange.ts';
import { guardSnapshot } from './guard.ts';
import { holdersOf } from './holders.ts';
import { newRelationId, snapshotComment, tableIdentity } from './identity.ts';
import { forgetIntents, readIntents, writeIntents, type SwapIntent } from './intents.ts';
import { continueNumbers, numbersTwice } from './numbers.ts';
import { at, placeOf, taken, type Place } from './place.ts';
import { quoteText } from '../names.ts';
import { withDdlSettings } from './settings.ts';
import { replaceStandIns } from './triggers.ts';
import { dropTwin, makeTwin } from './twin.ts';

interface SwapRequest {
  batchId: string;
  tables: string[];
  waitMs: number;
}

/**
 * A swap where DDL commits by itself. Twins are made under names of their own; then, in the transaction in which the ledger
 * proves that the swap may be, it is written down (`swap_intent`); then one RENAME swaps all tables; then what could not be done
 * before it is done, each step for itself; then the ledger records the snapshots and forgets the intent. Whatever breaks off:
 * while the twins have their own names nothing has happened, and once they have not, what is left can be done by anybody, in any
 * number of attempts. Who that is, GET_LOCK says.
 */
export async function swap<Kept>(
  session: MysqlSession,
  database: Database,
  request: SwapRequest,
  ledger: SwapLedger<Kept>,
): Promise<SwapResult<Kept>> {
  const { batchId, tables, waitMs } = request;
  const alone = async (): Promise<SwapResult<Kept>> => {
    const left = await settle(session, database, batchId, ledger.record);
    if (left) return left;
    const kept = await proved(session, ledger, () => Promise.resolve());
    if (kept) return kept;
    const planned: Exchanged[] = [];
    try {
      const places: Place[] = [];
      for (const table of tables) places.push(await placeOf(session, table)); // all are there before anything is made
      for (const place of places) {
        const twin = await plan(session, place);
        if (twin === 'busy')
          return await undone(session, database, batchId, planned, await busyWith(session, place, place.name));
        planned.push(twin);
      }
      const keptNow = await proved(session, ledger, () => writeIntents(session, database, batchId, planned));
      if (keptNow) return await undone(session, database, batchId, planned, keptNow);
      const result = await exchange(session, planned, waitMs);
      if (result !== 'done') {
        const places = result === 'busy' ? planned.map(({ place }) => place) : [result.changed];
        return await undone(session, database, batchId, planned, await busyWithSome(session, places));
      }
    } catch (error) {
      await session.rollback();
      await undoIfWhole(session, database, batchId, planned);
      throw error;
    }
    return (await finish(session, database, batchId, planned, ledger.record)) ?? { kind: 'swapped' };
  };
  return aloneWith(session, tables, alone, SWAP_WAITS);
}

/** For a batch that has ended: nobody proves anything any more, what was begun is finished or undone. */
export async function settleSwap(
  database: Database,
  batchId: string,
  record: SwapLedger<never>['record'],
): Promise<void> {
  const intents = await database.transaction((session) => readIntents(session, database, batchId));
  if (intents.length === 0) return;
  const session = (await database.openSession(`waybill ${batchId} snapshot`)) as MysqlSession;
  const tables = intents.map(({ table }) => table);
  try {
    const left = await aloneWith(session, tables, () => settle(session, database, batchId, record), SWAP_WAITS);
    if (left) throw new TableBusyError(left.waitingFor, left.holders);
  } finally {
    await session.close();
  }
}

/** What an earlier attempt has written down: finished, or undone. Undefined: nothing is left of it. */
async function settle(
  session: MysqlSession,
  database: Database,
  batchId: string,
  record: SwapLedger<never>['record'],
): Promise<BusyTable | undefined> {
  const begun: Exchanged[] = [];
  for (const intent of await readIntents(session, database, batchId)) {
    begun.push({ ...intent, place: await placeOf(session, intent.table) });
  }
  if (begun.length === 0) return undefined;
  const twins = await placesTaken(session, begun, 'twin');
  if (twins.length === 0) {
    if (await standing(session, begun)) return finish(session, database, batchId, begun, record);
    await forgetIntents(session, database, batchId);
    return undefined;
  }
  if (twins.length < begun.length) {
    const missing = begun.find(({ place }) => !twins.includes(place))!.place;
    throw new LoadFailedError(`${missing.schema}.${missing.twin} is gone, which was to become ${missing.table}`, {
      where: missing.table,
      next: `Somebody has dropped it: drop ${twins.map((place) => place.twin).join(', ')} too, and delete the batch's rows in swap_intent.`,
    });
  }
  await undo(session, database, batchId, begun);
  return undefined;
}

/** The places where a table of this name stands. */
async function placesTaken(
  session: MysqlSession,
  exchanged: readonly Exchanged[],
  name: 'twin' | 'processing',
): Promise<Place[]> {
  const found: Place[] = [];
  for (const { place } of exchanged) if (await taken(session, place, place[name])) found.push(place);
  return found;
}

/**
 * Whether the renamed tables are there still. Until they are numbered they look like leavings, and somebody may rename them back:
 * of a swap that was undone by hand there is nothing to finish, of one that was half undone neither way is left.
 */
async function standing(session: MysqlSession, swapped: readonly Exchanged[]): Promise<boolean> {
  const there = await placesTaken(session, swapped, 'processing');
  if (there.length === 0 || there.length === swapped.length) return there.length > 0;
  const gone = swapped.find(({ place }) => !there.includes(place))!.place;
  const others = there.map(({ name, processing }) => `${processing} to ${name}`).join(', ');
  throw new LoadFailedError(
    `${gone.schema}.${gone.processing} is gone, which is part of a snapshot that is not finished`,
    {
      where: gone.table,
      next:
        `Put it back. Or undo the rest, too, if it was renamed back to ${gone.name}: add to each other table what has landed ` +
        `since, and rename it back (${others}). Then start the load again.`,
    },
  );
}

/** The ledger's proof, and what is written with it, in one transaction. */
async function proved<Kept>(
  session: MysqlSession,
  ledger: SwapLedger<Kept>,
  write: () => Promise<void>,
): Promise<{ kind: 'kept'; why: Kept } | undefined> {
  await session.begin();
  const why = await ledger.prove(session);
  if (why !== undefined) {
    await session.rollback();
    return { kind: 'kept', why };
  }
  await write();
  await session.commit();
  return undefined;
}

async function plan(session: MysqlSession, place: Place): Promise<Exchanged | 'busy'> {
  try {
    // A twin refers to the tables that its foreign keys name: that is waited for no longer than for anything else.
    const relationId = newRelationId();
    const twin = await withDdlSettings(session, STEP_WAITS_SECONDS, () => makeTwin(session, place, relationId));
    return { table: place.table, place, relationId, plan: twin };
  } catch (error) {
    if (!isBusy(error)) throw error;
    return 'busy';
  }
}

async function undone<T>(
  session: MysqlSession,
  database: Database,
  batchId: string,
  planned: readonly Exchanged[],
  result: T,
): Promise<T> {
  await undo(session, database, batchId, planned);
  return result;
}

async function undo(
  session: MysqlSession,
  database: Database,
  batchId: string,
  planned: readonly Exchanged[],
): Promise<void> {
  // First what is written down: without an intent a twin is only a table that the next attempt makes anew.
  await forgetIntents(session, database, batchId);
  try {
    const drop = async (): Promise<void> => {
      for (const { place } of planned) await dropTwin(session, place);
    };
    await withDdlSettings(session, STEP_WAITS_SECONDS, drop);
  } catch (error) {
    if (!isBusy(error)) throw error; // of a backup, for which DDL waits: as long as the server is set to, else
  }
}

/** After an error that left the connection whole; whatever cannot be done here is left to the next attempt. */
async function undoIfWhole(
  session: MysqlSession,
  database: Database,
  batchId: string,
  planned: readonly Exchanged[],
): Promise<void> {
  try {
    const whole = await Promise.all(planned.map(({ place }) => taken(session, place, place.twin)));
    if (whole.every(Boolean)) await undo(session, database, batchId, planned);
  } catch {
    // the error that brought us here is the one to be told
  }
}

/** How long one step of the finish waits for those who use a table; writers of the landing table stand in line for so long. */
const STEP_WAITS_SECONDS = 1;

/** Everything after the RENAME. Each step may have been done before, or be interrupted and done again. */
async function finish(
  session: MysqlSession,
  database: Database,
  batchId: string,
  swapped: readonly (SwapIntent & { place: Place })[],
  record: SwapLedger<never>['record'],
): Promise<BusyTable | undefined> {
  const steps: [Place, string, () => Promise<unknown>][] = [];
  const numbered = !session.server.renamesLockedTables; // else they were handed on under the lock
  if (numbered) {
    for (const { place, plan: twin } of swapped)
      steps.push([place, place.name, () => continueNumbers(session, place, twin)]);
  }
  for (const { place, relationId, plan: twin } of swapped) {
    steps.push(
      [place, place.processing, () => number(session, place, relationId)],
      [place, place.processing, () => guardSnapshot(session, place, relationId)],
      [place, place.name, () => renameConstraints(session, place, twin.constraints)],
      [place, place.name, () => replaceStandIns(session, place, relationId, twin.triggers)],
    );
  }
  for (const [place, waitedFor, step] of steps) {
    const result = await withDdlSettings(session, STEP_WAITS_SECONDS, step).catch((error: unknown) => {
      if (!isBusy(error)) throw error;
      return 'busy';
    });
    if (result === 'busy') return busyWith(session, place, waitedFor);
  }
  const snapshots: TakenSnapshot[] = [];
  for (const { table, place, relationId, plan: twin } of swapped) {
    const processing = at(place, place.processing);
    const identity = await tableIdentity(session, processing);
    if (identity?.relationId !== relationId) throw new LoadFailedError(`${processing} vanished`, { where: table });
    const twice = numbered ? await numbersTwice(session, place, twin) : undefined;
    snapshots.push({ table, ...identity, ...(twice !== undefined && { numbersTwice: twice }) });
  }
  await session.begin();
  await record(
    session,
    snapshots,
    part`(select max(intended_at) from ${database.ledger('swap_intent')} where batch_id = ${batchId})`,
  );
  await forgetIntents(session, database, batchId);
  await session.commit();
  return undefined;
}

const number = (session: MysqlSession, place: Place, relationId: string): Promise<void> =>
  session.say(`alter table ${at(place, place.processing)} comment = ${quoteText(snapshotComment(relationId))}`);

async function busyWith(session: MysqlSession, place: Place, table: string): Promise<BusyTable> {
  return {
    kind: 'busy',
    waitingFor: table === place.name ? place.table : `${place.schema}.${table}`,
    holders: await holdersOf(session, place, table),
  };
}

/**
 * The server does not say which of them it could not have: those that somebody holds for a while, for writers come and go; else those that
 * anybody holds; all, where nobody is found.
 */
async function busyWithSome(session: MysqlSession, places: readonly Place[]): Promise<BusyTable> {
  const all: BusyTable[] = [];
  for (const place of places) all.push(await busyWith(session, place, place.name));
  const held = all.filter(({ holders }) => holders.length > 0);
  const long = held.filter(({ holders }) => holders.some(({ ageSeconds }) => (ageSeconds ?? 0) >= 1));
  const named = [long, held, all].find((some) => some.length > 0)!;
  const holders = new Map(named.flatMap((one) => one.holders.map((holder) => [holder.connectionId, holder])));
  return { kind: 'busy', waitingFor: named.map((one) => one.waitingFor).join(' or '), holders: [...holders.values()] };
}
