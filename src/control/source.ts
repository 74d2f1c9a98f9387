/** The source of an acquisition, read only. */
import type { AcquisitionSource, LoadDefinition } from '../config/definition.ts';
import type { CursorKind } from '../database/cursor-dialect.ts';
import type { ColumnFacts, Database, Session } from '../database/dialect.ts';
import { ConfigurationError } from '../errors.ts';
import { nearest } from '../sql/names.ts';

/** A short read-only session on the source. Named so that other acquisitions do not wait for it. */
export async function withSource<T>(
  source: Database,
  load: string,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await source.openSession(`waybill read ${load}`);
  try {
    await session.begin({ readOnly: true });
    const value = await work(session);
    await session.commit();
    return value;
  } finally {
    await session.rollback();
    await session.close();
  }
}

export interface Cursor {
  column: ColumnFacts;
  kind: CursorKind;
}

/** The cursor's column as the source has it now; undefined: the whole table is read each time. */
export async function cursorColumn(
  database: Database,
  load: LoadDefinition,
  source: AcquisitionSource,
): Promise<Cursor | undefined> {
  if (source.cursor === undefined) return undefined;
  const facts = await database.dialect.describeTable(database, source.table);
  if (!facts) {
    throw new ConfigurationError(`${source.connection} has no table ${source.table}`, {
      where: load.file,
      next: 'correct from.table, or grant the role USAGE on its schema',
    });
  }
  const column = facts.columns.find((candidate) => candidate.name === source.cursor);
  if (!column) {
    const near = nearest(
      source.cursor,
      facts.columns.map((candidate) => candidate.name),
    );
    throw new ConfigurationError(`${source.table} has no column ${source.cursor}`, {
      where: load.file,
      next: near ? `did you mean ${near}?` : 'correct from.cursor',
    });
  }
  const kind = database.dialect.cursorKind(column);
  if (!kind) {
    throw new ConfigurationError(`${source.table}.${source.cursor} is ${column.type}: no cursor can be kept on it`, {
      where: load.file,
      next: 'use an integer, a numeric of fixed scale, a date or a timestamp column that only grows',
    });
  }
  return { column, kind };
}
