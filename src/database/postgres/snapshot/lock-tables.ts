import type { ClientBase } from 'pg';
import { LoadFailedError } from '../../../errors.ts';
import { dumped, dumpedFor } from './dumps.ts';
import { lockHolders, type LockHolder } from './lock-holders.ts';
import { planLocks, type PlannedLock, type ReferencedMode } from './lock-plan.ts';
import { PINNED, withSettings } from './settings.ts';
import type { TableName } from './table-name.ts';
import { takeLocks } from './take-locks.ts';
import { goneWithin, sessionsWithTemporary } from './temporary-views.ts';

export interface LockOptions {
  /**
   * How long to wait for the one relation that is waited for; at least one and a half of the server's `deadlock_timeout`
   * (default 1 s), or autovacuum never yields. Writers of that relation stand in line behind us for so long at most.
   */
  lockTimeoutMs: number;
  /** The `waitingFor` of the attempt before: waited for first. Default: a view of a table, else the first table. */
  waitFirst?: TableName | undefined;
  /** What is taken on tables that foreign keys refer to. Default: what adding one needs. */
  referenced?: ReferencedMode;
}

export type LockResult =
  | { locked: true }
  /** Nothing is held; wait for this relation first next time. `holders` may be empty: they have gone meanwhile. */
  | { locked: false; waitingFor: TableName; holders: LockHolder[] };

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
    let busy: Busy | undefined;
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
      waitingFor: { schema: busy.lock.schema, name: busy.lock.name },
      holders: busy.dumps ?? (await holdersOfBusy(client, busy.lock)),
    };
  });
}

/** What was not to be had. `dumps`: who has it, where it was not even tried. */
interface Busy {
  lock: PlannedLock;
  dumps?: LockHolder[];
}

const holdersOfBusy = (client: ClientBase, lock: PlannedLock): Promise<LockHolder[]> =>
  lock.temporary ? sessionsWithTemporary(client, [lock.oid]) : lockHolders(client, lock);

/**
 * Whether trying again within this transaction may help. An index that is built or rebuilt CONCURRENTLY waits at times for every
 * transaction that has begun before, ours too; if we waited for it then, its deadlock check could end it, and leave an index
 * that is not valid.
 */
export const mayTryAgain = (result: LockResult): boolean =>
  !result.locked && !result.holders.some((holder) => holder.waitsForUs);

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
): Promise<Busy | undefined> {
  const held = new Set<string>();
  const until = Date.now() + options.lockTimeoutMs;
  for (;;) {
    const plan = await planLocks(client, tables, options.referenced ?? 'share row exclusive');
    mustHave(plan, tables);
    const temporary = plan.find((lock) => lock.temporary);
    if (temporary !== undefined) {
      const waited = held.size === 0 && (await goneWithin(client, temporary.oid, until - Date.now()));
      if (!waited) return { lock: temporary };
      continue;
    }
    const missing = waitedForFirst(plan, options.waitFirst).filter((lock) => !held.has(lock.oid));
    // A view or foreign key that was made before we held the table is in the second plan only, as is a dump that came while we waited.
    if (missing.length === 0) return dumped(client, plan);
    const dump = await dumpedFor(client, missing, held.size === 0 ? until - Date.now() : 0);
    if (dump !== undefined) return dump;
    const busy = await takeLocks(client, missing, held.size === 0 ? options.lockTimeoutMs : 'holding others');
    if (busy !== undefined) return { lock: busy };
    for (const lock of missing) held.add(lock.oid);
  }
}

function waitedForFirst(plan: PlannedLock[], first: TableName | undefined): PlannedLock[] {
  const isFirst = (lock: PlannedLock) => lock.schema === first?.schema && lock.name === first.name;
  return [...plan.filter(isFirst), ...plan.filter((lock) => !isFirst(lock))];
}

function mustHave(plan: PlannedLock[], tables: readonly TableName[]): void {
  for (const table of tables) {
    if (!plan.some((lock) => lock.schema === table.schema && lock.name === table.name)) {
      throw new LoadFailedError(`table ${table.schema}.${table.name} does not exist`, {
        next: 'Create it, or correct `inputs` of the load.',
      });
    }
  }
}
