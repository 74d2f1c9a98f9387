/** The source of an acquisition, read only. */
import type { AcquisitionSource, LoadDefinition } from '../config/definition.ts';
import type { CursorKind } from '../database/cursor-dialect.ts';
import type { ColumnFacts, Database, Session, TableFacts } from '../database/dialect.ts';
import { nameOfRows, type RowSource } from '../database/row-source.ts';
import { reading } from '../database/transaction.ts';
import { ConfigurationError } from '../errors.ts';
import type { SqlDialect } from '../sql/dialect.ts';
import { columnNamed, nearest } from '../sql/names.ts';
import { leavesBehind } from '../sql/lint.ts';
import { parseStatements } from '../sql/statement.ts';

/**
 * A short read-only session on the source. Named so that other acquisitions do not wait for it. It has the load's own settings
 * only where rows go from the load's connection into the same one: another source may be another kind of server.
 */
export const withSource = <T>(
  source: Database,
  { name, connection, sessionParams }: SourceReader,
  work: (session: Session) => Promise<T>,
  options: { reading?: boolean } = {},
): Promise<T> =>
  reading(source, `waybill read ${name}`, work, {
    ...options,
    ...(source.connection === connection && { settings: sessionParams }),
  });

type SourceReader = Pick<LoadDefinition, 'name' | 'connection' | 'sessionParams'>;

/** What an acquisition reads from. A query's text ends before its `;`. */
export function sourceRows({ table, sql }: AcquisitionSource, dialect: SqlDialect): RowSource {
  return table ?? { query: parseStatements(sql!, dialect)[0]!.text };
}

/** See `leavesBehind` of `ChunkWork`. */
export const readsAnew = ({ sql }: AcquisitionSource, dialect: SqlDialect): boolean =>
  sql !== undefined && parseStatements(sql, dialect).some(leavesBehind);

/** What a time window keeps away from the source server's clock: ten seconds when the load does not say. */
export const lagOf = ({ lagMs = 10_000 }: AcquisitionSource): number => lagMs;

/** `source public.item`, as messages say it. */
export const sourceName = ({ connection, table }: AcquisitionSource): string => `${connection} ${table ?? 'from.sql'}`;

/** The columns of what is read, and its indexes where it is a table. Throws `ConfigurationError` if there is no such table. */
export async function describeSource(
  database: Database,
  load: SourceReader & Pick<LoadDefinition, 'file'>,
  source: AcquisitionSource,
): Promise<TableFacts> {
  const { dialect } = database;
  const rows = sourceRows(source, dialect.sql);
  if (typeof rows === 'string') {
    const facts = await dialect.describeTable(database, rows);
    if (facts) return facts;
    throw new ConfigurationError(`${source.connection} has no table ${rows}`, {
      where: load.file,
      next: 'create it, correct its name, or grant the role USAGE on its schema',
    });
  }
  const columns = await withSource(database, load, (session) => dialect.describeQuery(session, rows.query));
  return { table: nameOfRows(rows), kind: 'query', columns, indexes: [] };
}

/** Why `from.consistent` cannot be kept: no state of the source has these rows. The rows are known to be there. */
export async function whyNotOfOneMoment(
  database: Database,
  load: SourceReader,
  source: AcquisitionSource,
): Promise<{ message: string; next: string } | undefined> {
  if (!source.consistent) return undefined;
  const rows = sourceRows(source, database.dialect.sql);
  const refusal = await withSource(database, load, (session) => database.dialect.stateRefusal(session, rows));
  return (
    refusal && {
      message: `${sourceName(source)} cannot be read as it was at one moment (consistent): ${refusal.reason}`,
      next: refusal.next,
    }
  );
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
  const facts = await describeSource(database, load, source);
  const column = columnOf(database, facts, source.cursor, load.file, 'from.cursor');
  const kind = database.dialect.cursorKind(column);
  if (!kind) {
    throw new ConfigurationError(`${facts.table}.${source.cursor} is ${column.type}: no cursor can be kept on it`, {
      where: load.file,
      next: 'use an integer, a numeric of fixed scale, a date or a timestamp column that only grows',
    });
  }
  return { column, kind };
}

/** The column of `from.range`. Throws `ConfigurationError` for one that holds no numbers. */
export async function rangeColumn(
  database: Database,
  load: LoadDefinition,
  source: AcquisitionSource,
): Promise<ColumnFacts> {
  const facts = await describeSource(database, load, source);
  const column = columnOf(database, facts, source.range!.column, load.file, 'from.range');
  if (['whole number', 'decimal'].includes(database.dialect.shapeOf(column).kind)) return column;
  throw new ConfigurationError(`${facts.table}.${column.name} is ${column.type}: from.range cuts numbers`, {
    where: load.file,
    next: 'name a column of whole numbers or decimals, or cast one in a query (from.sql)',
  });
}

/** Why `from.range` cannot name its column, which is there. */
export async function fromRangeRefusal(
  database: Database,
  load: LoadDefinition,
): Promise<{ message: string; next: string } | undefined> {
  const { from } = load;
  if (!from?.range) return undefined;
  try {
    await rangeColumn(database, load, from);
    return undefined;
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { message: error.message, next: error.next ?? 'correct it' };
  }
}

function columnOf({ dialect }: Database, facts: TableFacts, name: string, file: string, key: string): ColumnFacts {
  const column = columnNamed(facts.columns, name, dialect.sql);
  if (column) return column;
  const near = nearest(
    name,
    facts.columns.map((candidate) => candidate.name),
  );
  throw new ConfigurationError(`${facts.table} has no column ${name}`, {
    where: file,
    next: near ? `did you mean ${near}?` : `correct ${key}`,
  });
}
