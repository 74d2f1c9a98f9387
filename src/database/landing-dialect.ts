/** How landing tables are made, and given columns that their source has got since. */
import type { ColumnFacts, Database, Session } from './dialect.ts';
import type { ValueShape } from './value-shape.ts';

/** A column to make. */
export interface NewColumn {
  name: string;
  type: string;
}

export interface LandingDialect {
  /**
   * The type that keeps every value of a column that can be kept at all (docs/types.md backwards); undefined: no type does.
   * `native`: the column is one of this family of servers.
   */
  landingType(column: Pick<ColumnFacts, 'type' | 'castType'>, shape: ValueShape, native: boolean): string | undefined;
  /**
   * What a table that is to be made lacks to stand in, by the word of its server, its name, and what makes it; undefined: it is there.
   */
  missingPlace(
    database: Database,
    table: string,
  ): Promise<{ what: 'schema' | 'database'; name: string; make: string } | undefined>;
  /** Makes a table of these columns, which may be null, and its own two: `batch_id`, and `ngdw_id`, which numbers the rows. */
  createLanding(table: string, columns: readonly NewColumn[]): string[];
  addColumns(table: string, columns: readonly NewColumn[]): string[];
  /**
   * Asks which statements there are to run, in a transaction; runs them, and records it: all or nothing where DDL can be rolled
   * back. Where it commits by itself, whoever comes after a crash is told by `prepare` what is left to do. Waits a moment for who
   * uses the table, then throws an error that is transient; the caller rolls back.
   */
  changeTable(session: Session, prepare: () => Promise<string[]>, record: () => Promise<void>): Promise<void>;
}
