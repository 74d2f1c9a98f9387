/** What a snapshot asks of its database: to be taken, adopted and dropped. */
import type { Database, Holder, Session, TableIdentity } from './dialect.ts';
import type { SqlPart } from './sql.ts';

/** A landing table and the identity of its snapshot. */
export interface TakenSnapshot extends TableIdentity {
  table: string;
  /** Which of its numbers were given in the new table, too, where a server cannot hand them on exactly. */
  numbersTwice?: string;
}

/** What a swap has the ledger do, each within a transaction, while nobody else can swap these tables. */
export interface SwapLedger<Kept> {
  /** Before anything is changed. Undefined: go on; else everything stays as it is, and this is why. */
  prove(session: Session): Promise<Kept | undefined>;
  /** All tables have been swapped. `since`: the moment from which on no acquisition's rows can be in the snapshot. */
  record: (session: Session, taken: TakenSnapshot[], since: SqlPart) => Promise<void>;
}

/**
 * `busy`: somebody uses a table; nothing is held any more, and another call goes on from here, waiting for that one first where tables
 * are locked one by one.
 */
export type SwapResult<Kept> = { kind: 'swapped' } | { kind: 'kept'; why: Kept } | BusyTable;

export interface BusyTable {
  kind: 'busy';
  /** The table; several, with `or`, where the server does not tell which. */
  waitingFor: string;
  holders: Holder[];
}

/** `gone`: no table has the name; `other`: another one has it now, which stays; `busy`: somebody uses it. */
export type DropResult = { kind: 'dropped' | 'gone' | 'other' } | { kind: 'busy'; holders: Holder[] };

export interface SnapshotDialect {
  /** Why a landing table cannot be renamed away and replaced by a twin; empty: it can. */
  snapshotRefusals(session: Session, table: string): Promise<{ reason: string; next: string }[]>;
  /**
   * While nobody else swaps, adopts or drops snapshots of these tables, not even one whose worker is thought to be dead:
   * whoever stands in the way is ended.
   */
  aloneWith<T>(session: Session, tables: readonly string[], work: () => Promise<T>): Promise<T>;
  /**
   * Renames tables to their `_processing` names, which refuse writes from then on, and puts empty twins in their places: all of
   * them or none. Begins and ends its own transactions; after an error the caller rolls back. Where DDL commits by itself, what
   * an attempt that broke off has left is finished or undone first.
   */
  swap<Kept>(
    session: Session,
    database: Database,
    request: { batchId: string; tables: string[]; waitFirst: string | undefined; waitMs: number },
    ledger: SwapLedger<Kept>,
  ): Promise<SwapResult<Kept>>;
  /**
   * The same for a batch that has ended: what its swap left half-way is finished and recorded, or undone. Throws an error that
   * is transient while somebody is in the way.
   */
  settleSwap(database: Database, batchId: string, record: SwapLedger<never>['record']): Promise<void>;
  /** Why a table that another tool renamed to `_processing` cannot serve as a snapshot; empty: it can, or is not there. */
  adoptionRefusals(session: Session, processing: string): Promise<{ reason: string; next: string }[]>;
  /**
   * Makes the `_processing` tables of these tables refuse writes, once whoever writes to them has ended, then does the work in a
   * transaction: the same one where DDL can be rolled back. Waits a few seconds, then throws an error that is transient and
   * names who writes.
   */
  adoptSnapshots<T>(
    database: Database,
    tables: readonly string[],
    work: (session: Session, adopted: TakenSnapshot[]) => Promise<T>,
  ): Promise<T>;
  /**
   * Drops a snapshot if its name still leads to it. `prove` and `record` run within transactions of the session, before it is
   * looked at and once it is gone; nothing is recorded when somebody uses it. After an error the caller rolls back.
   */
  dropSnapshot(
    session: Session,
    snapshot: { table: string; processing: string; relationId: string },
    ledger: {
      prove(session: Session): Promise<void>;
      record(session: Session, result: Exclude<DropResult['kind'], 'busy'>): Promise<void>;
    },
  ): Promise<DropResult>;
  /** Who holds a lock on this table now, the oldest first. */
  tableHolders(session: Session, table: string): Promise<Holder[]>;
}
