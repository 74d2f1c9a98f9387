import { splitTokens } from '../../sql/split.ts';
import { tablesOfView } from '../../sql/written-tables.ts';
import type { UnsafeTable } from '../catalog-dialect.ts';
import type { Database } from '../dialect.ts';
import { raw, sql } from '../sql.ts';
import { rowsOf } from './tables.ts';

interface Found {
  type: string;
  engine: string | null;
  /** Of a view; not for those who may not see it. */
  text: string | null;
  has: unknown;
}

/**
 * See `Dialect.neverRolledBack`: of any engine but InnoDB, as inputs and outputs are. What stands below a view whose text the account
 * may not see is not looked at. The server keeps the names in a view's text with the schema of each.
 */
export async function neverRolledBack(
  database: Database,
  table: string,
  ifHas?: string,
): Promise<UnsafeTable | undefined> {
  const [found] = await rowsOf<Found>(
    database,
    table,
    (here) => sql`
    select t.table_type as type, t.engine as engine, t.has as has,
      (select view_definition from information_schema.views where ${here}) as ${raw('`text`')}
    from (
      select table_type, engine, ${ifHas ?? null} is null or exists (
        select 1 from information_schema.columns where ${here} and column_name = ${ifHas ?? ''}) as has
      from information_schema.tables where ${here}) t`,
  );
  if (!found || !Number(found.has)) return undefined;
  if (found.type !== 'VIEW') return KEEPING.includes(found.type) ? ofEngine(table, found.engine) : undefined;
  const dialect = database.dialect.sql;
  const [tokens = []] = splitTokens({ text: found.text ?? '', file: table, line: 1, column: 1 }, dialect);
  for (const below of tablesOfView({ tokens, dialect })) {
    const unsafe = await neverRolledBack(database, below);
    if (unsafe) return unsafe;
  }
  return undefined;
}

/** MariaDB's, too, which keep what was there before. */
const KEEPING = ['BASE TABLE', 'SYSTEM VERSIONED'];

const ofEngine = (table: string, engine: string | null): UnsafeTable | undefined =>
  engine === null || engine === 'InnoDB' ? undefined : { table, engine };
