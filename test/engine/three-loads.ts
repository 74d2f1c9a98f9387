/** Three loads that share one connection. */
import type { ServerWords } from './server-words.ts';
import { until, type World, type WorldOptions } from './world.ts';

/** Three loads like `ORDERS`, and a worker with one connection for all their lanes. */
export function THREE_LOADS(): WorldOptions {
  const loads = ['a', 'b', 'c'];
  return {
    files: {
      'waybill.yaml': `
name: test
connections: { warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 3 } }
defaults: { lanes: 1 }`,
      ...Object.fromEntries(
        loads.map((load) => [
          `loads/core/${load}.yaml`,
          `
kind: core
connection: warehouse
inputs: [ { table: acq.${load}, external: true } ]
stages:
  - name: all
    sql: |
      select pg_sleep(pause) from core.pause where of_load = '${load}';
      insert into core.${load}_ids select o.id, :batch_id from {{ acq.${load} }} o
    chunk: { input: acq.${load}, rows: 100, key: id }
outputs: [ core.${load}_ids ]`,
        ]),
      ),
    },
    warehouse: `
      create schema acq; create schema core;
      create table core.pause (of_load varchar(10), pause float8);
      ${loads
        .map(
          (load) => `
      insert into core.pause values ('${load}', 0.1);
      create table acq.${load} (id bigint primary key);
      create table core.${load}_ids (id bigint, batch_id bigint not null);
      insert into acq.${load} select g from generate_series(1, 1000) g;`,
        )
        .join('')}`,
  };
}

/** Connections that have slept for longer than the first pauses. */
const LONG_ASLEEP: Record<ServerWords['family'], string> = {
  postgres: `select pid from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()
             and query_start < clock_timestamp() - interval '3 seconds'`,
  mysql: `select p.id from information_schema.processlist p where p.state = 'User sleep' and p.db = database() and p.time > 3`,
};

/** Whoever has the connection next keeps it for two minutes; which load that is. The chunks of all others then take no time. */
async function holdTheConnection(world: World): Promise<string> {
  await until(
    async () => (await world.value('select count(*) from waybill.stage where planned_chunks > 0')) === '3',
    90,
  );
  await world.warehouse.query('update core.pause set pause = 120');
  const holder = await until(async () => {
    const load = await world.value(
      `select b.load_name from waybill.batch b join waybill.lane l using (batch_id)
       where l.connection_id in (${LONG_ASLEEP[world.words.family]})`,
    );
    return (load as string | undefined)?.slice('core.'.length);
  }, 90);
  await world.warehouse.query('update core.pause set pause = 0');
  return holder;
}

/** All three at once; one of them has the connection, and keeps it. */
export async function startThree(world: World) {
  await world.warehouse.query('update core.pause set pause = 1.5');
  const names = ['a', 'b', 'c'];
  const handles = await Promise.all(names.map((load) => world.start(`core.${load}`)));
  const holder = await holdTheConnection(world);
  const [waiting, third] = names.filter((load) => load !== holder);
  const handle = (load: string | undefined) => handles[names.indexOf(load!)]!;
  return { handles, handle, holder, waiting, third };
}

/** What a load has written, and what it is once the load is done. */
export const idsOf = (world: World, load: string): Promise<unknown> =>
  world.rows(
    `select count(*) as n, count(distinct id) as ids, min(id) as first, max(id) as last from core.${load}_ids`,
  );
export const ALL = [{ n: '1000', ids: '1000', first: '1', last: '1000' }];
