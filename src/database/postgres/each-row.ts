import pg from 'pg';
import type { TakeRow } from '../dialect.ts';

/** Sends a query whose rows are taken one by one, and kept nowhere. */
export function eachRow(
  client: pg.Client | pg.PoolClient,
  config: pg.QueryArrayConfig,
  take: TakeRow,
): Promise<pg.QueryArrayResult> {
  return new Promise((resolve, reject) => {
    const query = new pg.Query<unknown[]>(config);
    let columns: string[] | undefined;
    let failure: { error: Error } | undefined;
    query.on('row', (row, result) => {
      if (failure) return; // the server goes on sending
      try {
        take(row, (columns ??= result!.fields.map(({ name }) => name)));
      } catch (error) {
        failure = { error: error as Error };
      }
    });
    query.on('end', (result) => {
      if (failure) reject(failure.error);
      else resolve(result);
    });
    query.on('error', reject);
    client.query(query);
  });
}
