import { expect } from 'vitest';
import type { ChunkRange, ColumnFacts, Database } from '../../../src/database/dialect.ts';
import { planKeys, rangeCondition } from '../../../src/database/mysql/chunk-ranges.ts';
import { describeTable } from '../../../src/database/mysql/tables.ts';
import type { MysqlFlavour } from '../../../src/dev/mysql-binaries.ts';
import type { SqlPart } from '../../../src/database/sql.ts';
import { quoteText } from '../../../src/database/mysql/names.ts';
import { mysqlSql } from '../../../src/sql/mysql.ts';

/** An INSERT that takes days that there are not, as one of a server that is less strict. */
export const lax = (flavour: MysqlFlavour, insert: string): string =>
  flavour === 'MySQL'
    ? insert.replace('insert', "insert /*+ set_var(sql_mode = 'ALLOW_INVALID_DATES') */")
    : `set statement sql_mode = 'ALLOW_INVALID_DATES' for ${insert}`;

/**
 * Plans a table by these columns, reads it range by range, and returns the ranges with the numbers `n` of their rows. A range is read by
 * bound values, as user SQL is, and by literals, as rows that are copied: both have to find the same.
 */
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
  const say = (text: string, values: unknown[] = []) => session.run({ text, values }, { first: Infinity });
  try {
    await session.begin();
    // A statement that writes is strict where one that reads warns alone.
    await say('create temporary table cut_by_literals (n int)');
    const ranges = await planKeys(session, table, columns, size, where);
    const read: { range: ChunkRange; rows: number[] }[] = [];
    for (const range of ranges) {
      const values: unknown[] = [];
      const condition = rangeCondition('key', range, columns, (value, cast) => {
        values.push(value);
        return cast === undefined ? '?' : mysqlSql.cast('?', cast);
      });
      const { rows: found } = await say(`select n from ${table} where ${condition} order by n`, values);
      read.push({ range, rows: found.map((row) => Number(row[0])) });
      const literals = rangeCondition('key', range, columns, (value, cast) => {
        const text = quoteText(String(value));
        return cast === undefined ? text : mysqlSql.cast(text, cast);
      });
      await say(`insert into cut_by_literals select n from ${table} where ${literals}`);
    }
    const { rows: copied } = await say('select n from cut_by_literals order by n');
    const numbers = read.flatMap(({ rows }) => rows).sort((a, b) => a - b);
    expect(copied.map((row) => Number(row[0]))).toEqual(numbers);
    return read;
  } finally {
    await session.rollback();
    session.destroy();
  }
}
