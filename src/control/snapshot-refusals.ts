import type { LoadDefinition } from '../config/definition.ts';
import type { Database } from '../database/dialect.ts';
import { reading } from '../database/transaction.ts';

/** Why no snapshot of a landing table can be taken, as far as a look tells; empty: it can. */
export const whyNoSnapshot = (
  database: Database,
  load: Pick<LoadDefinition, 'name'>,
  table: string,
): Promise<{ reason: string; next: string }[]> =>
  reading(database, `waybill read ${load.name}`, (session) => database.dialect.snapshotRefusals(session, table));
