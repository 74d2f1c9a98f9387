/** The ledger's table `swap_intent`: what a swap is about to do, written before its first statement that commits by itself. */
import type { Database, Session } from '../../dialect.ts';
import { sql } from '../../sql.ts';
import type { TwinPlan } from './twin.ts';

export interface SwapIntent {
  table: string;
  /** The number that the snapshot will bear. */
  relationId: string;
  plan: TwinPlan;
}

export async function writeIntents(
  session: Session,
  database: Database,
  batchId: string,
  intents: readonly SwapIntent[],
): Promise<void> {
  for (const { table, relationId, plan } of intents) {
    await session.query(sql`
      insert into ${database.ledger('swap_intent')} (batch_id, table_name, relation_id, plan)
      values (${batchId}, ${table}, ${relationId}, ${JSON.stringify(plan)})`);
  }
}

export async function readIntents(session: Session, database: Database, batchId: string): Promise<SwapIntent[]> {
  const { rows } = await session.query<{ table_name: string; relation_id: string; plan: string }>(sql`
    select table_name, relation_id, plan from ${database.ledger('swap_intent')} where batch_id = ${batchId}
    order by table_name`);
  return rows.map((row) => ({
    table: row.table_name,
    relationId: String(row.relation_id),
    plan: JSON.parse(row.plan) as TwinPlan,
  }));
}

export async function forgetIntents(session: Session, database: Database, batchId: string): Promise<void> {
  await session.query(sql`delete from ${database.ledger('swap_intent')} where batch_id = ${batchId}`);
}
