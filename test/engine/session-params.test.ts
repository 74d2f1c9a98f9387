import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect } from 'vitest';
import { document, waybill } from '../cli/command-line.ts';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { servers } from '../servers.ts';
import { ITEM, itemFile, ITEMS, PLAIN_SOURCE } from './items.ts';
import { wordsAt } from './server-words.ts';
import { ORDERS, World } from './orders.ts';

/** Settings, an expression that shows them, and what it shows with and without them. The landing table has it in each row. */
const WORDS = {
  postgres: {
    settings: `{ app.who: "it's me", TimeZone: Asia/Tokyo, search_path: "shop, public" }`,
    /** Where only those who have the settings find it. */
    apart: (tables: string) => `create schema shop; set search_path = shop; ${tables} reset search_path;`,
    shown: `concat_ws(' ', current_setting('app.who', true), current_setting('timezone'))`,
    set: `it's me Asia/Tokyo`,
    unset: 'UTC',
    trigger: (shown: string) => `create function notes() returns trigger language plpgsql as
      $$ begin new.written := ${shown}; return new; end $$;
      create trigger notes before insert on acq.item for each row execute function notes();`,
  },
  mysql: {
    apart: (tables: string) => tables,
    settings: `{ lc_time_names: de_DE, group_concat_max_len: 4711 }`,
    shown: `concat_ws(' ', @@session.lc_time_names, @@session.group_concat_max_len)`,
    set: 'de_DE 4711',
    unset: /^en_US \d{4,}$/,
    trigger: (shown: string) =>
      `create trigger acq.notes before insert on acq.item for each row set new.written = ${shown};`,
  },
};

describe.each(oneOfEachFamily(import.meta.url))(
  'session_params of an acquisition, on $name',
  { timeout: 120_000 },
  (server) => {
    const it = inTurns(import.meta.url, server);
    let world: World;
    afterEach(() => world.close());
    const { settings, apart, shown, set, unset, trigger } = WORDS[wordsAt(server.url).family];

    async function items(load: (file: string) => string, warehouse = ''): Promise<void> {
      const file = itemFile({ from: 'sql: item.sql, cursor: id', yaml: `session_params: ${settings}` });
      const made = ITEMS({ source: PLAIN_SOURCE(300), columns: 'id bigint, seen varchar(60), written varchar(60)' });
      world = await World.create(server, {
        ...made,
        warehouse: `${made.warehouse} ${warehouse}`,
        files: {
          'loads/acquisition/item.yaml': load(file),
          'loads/acquisition/item.sql': `select id, ${shown} as seen from item`,
          'data/.keep': '',
        },
      });
      await world.warehouse.query(trigger(shown));
      await world.worker();
    }

    const said = async (): Promise<unknown> =>
      world.rows('select count(*) as n, min(batch_id) as batch, seen, written from acq.item group by seen, written');

    it('hold for each chunk on the connection that is written, and not on the source', async () => {
      await items((file) => file);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 300, chunks: 3 } });
      expect(await said()).toEqual([
        { n: '300', batch: '1', seen: expect.stringMatching(unset) as string, written: set },
      ]);
    });

    it('hold for what is read, too, where it is the same connection', async () => {
      await items((file) => file.replace('connection: source', 'connection: warehouse'), apart(PLAIN_SOURCE(300)));
      expect(await waybill(world, 'validate')).toMatchObject({ exitCode: 0 });
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 300, chunks: 3 } });
      expect(await said()).toEqual([{ n: '300', batch: '1', seen: set, written: set }]);
    });

    it('hold for files', async () => {
      await items((file) => file.replace(/from: .*/, 'from: { files: data/*.csv }').replace(/chunk_rows: .*/, ''));
      await writeFile(join(world.directory, 'data/a.csv'), 'id\n1\n2\n');
      await writeFile(join(world.directory, 'data/b.csv'), 'id\n3\n');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 3, chunks: 2 } });
      expect(await said()).toEqual([{ n: '3', batch: '1', seen: null, written: set }]);
    });

    it('that the server will not have: a start names them with their value, as validate does; those of a step, too', async () => {
      const name = wordsAt(server.url).family === 'mysql' ? 'sort_buffer_size' : 'work_mem';
      const wrong = `session_params: { ${settings.slice(2, -2)}, ${name}: 9 apples }`;
      const expectRefused = async (key: string): Promise<void> => {
        const message = expect.stringMatching(
          `^warehouse will not have ${name}: 9 apples of session_params: .*${name}`,
        ) as string;
        const next = `Correct ${name}, or leave it out.`;
        const where = `loads/acquisition/item.yaml, ${key}`;
        expect(await world.run(ITEM)).toMatchObject({ ok: false, type: 'Refused', message, where, next });
        expect(document(await waybill(world, 'validate', '--json'))).toMatchObject({ error: { message, next } });
        expect(await world.states(ITEM)).toEqual([]);
      };
      await items((file) => file.replace(/session_params: .*/, wrong));
      await expectRefused('session_params');
      await world.write(
        'loads/acquisition/item.yaml',
        itemFile({ from: 'sql: item.sql, cursor: id', yaml: `before: [ { sql: select 1, ${wrong} } ]` }),
      );
      await expectRefused('before');
    });
  },
);

/** A core load from `orders` into what `outputs` names; its SQL inserts into `into`. */
const SALES = ({
  settings,
  inputs,
  outputs,
  into,
}: Record<'settings' | 'inputs' | 'outputs' | 'into', string>): string => `
kind: core
connection: warehouse
inputs: [ { table: ${inputs}, external: true } ]
session_params: ${settings}
stages: [ { name: s, sql: "insert into ${into} select o.id, :batch_id from {{ ${inputs} }} o", chunk: { input: ${inputs}, rows: 20 } } ]
outputs: [ ${outputs} ]
checks: [ { name: no, sql: select ok from core.switch, expect: 1 } ]`;

// MySQL and MariaDB have none: a name without a schema is of the connection's database.
describe.each(servers)('search_path on $name', { timeout: 120_000 }, (server) => {
  const it = inTurns(import.meta.url, server, servers);
  let world: World;
  afterEach(() => world.close());

  /** 50 orders in `public`; other tables of their names in `etl` and `mart`. */
  async function sales(load: Parameters<typeof SALES>[0], warehouse = ''): Promise<void> {
    const { warehouse: orders } = ORDERS(50);
    world = await World.create(server, {
      files: { 'loads/core/order.yaml': SALES(load) },
      warehouse: `${orders!} create table core.switch (ok int); insert into core.switch values (0);
        create table public.orders as table acq.orders; create schema mart; create schema etl;
        create table mart.sales (id bigint, batch_id bigint not null); create index on mart.sales (batch_id); ${warehouse}`,
    });
    await world.worker();
  }

  it('that makes another table of a name is refused, before anything is touched', async () => {
    const load = { settings: '{ search_path: mart }', inputs: 'acq.orders', outputs: 'sales', into: 'sales' };
    await sales(
      load,
      `create table public.sales (like mart.sales including all); create table etl.sales (like mart.sales including all);
      create table etl.orders as table acq.orders;
      do $$ begin execute format('alter database %I set search_path = etl, public', current_database()); end $$;`,
    );
    const refused = async (message: string, changed: Partial<typeof load>): Promise<void> => {
      await world.write('loads/core/order.yaml', SALES({ ...load, ...changed }));
      const said = await world.run('core.order');
      expect(said).toMatchObject({ ok: false, type: 'Refused', message });
      for (const command of ['validate', 'plan core.order']) {
        const { stdout, stderr } = await waybill(world, ...command.split(' '));
        expect(`${stdout}${stderr}`.replaceAll('`', '')).toContain(message);
      }
    };
    const session = 'sales without schema means public.sales here, and by search_path mart.sales in SQL';
    await refused(session, {});
    await refused(
      'by search_path, this inserts into mart.sales, and the load has public.sales: no roll back would find the rows',
      { outputs: 'public.sales' },
    );
    // No server plans it, but its name leads elsewhere, too.
    await refused(
      'by search_path, this inserts into mart.sales, and the load has etl.sales: no roll back would find the rows',
      {
        settings: `{ search_path: mart }\nbefore: [ "copy sales (id) from '/tmp/sales'" ]`,
        outputs: 'etl.sales',
        into: 'etl.sales',
      },
    );
    await refused('orders without schema means public.orders here, and by search_path etl.orders in SQL', {
      ...{ settings: '{ app.x: 1 }', inputs: 'orders', outputs: 'mart.sales', into: 'mart.sales' },
    });
    expect(await world.value('select count(*) from waybill.batch')).toBe('0');
    expect(await world.value('select count(*) from public.orders')).toBe('50');
  });

  it('that SQL uses: a name of the file stays what it is, and the rows of a failed batch go from where they are', async () => {
    const load = { settings: '{ search_path: mart }', inputs: 'orders', outputs: 'mart.sales', into: 'sales' };
    await sales(load);
    expect(await waybill(world, 'validate')).toMatchObject({ exitCode: 0 });
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'CheckFailed' });
    expect(await world.value('select count(*) from mart.sales')).toBe('0');
    await world.warehouse.query('update core.switch set ok = 1');
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 50 } });
    expect(await world.value('select count(*) from mart.sales')).toBe('50');
    expect(await world.value(`select to_regclass('public.orders_processing')`)).toBeNull();
  });

  it('that an earlier version followed in names of the file: rows of its batches are found where they are', async () => {
    const load = {
      settings: '{ app.x: 1 }\non_failure: hold',
      inputs: 'acq.orders',
      outputs: 'mart.sales',
      into: 'mart.sales',
    };
    await sales(load);
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'CheckFailed' });
    await world.warehouse.query(`update waybill.batch_output set table_name = 'sales';
      do $$ begin execute format('alter database %I set search_path = mart', current_database()); end $$;`);
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'CheckFailed' });
    expect(await world.rows('select batch_id, count(*) as n from mart.sales group by 1')).toEqual([
      { batch_id: '2', n: '50' },
    ]);
  });
});
