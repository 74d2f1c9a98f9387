import type { SqlDialect } from '../sql/dialect.ts';
import { columnNamed } from '../sql/names.ts';
import type { TableDescription } from './table-requirements.ts';

/** Why nothing numbers the rows of an acquisition's landing table, and the statement that mends it; undefined: `ngdw_id` does. */
export function notNumbered(
  { columns }: Pick<TableDescription, 'columns'>,
  table: string,
  dialect: SqlDialect,
): { message: string; next: string } | undefined {
  const column = columnNamed(columns, 'ngdw_id', dialect);
  if (column?.hasDefault === true) return undefined;
  const message =
    column === undefined
      ? `\`${table}\` has no column \`ngdw_id\``
      : `\`ngdw_id\` of \`${table}\` has no default: nothing would number the rows`;
  return { message, next: dialect.numberColumn(table, 'ngdw_id', column === undefined ? 'add' : 'alter') };
}
