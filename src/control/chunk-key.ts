import type { LoadDefinition, StageDefinition } from '../config/definition.ts';
import { noRowKey, rowKey } from '../sql/row-key.ts';
import type { ColumnFacts, Database } from '../database/dialect.ts';
import { ConfigurationError } from '../errors.ts';

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
  return key.map((name) => {
    const column = facts?.columns.find((candidate) => candidate.name === name);
    if (column) return column;
    throw new ConfigurationError(`${table} has no column ${name}, by which stage ${stage.name} is cut`, {
      where,
      next: 'correct chunk.key',
    });
  });
}
