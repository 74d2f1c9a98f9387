import type { Database } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';

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
