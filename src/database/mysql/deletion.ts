import { rowKey } from '../../sql/row-key.ts';
import { mysqlSql } from '../../sql/mysql.ts';
import type { IndexFacts, Session } from '../dialect.ts';
import type { DeletionRange } from '../output-dialect.ts';
import { composed, part, raw, sql } from '../sql.ts';
import { rangeCondition, walkKeys } from './chunk-ranges.ts';
import { quoteName, quoteTable } from './names.ts';
import { describeTable, rowsOf } from './tables.ts';

/**
 * Cuts the rows of a batch along the table's own key: an index on batch_id has them in that order, and without one the table
 * itself is read, once. Each group begins where the one before it ended, so it stays linear, whereas `delete … limit n` walks
 * over all that was deleted before it and is not purged yet.
 *
 * A table without a key leaves only that, where an index on batch_id leads to the rows at least; without this, too, each limited
 * delete would read the table from its start: then one transaction has to do.
 */
export async function planDeletion(
  session: Session,
  table: string,
  batchId: string,
  rowsPerTransaction: number,
): Promise<DeletionRange[]> {
  const name = quoteTable(table);
  const { columns, indexes } = (await describeTable(session, table))!;
  const unique = rowKey({ columns, indexes });
  if (unique) {
    // The batch is the same for all, and would have the server begin each range where the batch begins.
    const names = unique.columns.length > 1 ? unique.columns.filter((one) => !isBatchId(one)) : unique.columns;
    const key = names.map((one) => columns.find((column) => column.name === one)!);
    const index = (indexes.find((one) => unique.primary && hasBatchesInOrder(one, unique)) ?? unique).name;
    const ranges = await walkKeys(session, table, key, rowsPerTransaction, { condition: ofBatch(batchId), index });
    // As a rule a row refers to an older one, of a lower key.
    return (await refersToItself(session, table))
      ? ranges.reverse().map((range) => ({ table: name, range, key, backwards: true }))
      : ranges.map((range) => ({ table: name, range, key }));
  }
  const { rows } = await session.query(sql`select 1 from ${raw(name)} where ${ofBatch(batchId)} limit 1`);
  if (rows.length === 0) return [];
  const indexed = indexes.some(({ columns: [first] }) => first !== undefined && isBatchId(first));
  const all = { table: name, range: { from: null, to: null }, key: [] };
  return [indexed ? { ...all, most: rowsPerTransaction } : all];
}

async function refersToItself(session: Session, table: string): Promise<boolean> {
  const rows = await rowsOf(
    session,
    table,
    (here) => sql`
    select 1 from information_schema.key_column_usage
    where ${here} and referenced_table_schema = table_schema and referenced_table_name = table_name limit 1`,
  );
  return rows.length > 0;
}

/** InnoDB ends every other index with the columns of the primary key. */
const hasBatchesInOrder = ({ columns: [first, ...more] }: IndexFacts, primary: IndexFacts): boolean =>
  first !== undefined && isBatchId(first) && more.every((column, i) => column === primary.columns[i]);

const isBatchId = (column: string): boolean => mysqlSql.foldColumn(column) === 'batch_id';

export async function deleteRange(session: Session, group: DeletionRange, batchId: string): Promise<number> {
  const range = composed(mysqlSql, (bind) =>
    rangeCondition(group.key.length > 0 ? 'key' : 'once', group.range, group.key, bind),
  );
  const order = group.backwards ? `order by ${group.key.map(({ name }) => `${quoteName(name)} desc`).join(', ')}` : '';
  const limit = group.most === undefined ? '' : `limit ${Math.floor(group.most)}`;
  const { rowCount } = await session.query(sql`
    delete from ${raw(group.table)} where ${ofBatch(batchId)} and ${range} ${raw(`${order} ${limit}`)}`);
  return rowCount;
}

/** The rows of a batch, as a condition. */
export const ofBatch = (batchId: string) => part`batch_id = cast(${batchId} as signed)`;
