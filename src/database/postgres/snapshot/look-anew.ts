import type { ClientBase } from 'pg';

/** Who is connected is shown as it was at the first look of a transaction, until this: whoever has come since would be missing. */
export const LOOK_ANEW = 'pg_catalog.pg_stat_clear_snapshot()';

export async function lookAnew(client: ClientBase): Promise<void> {
  await client.query(`select ${LOOK_ANEW}`);
}
