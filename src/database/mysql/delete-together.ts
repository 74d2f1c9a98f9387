/**
 * InnoDB looks at each row as it deletes it, and at what refers to it, of the same table and statement, too. `delete ignore` passes over
 * what is referred to: each pass takes what the one before it has set free. What is left then goes in a circle, which somebody closed by
 * an UPDATE; it is opened in the same way, by columns that may be NULL.
 */
import type { Session } from '../dialect.ts';
import { raw, sql } from '../sql.ts';
import { ofBatch } from './deletion.ts';
import { quoteName, quoteTable } from './names.ts';
import { rowsOf } from './tables.ts';

/** See `Dialect.deleteTogether`. */
export async function deleteTogether(session: Session, tables: readonly string[], batchId: string): Promise<number> {
  const deleted = await deleteInPasses(session, tables, batchId);
  for (const table of tables) await letGo(session, table, batchId);
  return deleted + (await deleteInPasses(session, tables, batchId));
}

/** Until a pass over all of them takes none; how many are gone. */
async function deleteInPasses(session: Session, tables: readonly string[], batchId: string): Promise<number> {
  let rows = 0;
  for (let before = -1; before < rows;) {
    before = rows;
    for (const table of tables) {
      const { rowCount } = await session.query(sql`
        delete ignore from ${raw(quoteTable(table))} where ${ofBatch(batchId)}`);
      rows += rowCount;
    }
  }
  return rows;
}

/** The rows of the batch that are left refer to none any more, as far as they may. */
async function letGo(session: Session, table: string, batchId: string): Promise<void> {
  const columns = await rowsOf<{ name: string }>(
    session,
    table,
    (here) => sql`
    select distinct column_name as name from information_schema.columns join information_schema.key_column_usage k
      using (table_schema, table_name, column_name)
    where ${here} and k.referenced_table_name is not null and is_nullable = 'YES' and column_name <> 'batch_id'`,
  );
  if (columns.length === 0) return;
  const nothing = columns.map(({ name }) => `${quoteName(name)} = null`).join(', ');
  await session.query(sql`update ${raw(quoteTable(table))} set ${raw(nothing)} where ${ofBatch(batchId)}`);
}
