/** What a batch asks of the tables that it writes to: that they stay what they were, and to have its rows back. */
import type { ChunkRange, ColumnFacts, Database, Session, TableIdentity } from './dialect.ts';
import type { SqlPart } from './sql.ts';

/** A part of an output: a roll back deletes the batch's rows of it in one transaction. Made and read by one dialect. */
export interface DeletionRange {
  /** What its DELETE names, quoted: a partition, mostly, where the output is partitioned. */
  table: string;
  range: ChunkRange;
  /** What a range of keys is of; empty: a range of pages, or everything. */
  key: ColumnFacts[];
  /** No more rows than these at once: the next plan finds what is left. Undefined: all. */
  most?: number;
  /** The greatest key goes first: rows refer to others of the same table, and the server looks at each row by itself. */
  backwards?: boolean;
}

/** A foreign key through which other rows are deleted or changed with those of an output. */
export interface ChangedByDelete {
  /** As it was asked for. */
  output: string;
  /** The table that refers to it. */
  table: string;
  key: string;
  /** What the key says is done `on delete`. */
  rule: string;
}

export interface OutputDialect {
  /** Until the transaction ends, nobody else publishes or retracts rows of this output. */
  lockOutput(session: Session, database: Database, table: string): Promise<void>;
  /**
   * Which table an output is, without its lock; undefined: none has the name. Where nothing tells one table from another, they differ in
   * storage.
   */
  outputIdentity(reader: Database | Session, table: string): Promise<TableIdentity | undefined>;
  /** Whether these are one table that was not emptied, rewritten or altered between, as far as both were learnt. */
  isSameOutput(one: TableIdentity, other: TableIdentity): boolean;
  /** A condition: the table of this name is that one, and was not emptied, rewritten or altered. */
  isOutput(table: string, identity: TableIdentity): SqlPart;
  /** What the table of this relation is called now; undefined from it: it was dropped. Undefined itself: the server cannot say. */
  readonly outputOf: ((session: Session, relationId: string) => Promise<string | undefined>) | undefined;

  /**
   * What a roll back has to delete from this output, cut into transactions of about so many rows where something can cut it.
   * Empty: no row of the batch is left.
   */
  planDeletion(session: Session, table: string, batchId: string, rowsPerTransaction: number): Promise<DeletionRange[]>;
  /**
   * The whole of this output, cut in the same way, where to delete without a look first is cheaper: the batch is a large part of
   * it, or nothing leads to its rows. Empty: look first. `expected`: rows that the batch has, about. What somebody else's
   * updates move meanwhile is passed over: look afterwards.
   */
  planSweep(session: Session, table: string, expected: number, rowsPerTransaction: number): Promise<DeletionRange[]>;
  /** Deletes the batch's rows of one range, within the session's transaction; how many. */
  deleteRange(session: Session, group: DeletionRange, batchId: string): Promise<number>;
  /**
   * Deletes the batch's rows of all these tables, which refer to each other so that none can go before the others, within the session's
   * transaction; how many. Rows of others that refer to them stop it as they stop any delete.
   */
  deleteTogether(session: Session, tables: readonly string[], batchId: string): Promise<number>;
  /**
   * What of this output may keep rows that are deleted, without an error: names as messages say them. `always`: it keeps every
   * one, so that no batch could be taken back. `likely`: nothing shows that it does not.
   */
  deletesKeptBy(database: Database, table: string): Promise<{ name: string; always: boolean; likely: boolean }[]>;
  /**
   * Foreign keys of other tables than these that refer to one of them, and delete or change what refers to a row when that is deleted; as far
   * as the server shows them.
   */
  changedByDeletes(database: Database, tables: readonly string[]): Promise<ChangedByDelete[]>;
  /** Whether its catalog has these keys, so that a start may ask, too. Else the server may open each table that the account may see. */
  readonly catalogsForeignKeys: boolean;
  /** Why the server refuses every delete from this output, whatever its rows. */
  deleteRefusal(database: Database, table: string): Promise<{ reason: string; next: string } | undefined>;
}
