import type { LoadDefinition } from '../config/definition.ts';
import type { Database } from '../database/dialect.ts';
import { list, sql } from '../database/sql.ts';

/**
 * The history of a renamed load goes on under its new name; once done, it finds nothing to do. Batches that consume the
 * load just now keep the name that stands in their frozen definition, by which their SQL finds its rows.
 */
export async function renameHistory(database: Database, from: string, to: string): Promise<void> {
  await database.transaction(async (session) => {
    const { rowCount } = await session.query(
      sql`update ${database.ledger('batch')} set load_name = ${to} where load_name = ${from}`,
    );
    if (rowCount === 0) return;
    await session.query(sql`
      update ${database.ledger('batch_input')} set producer_load = ${to}
      where producer_load = ${from} and batch_id not in (
        select batch_id from ${database.ledger('batch')}
        where state in ('running', 'checking', 'held', 'rolling_back', 'retracting'))`);
    await session.query(sql`
      insert into ${database.ledger('event')} (load_name, what, reason) values (${to}, 'renamed', ${`from ${from}`})`);
  });
}

/** The names under which a load's history may stand: a start has brought all of it under the first, `plan` comes before that. */
export const historyNames = ({ name, renamedFrom }: LoadDefinition): string[] =>
  renamedFrom === undefined ? [name] : [name, renamedFrom];

/**
 * The load that wrote one of these tables last, if it was none of `loads`. What it read, consumed and wrote is found by
 * its name, so that a load under a new name would do all of it again.
 */
export async function otherWriter(
  database: Database,
  loads: string[],
  tables: string[],
): Promise<{ load: string; table: string; batchId: string } | undefined> {
  if (tables.length === 0) return undefined;
  const { rows } = await database.query<{ load_name: string; table_name: string; batch_id: string }>(sql`
    select b.load_name, o.table_name, b.batch_id
    from ${database.ledger('batch')} b join ${database.ledger('batch_output')} o on o.batch_id = b.batch_id
    where o.table_name in ${list(tables)} and b.load_name not in ${list(loads)}
      and b.state not in ('failed', 'cancelled', 'retracted')
    order by b.batch_id desc limit 1`);
  return rows[0] && { load: rows[0].load_name, table: rows[0].table_name, batchId: rows[0].batch_id };
}
