import type { ChunkRange, ColumnFacts, Database } from '../../../src/database/dialect.ts';
import { planKeys, rangeCondition } from '../../../src/database/mysql/chunk-ranges.ts';
import { describeTable } from '../../../src/database/mysql/tables.ts';
import type { SqlPart } from '../../../src/database/sql.ts';
import { mysqlSql } from '../../../src/sql/mysql.ts';

/** Plans a table by these columns, reads it range by range, and returns the ranges with the numbers `n` of their rows. */
export async function cutByKey(
  database: Database,
  table: string,
  key: readonly string[],
  size: number,
  where?: { condition: SqlPart; window: boolean },
): Promise<{ range: ChunkRange; rows: number[] }[]> {
  const facts = await describeTable(database, table);
  const columns = key.map((name): ColumnFacts => facts!.columns.find((column) => column.name === name)!);
  const session = await database.openSession('waybill plan');
  try {
    await session.begin();
    const ranges = await planKeys(session, table, columns, size, where);
    const read: { range: ChunkRange; rows: number[] }[] = [];
    for (const range of ranges) {
      const values: unknown[] = [];
      const condition = rangeCondition('key', range, columns, (value, cast) => {
        values.push(value);
        return cast === undefined ? '?' : mysqlSql.cast('?', cast);
      });
      const { rows: found } = await session.run({
        text: `select n from ${table} where ${condition} order by n`,
        values,
      });
      read.push({ range, rows: found.map((row) => Number(row[0])) });
    }
    return read;
  } finally {
    await session.rollback();
    await session.close();
  }
}
