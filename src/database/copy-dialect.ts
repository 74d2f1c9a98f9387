/** What a copy between two databases asks of each. */
import type {
  CopyFormat,
  CopyInColumn,
  CopyInListener,
  CopyInStream,
  CopyOutListener,
  CopyOutStream,
} from './copy-stream.ts';
import type { ColumnFacts, Database, Session } from './dialect.ts';
import type { RowSource } from './row-source.ts';
import type { ValueShape } from './value-shape.ts';
import type { WrittenForm } from './written-form.ts';

export interface CopyDialect {
  /** Several sessions can see one state of a database; else only the one that holds it. */
  readonly sharesState: boolean;
  /**
   * Begins a read-only transaction that sees the database as it is now until it ends, however long it lies idle. Gives the name by
   * which others join it; undefined: none can.
   */
  holdState(session: Session): Promise<string | undefined>;
  /** Begins a read-only transaction that sees the state of this name. False: nobody holds it any more, and nothing has begun. */
  joinState(session: Session, name: string): Promise<boolean>;
  /**
   * Why no such state has these rows as they were when it began: a table of theirs keeps none (another engine, a foreign table).
   * Undefined: it has, as far as the server says what is read.
   */
  stateRefusal(session: Session, rows: RowSource): Promise<{ reason: string; next: string } | undefined>;
  /**
   * Which table of those that the session's transaction has read since it joined a state is not what it was when that was taken, so that
   * the server gave other rows, and no error. Undefined: none, or the server would have failed.
   */
  stateBreach(database: Database, session: Session): Promise<string | undefined>;
  /** What a column holds, so that a server of another family knows what it gets. */
  shapeOf(column: ColumnFacts): ValueShape;
  /** What a SELECT says for this column, so that one of the shape `into` reads it; quoted. */
  copyOutValue(column: ColumnFacts, into: ValueShape): string;
  /** What a SELECT says for this column, so that an INSERT of it within one database makes of `into` what a copy would. */
  ownValue(column: ColumnFacts, into: ColumnFacts): string;
  /** SQL: the text that a copy writes of a value (SQL, too) of a type of the server's own; NULL of NULL. */
  readonly textOf: (value: string) => string;
  /**
   * A condition on the source: this column's value is one that a column of the shape `into` keeps. False or NULL for a zero date, an
   * infinity, a number that is too large. Undefined: all values that lie in the column's type are.
   */
  keepable(column: ColumnFacts, into: ValueShape): string | undefined;
  /** How this column takes what `copyOutValue` of any family wrote for it. */
  copyInColumn(column: ColumnFacts): CopyInColumn;
  /** How a file writes values of this column, where the server would quietly change what is written otherwise; undefined: it would not. */
  writtenForm(column: ColumnFacts): WrittenForm | undefined;
  /** How rows travel between two servers of this kind, column by column as they are; undefined: as between any two. */
  readonly nativeCopy: NativeCopy | undefined;
  /** Starts to read rows out; `select` is a whole statement whose values are literals. */
  openCopyOut(session: Session, select: string, format: CopyFormat, listener: CopyOutListener): CopyOutStream;
  /** Starts to write rows in, in a transaction: whoever opened it rolls back what a copy that failed has left. Quoted table. */
  openCopyIn(
    session: Session,
    table: string,
    columns: CopyInColumn[],
    format: CopyFormat,
    listener: CopyInListener,
  ): CopyInStream;
  /** Rows of a SELECT, whose values are literals, into a table (quoted, its columns too) of the same database: as many as each end counted. */
  insertRows(
    session: Session,
    table: string,
    columns: readonly string[],
    select: string,
  ): Promise<{ read: number; written: number }>;
}

export interface NativeCopy {
  /** Whether rows of these columns, out of another server of this kind, can travel in binary. */
  agreesInBinary(pairs: { source: string; target: string }[]): boolean;
  /** How a copy would change values of `source` in `target` without an error, to end "…, in acq.flight"; undefined: never. */
  narrowing(
    source: Pick<ColumnFacts, 'type' | 'castType' | 'enumerated' | 'locale'>,
    target: Pick<ColumnFacts, 'type' | 'castType' | 'enumerated' | 'locale'>,
  ): string | undefined;
}
