/** The dialect's snapshot methods, over the steps in snapshot/. */
import { DatabaseError } from 'pg';
import { LoadFailedError } from '../../errors.ts';
import { formatTableName } from '../../sql/names.ts';
import { postgresSql } from '../../sql/postgres.ts';
import type { DropResult, SwapLedger, SwapResult, TakenSnapshot } from '../snapshot-dialect.ts';
import type { Database, Dialect, Holder, Session, TableIdentity } from '../dialect.ts';
import { part } from '../sql.ts';
import { inTransaction, withSession } from '../transaction.ts';
import { processingName } from '../../sql/processing-name.ts';
import { classify } from './errors.ts';
import { withSchema } from './names.ts';
import { OTHERS_WAIT } from './others-wait.ts';
import type { PostgresSession } from './session.ts';
import { watchBlockers } from './snapshot/watch-blockers.ts';
import { adoptionRefusals as adoptionRefusalsOf, adoptSnapshot as adoptTable } from './snapshot/adopt.ts';
import { dropSnapshot as dropTable } from './snapshot/drop.ts';
import { dumpsThatBegin } from './snapshot/dumps.ts';
import { holdersOf } from './snapshot/lock-holders.ts';
import { lockTables, mayTryAgain, type LockResult } from './snapshot/lock-tables.ts';
import { snapshotRefusals as refusalsOf } from './snapshot/refusals.ts';
import { expressionRefusals } from './snapshot/refuse/expressions.ts';
import { swapTable } from './snapshot/swap.ts';
import { holderOf, TableBusyError } from './snapshot/table-busy-error.ts';
import { TableChangedError } from './snapshot/table-changed-error.ts';
import type { TableName } from './snapshot/table-name.ts';

const clientOf = (session: Session): PostgresSession['client'] => (session as PostgresSession).client;

export async function snapshotRefusals(session: Session, table: string): Promise<{ reason: string; next: string }[]> {
  const refusals = await refusalsOf(clientOf(session), withSchema(table));
  return [...refusals, ...(await expressionRefusals(clientOf(session), withSchema(table)))];
}

/** Every change of names is in a transaction that locks the landing tables' rows in the ledger: nothing else is needed. */
export const aloneWith = <T>(_session: Session, _tables: readonly string[], work: () => Promise<T>): Promise<T> =>
  work();

type SwapRequest = { tables: string[]; waitFirst: string | undefined; waitMs: number };

/** Others that change one thing after another while we swap are done by then. */
const MOST_FAILURES = 5;

/** Nobody grants a right, and takes it away again, in time with us. What changes so often in one way is changed by what we do. */
const MOST_SAME_CHANGES = 3;

/**
 * Locks, swap and ledger in one transaction: DDL can be rolled back here.
 *
 * What fails is begun again at once, and is so only when it comes again: somebody whom no lock of ours keeps off (who drops a
 * publication, renames an index, a type or a schema) may have changed what had been read a moment before.
 */
export async function swap<Kept>(
  session: Session,
  database: Database,
  request: SwapRequest,
  ledger: SwapLedger<Kept>,
): Promise<SwapResult<Kept>> {
  let before: string | undefined;
  let times = 0;
  for (let failures = 1; ; failures += 1) {
    try {
      return await swapOnce(session, database, request, ledger);
    } catch (error) {
      if (!(error instanceof LoadFailedError || isOfStatement(error))) throw error;
      times = error.message === before ? times + 1 : 1;
      before = error.message;
      const changed = error instanceof TableChangedError;
      if (times === (changed ? MOST_SAME_CHANGES : 2) || (!changed && failures === MOST_FAILURES)) throw error;
      await session.rollback();
      if (!changed || failures < MOST_FAILURES) continue;
      return { kind: 'busy', waitingFor: formatTableName(error.table, postgresSql), holders: [] };
    }
  }
}

/** The server refused a statement for what it says, not for what there is at the moment. */
const isOfStatement = (error: unknown): error is DatabaseError =>
  error instanceof DatabaseError && classify(error).kind === 'permanent';

async function swapOnce<Kept>(
  session: Session,
  database: Database,
  request: SwapRequest,
  ledger: SwapLedger<Kept>,
): Promise<SwapResult<Kept>> {
  await session.begin(OTHERS_WAIT);
  const why = await ledger.prove(session);
  if (why !== undefined) {
    await session.rollback();
    return { kind: 'kept', why };
  }
  const locks = await lockAll(session, request);
  if (!locks.locked) {
    await session.rollback();
    return {
      kind: 'busy',
      waitingFor: formatTableName(locks.waitingFor, postgresSql), // a table, or a view or sequence that goes with it
      holders: locks.holders.map(holderOf),
    };
  }
  const taken: TakenSnapshot[] = [];
  const blockers = watchBlockers(database, session.connectionId);
  try {
    for (const table of request.tables) taken.push({ table, ...(await swapTableOf(session, database, table)) });
  } catch (error) {
    if (!(error instanceof TableBusyError)) throw error;
    await session.rollback();
    return { kind: 'busy', waitingFor: formatTableName(error.table, postgresSql), ...(await blockers.seen()) };
  } finally {
    blockers.stop();
  }
  await ledger.record(session, taken, part`clock_timestamp()`);
  // Its rows would be in no dump that has seen the table and comes to it after the swap: that is looked for last of all.
  const dumps = await dumpsThatBegin(clientOf(session));
  if (dumps.length > 0) {
    await session.rollback();
    return { kind: 'busy', waitingFor: request.tables[0]!, holders: dumps.map(holderOf) };
  }
  await session.commit();
  return { kind: 'swapped' };
}

/**
 * Tries again at once for as long as one wait may last. Writers that insert into several inputs without pause are out of the
 * way of all of them for moments only: with a pause after each try they kept a snapshot of two tables off for minutes.
 */
async function lockAll(session: Session, { tables, waitFirst, waitMs }: SwapRequest): Promise<LockResult> {
  const until = Date.now() + waitMs;
  const tryOnce = (first: TableName | undefined) =>
    lockTables(clientOf(session), tables.map(withSchema), {
      lockTimeoutMs: waitMs,
      ...(first && { waitFirst: first }),
    });
  let locks = await tryOnce(waitFirst === undefined ? undefined : withSchema(waitFirst));
  while (!locks.locked && mayTryAgain(locks) && Date.now() < until) locks = await tryOnce(locks.waitingFor);
  return locks;
}

async function swapTableOf(session: Session, database: Database, table: string): Promise<TableIdentity> {
  const processing = withSchema(processingName(table));
  const { oid, filenode } = await swapTable(clientOf(session), withSchema(table), {
    processingName: processing.name,
    controlSchema: database.controlSchema,
  });
  return { relationId: oid, storageId: filenode };
}

/** A swap is whole, or has not been. */
export const settleSwap = (): Promise<void> => Promise.resolve();

export async function adoptionRefusals(
  session: Session,
  processing: string,
): Promise<{ reason: string; next: string }[]> {
  return adoptionRefusalsOf(clientOf(session), withSchema(processing));
}

/**
 * One writer is waited for longer than the server's deadlock_timeout, so that an autovacuum yields; the rest not, for one table
 * is held by then.
 */
const ADOPTION_WAIT_MS = 2_000;
const NEXT_ADOPTION_WAIT_MS = 50;

/**
 * First of all in the transaction, before anything is locked for which other loads would have to wait; and on no control connection, for
 * it waits for writers.
 */
export async function adoptSnapshots<T>(
  database: Database,
  tables: readonly string[],
  work: (session: Session, adopted: TakenSnapshot[]) => Promise<T>,
): Promise<T> {
  if (tables.length === 0) return database.transaction((session) => work(session, []));
  const adopt = async (session: Session): Promise<T> => {
    const adopted: TakenSnapshot[] = [];
    for (const table of tables) {
      const { oid, filenode } = await adoptTable(
        clientOf(session),
        withSchema(processingName(table)),
        withSchema(table),
        {
          controlSchema: database.controlSchema,
          lockTimeoutMs: adopted.length === 0 ? ADOPTION_WAIT_MS : NEXT_ADOPTION_WAIT_MS,
        },
      );
      adopted.push({ table, relationId: oid, storageId: filenode });
    }
    return work(session, adopted);
  };
  return withSession(database, 'waybill adopt', (session) => inTransaction(session, adopt), { looking: true });
}

/** State, identity, drop and ledger in one transaction: a drop that slept through the next swap finds another table. */
export async function dropSnapshot(
  session: Session,
  { processing, relationId }: { processing: string; relationId: string },
  ledger: Parameters<Dialect['dropSnapshot']>[2],
): Promise<DropResult> {
  await session.begin(OTHERS_WAIT);
  await ledger.prove(session);
  try {
    const kind = await dropTable(clientOf(session), withSchema(processing), relationId);
    await ledger.record(session, kind);
    await session.commit();
    return { kind };
  } catch (error) {
    if (!(error instanceof TableBusyError)) throw error;
    await session.rollback();
    return { kind: 'busy', holders: error.holders.map(holderOf) };
  }
}

export async function tableHolders(session: Session, table: string): Promise<Holder[]> {
  return (await holdersOf(clientOf(session), withSchema(table))).map(holderOf);
}
