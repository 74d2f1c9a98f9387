import type { ClientBase } from 'pg';

/**
 * What makes a definition that one statement of ours reads mean the same in the next one. With this search_path the
 * server's `pg_get_…def` functions qualify every name that is not a built-in, and temporary objects shadow nothing.
 */
export const PINNED: Readonly<Record<string, string>> = {
  search_path: 'pg_catalog, pg_temp',
  datestyle: 'ISO, YMD',
  intervalstyle: 'postgres',
  extra_float_digits: '1',
  standard_conforming_strings: 'on',
  // Our questions about a table take the server five times as long to plan as to answer, and the next table is asked the same: one plan for all.
  plan_cache_mode: 'force_generic_plan',
};

/** Runs `work` with these settings, for this transaction only, and gives the caller's own back afterwards. */
export async function withSettings<T>(
  client: ClientBase,
  settings: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> {
  const names = Object.keys(settings);
  const before = await client.query<{ value: string }>(
    'select pg_catalog.current_setting(name) as value from unnest($1::text[]) with ordinality n(name, i) order by i',
    [names],
  );
  await setAll(client, names, Object.values(settings));
  try {
    return await work();
  } finally {
    // After an SQL error there is nothing to give back: the caller's rollback does it.
    await setAll(
      client,
      names,
      before.rows.map((row) => row.value),
    ).catch(() => undefined);
  }
}

async function setAll(client: ClientBase, names: string[], values: string[]): Promise<void> {
  await client.query(
    'select pg_catalog.set_config(name, value, true) from unnest($1::text[], $2::text[]) s(name, value)',
    [names, values],
  );
}
