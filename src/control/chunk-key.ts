import type { LoadDefinition, StageDefinition } from '../config/definition.ts';
import type { ColumnFacts, Database } from '../database/dialect.ts';
import { ConfigurationError } from '../errors.ts';
import { columnNamed } from '../sql/names.ts';
import { noRowKey, rowKey } from '../sql/row-key.ts';

/**
 * The columns that a stage is cut by in `table`, which stands for its input; empty: by pages, or not at all. Without a
 * `chunk.key` only a frozen snapshot has pages that hold still, and only on a server that knows them: all else is cut by
 * what parts its rows.
 */
export async function chunkKey(
  database: Database,
  load: LoadDefinition,
  stage: StageDefinition,
  table: string,
): Promise<ColumnFacts[]> {
  const { chunk } = stage;
  if (!chunk) return [];
  const frozen = load.inputs.some((input) => input.table === chunk.input);
  if (!chunk.key && frozen && database.dialect.planPages) return [];
  const where = `load ${load.name}, stage ${stage.name}`;
  const facts = await database.dialect.describeTable(database, table);
  const key = chunk.key ?? (facts && rowKey(facts)?.columns);
  if (key === undefined) {
    const { message, next } = noRowKey(chunk.input);
    throw new ConfigurationError(message, { where, next });
  }
  const columns = key.map((name) => {
    const column = facts && columnNamed(facts.columns, name, database.dialect.sql);
    if (column) return column;
    throw new ConfigurationError(`${table} has no column ${name}, by which stage ${stage.name} is cut`, {
      where,
      next: 'correct chunk.key',
    });
  });
  // What parts the rows of a table has an order: it is an index.
  const unfit = chunk.key && (await whyNoKey(database, chunk.input, columns));
  if (unfit) throw new ConfigurationError(unfit.message, { where, next: unfit.next });
  return columns;
}

/** Why a table cannot be cut by these columns of it: the values of one have no order. */
export async function whyNoKey(
  database: Database,
  table: string,
  columns: readonly ColumnFacts[],
): Promise<{ message: string; next: string } | undefined> {
  for (const column of columns) {
    if (await database.dialect.hasOrder(database, column)) continue;
    return {
      message: `${table}.${column.name} is ${column.type}: its values have no order, so no chunks can be cut by it`,
      next: 'name columns of numbers, dates or texts in chunk.key',
    };
  }
  return undefined;
}
