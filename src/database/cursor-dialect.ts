/** What the windows of a cursor ask of their source. */
import type { ColumnFacts, Holder, Session } from './dialect.ts';
import type { RowSource } from './row-source.ts';

export type CursorKind = 'time' | 'number';

/**
 * Days from today on which a zone's offset from UTC is looked at: the least of a whole year is its standard time. No later clock may go
 * back over times that a window has already covered, as at the end of summer, for a few weeks (Morocco's Ramadan) or for good.
 */
export const COMING_DAYS = Array.from({ length: 38 }, (_, n) => n * 10);

/** What gives a column its numbers. */
export interface Numbering {
  /** As messages say it: `sequence public.item_id_seq`. */
  name: string;
  /** `public.item.id`. */
  column: string;
  /** The cursor is that column. Else it may be, or an expression of it. */
  certain: boolean;
  /** What its owner says of numbers that a session takes to use them later (`CACHE 20`), and how to stop it. Undefined: none. */
  ahead?: { what: string; stop: string };
  step: string;
  /** The last one that was given out; null: none yet, or the role may not know. */
  last: string | null;
  /** The statement that has it go on with this number. */
  restartWith(next: string): string;
}

/** A transaction on a source server, known by a key that no later transaction gets. */
export interface OpenTransaction extends Holder {
  key: string;
}

export interface CursorDialect {
  /** How this column may serve as a cursor; undefined: it cannot (text, floating point, …). */
  cursorKind(column: ColumnFacts): CursorKind | undefined;
  /**
   * Conditions: a value of this column lies above, or below, all that have a next one (NaN, infinity). No window's end is above the
   * former; a first window, which is open below, has the latter. Undefined: the type has no such values.
   */
  endless(column: ColumnFacts): { above: string; below: string } | undefined;
  /** A value that a person wrote for this column, as its own server writes it (time zone included). */
  cursorValue(session: Session, column: ColumnFacts, written: string): Promise<string>;
  /**
   * The exclusive end of a window, as text: time: the server's clock less `lagMs`, floored to the column's precision;
   * numbers: the greatest value plus one step; never more than `until`. Null: no rows (numbers).
   */
  windowEnd(
    session: Session,
    table: RowSource,
    column: ColumnFacts,
    kind: CursorKind,
    limits: { lagMs: number; until: string | null },
  ): Promise<string | null>;
  /** These values of the cursor in its own order, equal ones together. */
  inCursorOrder(session: Session, column: ColumnFacts, values: string[]): Promise<string[][]>;
  /**
   * What numbers these rows by this column, or may do so, below a view or a query as far as the server says which columns of which tables
   * that may be.
   * Empty: nothing that the server knows of; a trigger or a function may.
   */
  numberingsOf(session: Session, rows: RowSource, column: ColumnFacts): Promise<Numbering[]>;
  /**
   * A replica, which does not see the transactions that are open on its primary. Throws `ConfigurationError`, with what to
   * grant, where the account may see neither this nor what `openTransactions` looks at.
   */
  isStandby(session: Session): Promise<boolean>;
  /**
   * A table among these that a subscription fills, on a server which is no standby: its rows come in the order in which they were
   * committed on the publisher, and which transactions are open there nobody sees here. Undefined: none.
   */
  subscribed(session: Session, rows: RowSource): Promise<{ table: string; subscription: string } | undefined>;
  /**
   * Transactions that are open now and could still commit rows behind a window's end; `of`: those of them that still are, by
   * whatever key they go now. For a session of its own: it leaves the transaction in which it was asked.
   */
  openTransactions(session: Session, of?: readonly OpenTransaction[]): Promise<OpenTransaction[]>;
  /** The condition of a window `[from, to)`, either end open when null. */
  windowCondition(
    column: ColumnFacts,
    window: { from: string | null; to: string | null },
    bind: (value: unknown, cast?: string) => string,
  ): string;
}
