interface Index {
  columns: string[];
  unique: boolean;
  primary?: boolean;
}

/**
 * The index whose values part the rows of a table: its primary key, else a unique one, rather without NULLs. Undefined: it
 * has neither.
 */
export function rowKey<Known extends Index>(table: {
  columns: { name: string; nullable: boolean }[];
  indexes: Known[];
}): Known | undefined {
  const nullable = new Set(table.columns.filter((column) => column.nullable).map(({ name }) => name));
  const unique = table.indexes.filter((index) => index.unique && index.columns.length > 0);
  return (
    unique.find(({ primary }) => primary) ??
    unique.find((index) => !index.columns.some((column) => nullable.has(column))) ??
    unique[0]
  );
}

/**
 * The columns of the same for a table that goes on being written: it takes one without NULLs, for rows without a key that come after
 * it was cut would be in no range. Empty: it has none.
 */
export function lastingKey<Column extends { name: string; nullable: boolean }>(table: {
  columns: Column[];
  indexes: Index[];
}): Column[] {
  const names = rowKey(table)?.columns ?? [];
  const key = names.map((name) => table.columns.find((column) => column.name === name)!);
  return key.some(({ nullable }) => nullable) ? [] : key;
}

/** Why a table without one cannot be cut, and the ways out. */
export const noRowKey = (table: string): { message: string; next: string } => ({
  message: `\`${table}\` has no primary key and no unique index by which it could be cut into chunks`,
  next:
    'Name the columns to cut by in `chunk.key` (rows of one value share a chunk), give the table a primary key, ' +
    'or leave `chunk` out: the stage then runs in one piece.',
});
