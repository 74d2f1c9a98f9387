import { DatabaseError, type ClientBase } from 'pg';
import { LoadFailedError } from '../../../errors.ts';
import { isStuck, lockHolders, type LockHolder } from './lock-holders.ts';
import { planLocks, type PlannedLock, type ReferencedMode } from './lock-plan.ts';
import { PINNED, withSettings } from './settings.ts';
import type { TableName } from './table-name.ts';

export interface LockOptions {
  /**
   * How long to wait for the one relation that is waited for. Longer than the server's `deadlock_timeout` (default 1 s), or
   * autovacuum never yields; writers of that relation stand in line behind us for so long at most.
   */
  lockTimeoutMs: number;
  /** The `waitingFor` of the attempt before: waited for first. Default: the first of `tables`. */
  waitFirst?: TableName | undefined;
  /** What is taken on tables that foreign keys refer to. Default: what adding one needs. */
  referenced?: ReferencedMode;
}

export type LockResult =
  | { locked: true }
  /** Nothing is held; wait for this relation first next time. `holders` may be empty: they have gone meanwhile. */
  | { locked: false; waitingFor: TableName; holders: LockHolder[] };

const LOCK_NOT_AVAILABLE = '55P03';
const UNDEFINED_TABLE = '42P01';

/*
 * How long to wait for a relation while we hold others, in total and for each. A session is killed for a deadlock when it
 * has waited for deadlock_timeout (1 s by default) and is in a cycle at that moment. Whoever is in our way waits for
 * nobody when we begin to wait (`isStuck`), and we are gone long before it can have waited for so long.
 *
 * With none of this patience (NOWAIT), 9 writers without pause kept two tables from us for 139 attempts a swap.
 */
const PATIENCE_EACH_MS = 50;
const PATIENCE_MS = 150;

/**
 * Takes ACCESS EXCLUSIVE on all tables, and what the swap needs on their views, sequences and referenced tables, or
 * nothing at all. Only one relation is waited for long, while no other is held, so a transaction that spans two of them
 * in any order is never in a deadlock with us (FACTS.md: with plain waiting it was killed 4 of 4 times).
 *
 * After `locked: false` the transaction holds what it held before and goes on; call again with `waitFirst`.
 *
 * @throws LoadFailedError when a table is not there.
 */
export async function lockTables(
  client: ClientBase,
  tables: readonly TableName[],
  options: LockOptions,
): Promise<LockResult> {
  return withSettings(client, { ...PINNED, lock_timeout: '0' }, async () => {
    await client.query('savepoint waybill_lock_tables');
    let busy: PlannedLock | undefined;
    try {
      busy = await tryAll(client, tables, options);
    } catch (error) {
      await letGo(client).catch(() => undefined);
      throw error;
    }
    if (busy === undefined) {
      await client.query('release savepoint waybill_lock_tables');
      return { locked: true };
    }
    await letGo(client);
    return {
      locked: false,
      waitingFor: { schema: busy.schema, name: busy.name },
      holders: await lockHolders(client, busy),
    };
  });
}

/** Going back to a savepoint releases the locks taken since. */
async function letGo(client: ClientBase): Promise<void> {
  await client.query('rollback to savepoint waybill_lock_tables');
  await client.query('release savepoint waybill_lock_tables');
}

/** Undefined when all are held, else the relation that was not to be had. */
async function tryAll(
  client: ClientBase,
  tables: readonly TableName[],
  options: LockOptions,
): Promise<PlannedLock | undefined> {
  const held = new Set<string>();
  let patience = PATIENCE_MS;
  for (;;) {
    const plan = await planLocks(client, tables, options.referenced ?? 'share row exclusive');
    mustHave(plan, tables);
    const missing = waitedForFirst(plan, options.waitFirst).filter((lock) => !held.has(lock.oid));
    // A view or foreign key that was made before we held the table is in the second plan only.
    if (missing.length === 0) return undefined;
    for (const lock of missing) {
      if (held.size === 0) {
        if (!(await take(client, lock, options.lockTimeoutMs))) return lock;
      } else {
        const started = performance.now();
        if (patience < 1 || (await isStuck(client, lock))) return lock;
        if (!(await take(client, lock, Math.min(patience, PATIENCE_EACH_MS)))) return lock;
        patience -= performance.now() - started;
      }
      held.add(lock.oid);
    }
  }
}

/** False when the lock is not to be had in time; then the transaction has failed since its savepoint. */
async function take(client: ClientBase, lock: PlannedLock, waitMs: number): Promise<boolean> {
  try {
    await client.query(`set local lock_timeout = ${Math.max(1, Math.floor(waitMs))}`);
    await client.query(lock.statement);
    return true;
  } catch (cause) {
    if (cause instanceof DatabaseError && cause.code === LOCK_NOT_AVAILABLE) return false;
    if (cause instanceof DatabaseError && cause.code === UNDEFINED_TABLE) throw missingTable(lock, cause);
    throw cause;
  }
}

function waitedForFirst(plan: PlannedLock[], first: TableName | undefined): PlannedLock[] {
  const isFirst = (lock: PlannedLock) => lock.schema === first?.schema && lock.name === first.name;
  return [...plan.filter(isFirst), ...plan.filter((lock) => !isFirst(lock))];
}

function mustHave(plan: PlannedLock[], tables: readonly TableName[]): void {
  for (const table of tables) {
    if (!plan.some((lock) => lock.schema === table.schema && lock.name === table.name)) throw missingTable(table);
  }
}

function missingTable(table: TableName, cause?: unknown): LoadFailedError {
  return new LoadFailedError(`table ${table.schema}.${table.name} does not exist`, {
    next: 'Create it, or correct `inputs` of the load.',
    cause,
  });
}
