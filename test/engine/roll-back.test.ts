import { afterEach, describe, expect, test } from 'vitest';
import { waybill } from '../cli/command-line.ts';
import { pauseUpdate, progressQuery, resumeUpdate } from '../../src/workflows/message-definitions.ts';
import { inTurns, oneOfEachFamily, someServers } from '../every-server.ts';
import { servers } from '../servers.ts';
import { asLoader } from './as-loader.ts';
import { expectWhole, ORDERS, SLOW_SQL, World } from './orders.ts';
import { REFERRING } from './referring.ts';
import { ended, until, type WorldOptions } from './world.ts';

/** Rows that fill a page by four, so that a few thousand are several transactions of a roll back; the batch fails its check. */
const WIDE_ORDERS = ORDERS(6_000, {
  rows: 2_000,
  lanes: 1,
  sql: `
insert into core.orders (id, customer, amount, batch_id)
select o.id, repeat('x', 1900), o.amount * 2, :batch_id from {{ acq.orders }} o`,
  yaml: 'checks: [ { name: never, sql: "select 1", expect: 0 } ]',
});

const CHECKED_ORDERS = ORDERS(300, { yaml: 'checks: [ { name: no, sql: select ok from core.switch, expect: 1 } ]' });
/** Batches fail their check until `core.switch` says otherwise. */
const SWITCHED_ORDERS = {
  ...CHECKED_ORDERS,
  warehouse: `${CHECKED_ORDERS.warehouse!} create table core.switch (ok int); insert into core.switch values (0);`,
};

// Pages, rules, and triggers that keep a row from going: PostgreSQL's.
describe.each(servers)('a roll back on $name', { timeout: 120_000 }, (server) => {
  const it = inTurns(import.meta.url, server, servers);
  let world: World;
  afterEach(() => world.close());

  it('takes a row, too, that somebody moves meanwhile to a page that it is through with', async () => {
    world = await World.create(server, WIDE_ORDERS);
    const { warehouse } = world;
    await warehouse.query(`
      drop index core.orders_by_batch; -- nothing leads to its rows: it goes over the table as a whole
      alter table core.orders set (autovacuum_enabled = off);
      create function core.wait() returns trigger language plpgsql as
        'begin if exists (select from waybill.batch where state = ''rolling_back'') then
           perform pg_advisory_xact_lock_shared(42); end if; return null; end';
      create trigger wait after delete on core.orders for each statement execute function core.wait();
      select pg_advisory_lock(42)`);
    // 100 pages before those of the batch, of rows that never come to be: a vacuum takes them at once, whoever else is at work on the
    // server, where it leaves a deleted row as long as the roll back might see it.
    const other = await world.another('warehouse');
    await other.query(`
      begin;
      insert into core.orders select g, repeat('x', 1900), g, 0 from generate_series(10001, 10400) g`);
    await world.worker();
    const handle = await world.start('core.order');
    const waiting = `select count(*) from pg_locks where not granted and locktype = 'advisory'
                     and database = (select oid from pg_database where datname = current_database())`;
    await until(async () => (await world.value(waiting)) === '1');
    expect(await world.value('select count(*) from waybill.batch where state = $1', ['rolling_back'])).toBe('1');
    await other.query('rollback');
    // A vacuum leaves a page that somebody looks at just now.
    await until(async () => {
      await warehouse.query('vacuum core.orders');
      const moved = await world.rows<{ page: number }>(`
        update core.orders set amount = 0 where id > 5900 and id <= 5950 returning (ctid::text::point)[0]::int as page`);
      return moved.some(({ page }) => page < 100);
    });
    await warehouse.query('select pg_advisory_unlock(42)');
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'CheckFailed' });
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await world.states('core.order')).toEqual(['failed']);
  });

  it('that meets a trigger which keeps rows says which and stops; the next start finishes it once the trigger is gone', async () => {
    world = await World.create(server, SWITCHED_ORDERS);
    const { warehouse } = world;
    await warehouse.query(`
      create function core.keep() returns trigger language plpgsql as 'begin return null; end';
      create trigger keep before delete on core.orders for each row when (old.id > 290) execute function core.keep()`);
    await world.worker();
    const kept =
      '10 rows of batch 1 stay in core.orders, however often they are deleted: kept by trigger keep on core.orders, it seems';
    const next =
      'drop or disable that, or have it let the user of this connection delete; then start the load again: it finishes ' +
      'the roll back first';
    const failed = await world.run('core.order');
    expect(failed).toMatchObject({ ok: false, type: 'CheckFailed', next });
    expect(!failed.ok && failed.message).toContain(`and the roll back is not finished: ${kept}`);
    expect(await world.value('select count(*) from core.orders')).toBe('10');
    expect(await world.run('core.order')).toMatchObject({ ok: false, message: kept, next });
    expect(await world.states('core.order')).toEqual(['rolling_back']);
    await warehouse.query('drop trigger keep on core.orders; update core.switch set ok = 1');
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    expect(await world.states('core.order')).toEqual(['failed', 'published']);
    await expectWhole(world);
  });

  it('of rows that refer to older ones of their table takes one part after the other, however many', async () => {
    // 128 rows, each on a page of its own, are one transaction: only the last ones can go before others.
    const options = REFERRING(
      'select count(*) from core.node',
      `insert into acq.node select g from generate_series(1501, 2000) g;
       -- How often a delete began is told by the sequence, and by the table how often it was not undone.
       create sequence core.begun; create table core.gone (n bigint);
       create function core.begin() returns trigger language plpgsql as
         'begin insert into core.gone values (nextval(''core.begun'')); return null; end';
       create trigger begin before delete on core.node for each statement execute function core.begin();`,
    );
    world = await World.create(server, {
      ...options,
      files: {
        ...options.files,
        'loads/core/node.yaml':
          options.files['loads/core/node.yaml']
            .replace('[ core.node, core.leaf ]', '[ core.node ]')
            .replace(', { name: leaves, sql: leaf.sql }', '') + 'lanes: 1',
        'loads/core/node.sql': `
          insert into core.node (id, parent, pad, batch_id)
          select n.id, nullif(n.id - 1, 0), repeat('x', 7000), :batch_id from {{ acq.node }} n order by n.id`,
      },
    });
    await world.worker({ rollBackRows: 128 });
    expect(await world.run('core.node')).toMatchObject({
      ok: false,
      type: 'CheckFailed',
      message: expect.not.stringContaining('roll back') as string,
    });
    expect(await world.states('core.node')).toEqual(['failed']);
    expect(await world.value('select count(*) from core.node')).toBe('0');
    // The last part goes first.
    const [tries] = await world.rows(`
      select (select last_value from core.begun) - count(*) as failed, count(*) > 4 as several from core.gone`);
    expect(tries).toEqual({ failed: '0', several: true });
  });

  it('that would meet a rule in the place of every delete is refused before anything is written', async () => {
    world = await World.create(server, ORDERS(20));
    const { warehouse } = world;
    await warehouse.query(`
      alter table core.orders add gone boolean not null default false;
      create rule soft as on delete to core.orders do instead
        update core.orders set gone = true where core.orders.id = old.id`);
    await world.worker();
    const refusal = {
      ok: false,
      type: 'Refused',
      message:
        'core.orders keeps its rows when they are deleted (rule soft on core.orders): no batch could be taken back',
      next: 'drop the rule, or have the load write to a table without one',
    };
    expect(await world.run('core.order')).toMatchObject(refusal);
    // Of a partition it is the same; one of the partitioned table itself has no say where its partitions are emptied.
    await warehouse.query(`
      drop table core.orders;
      create table core.orders (id bigint, customer text, amount numeric(12,2), batch_id bigint not null)
        partition by range (id);
      create table core.few partition of core.orders default;
      create rule soft as on delete to core.few do instead nothing`);
    expect(await world.run('core.order')).toMatchObject({
      ...refusal,
      message: 'core.orders keeps its rows when they are deleted (rule soft on core.few): no batch could be taken back',
    });
    expect(await world.states('core.order')).toEqual([]);
    await warehouse.query('alter table core.few disable rule soft');
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await expectWhole(world);
  });
});

// Publications of PostgreSQL; a binary log has what it needs, be there a key or not.
describe.each(servers)('an output that is published with its deletes, on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('is refused where a delete would be, by a start and by validate; a roll back takes the rows of the others', async () => {
    world = await World.create(server, SWITCHED_ORDERS);
    const { warehouse } = world;
    await warehouse.query(`
      create publication everything for all tables`);
    await world.worker();
    const refusal = (part: string, reason: string) => ({
      ok: false,
      type: 'Refused',
      message: `core.orders would keep the rows of a batch that has to be taken back: cannot ${reason}`,
      next: expect.stringMatching(`^alter table ${part} replica identity full`) as string,
    });
    const noIdentity = (name: string): string =>
      `delete from table "${name}" because it does not have a replica identity and publishes deletes`;
    expect(await world.run('core.order')).toMatchObject(refusal('core.orders', noIdentity('orders')));
    const validated = await waybill(world, 'validate');
    expect(validated).toMatchObject({ exitCode: 2 });
    expect(validated.stdout + validated.stderr).toContain(noIdentity('orders'));

    // A filter of rows by a column that the subscriber could not be told.
    await warehouse.query(`
      drop publication everything; alter table core.orders add primary key (id);
      create publication large for table core.orders where (amount > 7)`);
    const filtered = await world.run('core.order');
    expect(filtered).toMatchObject(
      refusal(
        'core.orders',
        'delete from table "orders". Column used in the publication WHERE expression is not part of the replica identity.',
      ),
    );

    await warehouse.query(`
      drop publication large; drop table core.orders;
      create table core.orders (id bigint, customer text, amount numeric(12,2), batch_id bigint not null)
        partition by range (id);
      create table core.few partition of core.orders for values from (1) to (9);
      create table core.many partition of core.orders default;
      alter table core.few replica identity full;
      create publication rooted for table core.orders with (publish_via_partition_root)`);
    expect(await world.run('core.order')).toMatchObject(refusal('core.many', noIdentity('many')));
    expect(await world.states('core.order')).toEqual([]);

    await warehouse.query('alter table core.many replica identity full');
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'CheckFailed' });
    expect(await world.states('core.order')).toEqual(['failed']);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    await warehouse.query('update core.switch set ok = 1');
    // Nobody is told of deletes: no identity is needed.
    await warehouse.query(`
      alter publication rooted set (publish = 'insert'); alter table core.many replica identity nothing`);
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
    await expectWhole(world);
  });
});

describe.each(someServers(import.meta.url))('a roll back on $name of an output', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('that is gone ends, and says where its rows may be; the next start goes on', async () => {
    const check = 'checks: [ { name: no, sql: select ok from core.switch, expect: 1 } ]';
    world = await World.create(server, ORDERS(300, { yaml: `before: [ switch.sql ]\n${check}` }));
    const { warehouse } = world;
    // A table that a step was to make, and did not.
    await world.write('loads/core/switch.sql', 'update core.switch set ok = ok');
    await warehouse.query('alter table core.orders rename to was_orders');
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false });
    expect(await world.states('core.order')).toEqual(['failed']);
    expect(await world.rows('select reason from waybill.event where what = $1', ['output_gone'])).toEqual([
      {
        reason:
          'there is no core.orders to take rows out of; if it was renamed, the rows of this batch are in it still: ' +
          'delete those whose batch_id is 1',
      },
    ]);
    await warehouse.query(`
      alter table core.was_orders rename to orders; create table core.switch (ok int); insert into core.switch values (1)`);
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await expectWhole(world);
  });
});

const REFERRING_ROWS = REFERRING('select 1');

describe.each(oneOfEachFamily(import.meta.url))('a roll back on $name of rows', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  // Lanes that delete rows of one web of references get into deadlocks, of which each is waited for before the next attempt.
  const deadlocks = { timeout: 240_000 };
  test(
    'that refer to each other takes them together; one that somebody else refers to stays, and is told',
    deadlocks,
    async () => {
      world = await World.create(server, REFERRING_ROWS);
      await world.worker();
      expect(await world.run('core.node')).toMatchObject({ ok: false, type: 'CheckFailed' });
      expect(await world.states('core.node')).toEqual(['failed']);
      const count = 'select count(*) from core.node';
      expect([await world.value(count), await world.value('select count(*) from core.leaf')]).toEqual(['0', '0']);

      await world.warehouse.query(`
      create table core.elsewhere (node bigint); create index elsewhere_by_node on core.elsewhere (node);
      alter table core.elsewhere add constraint elsewhere_node foreign key (node) references core.node (id)`);
      await world.write(
        'loads/core/elsewhere.sql',
        `${REFERRING_ROWS.files['loads/core/leaf.sql']}; insert into core.elsewhere values (1234)`,
      );
      await world.write(
        'loads/core/node.yaml',
        REFERRING_ROWS.files['loads/core/node.yaml'].replace('leaf.sql', 'elsewhere.sql'),
      );
      const refused = await world.run('core.node');
      expect(refused).toMatchObject({ ok: false, type: 'CheckFailed' });
      expect(!refused.ok && refused.message).toMatch(/and the roll back is not finished: .*foreign key/i);
      expect(await world.value(count)).not.toBe('0');
      await world.warehouse.query('delete from core.elsewhere');
      await world.write('loads/core/node.yaml', REFERRING_ROWS.files['loads/core/node.yaml']);
      expect(await world.run('core.node')).toMatchObject({ ok: false, type: 'CheckFailed' });
      expect(await world.states('core.node')).toEqual(['failed', 'failed', 'failed']);
      expect(await world.value(count)).toBe('0');
    },
  );
});

/** Somebody truncates the output while lanes write to it. */
async function truncatedMidway(world: World, truncate = 'truncate core.orders'): Promise<void> {
  await world.worker();
  const handle = await world.start('core.order');
  await until(async () => (await world.count(`select n from waybill.chunk where state = 'done'`)) > 1);
  await world.warehouse.query(truncate);
  expect(await ended(handle)).toMatchObject({
    ok: false,
    message: expect.stringMatching(/core\.orders holds no rows of batch 1/) as string,
  });
  expect(await world.run('core.order')).toMatchObject({ ok: true });
  await expectWhole(world);
}

describe.each(oneOfEachFamily(import.meta.url))('an output on $name, in mid-load', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  const MADE_ANEW =
    'create table core.orders (id bigint, customer text, amount numeric(12,2), batch_id bigint not null);';

  /** `change` while the lane waits between two chunks. */
  async function changed(
    change: string,
    first?: () => Promise<void>,
    yaml = '',
  ): Promise<Awaited<ReturnType<typeof ended>>> {
    world = await World.create(server, ORDERS(600, { rows: 100, byKey: true, sql: SLOW_SQL(0.3), lanes: 1, yaml }));
    await first?.();
    await world.worker();
    const handle = await world.start('core.order');
    await until(async () => (await world.count(`select n from waybill.chunk where state = 'done'`)) > 1);
    await handle.executeUpdate(pauseUpdate);
    await until(async () => (await world.count(world.words.lanesAtWork)) === 0);
    await world.warehouse.query(change);
    await handle.executeUpdate(resumeUpdate);
    return ended(handle);
  }

  const isMysql = (): boolean => world.words.family === 'mysql';
  const foundEmpty =
    /core\.orders holds no rows of batch 1, or not all: another table has its name since, or it was emptied/;

  async function expectFailed(end: Awaited<ReturnType<typeof ended>>, message: RegExp): Promise<void> {
    expect(end).toMatchObject({
      ...{ ok: false, message: expect.stringMatching(message) as string },
      next: expect.stringMatching(
        /^start the load again: it writes all rows into the table that has the name/,
      ) as string,
    });
    expect(await world.states('core.order')).toEqual(['failed']);
  }

  async function redo(): Promise<void> {
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    expect(await world.states('core.order')).toEqual(['failed', 'published']);
    await expectWhole(world);
  }

  const told = (): Promise<unknown[]> => world.rows('select what from waybill.event where what = $1', ['output_gone']);

  test('renamed, and another in its place: the batch fails, its rows go from where they are, the next start has all', async () => {
    const end = await changed(`alter table core.orders rename to was_orders; ${MADE_ANEW}`);
    await expectFailed(end, isMysql() ? foundEmpty : /core\.orders is another table than batch 1 began with/);
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    expect(await told()).toHaveLength(isMysql() ? 1 : 0);
    const left = Number(await world.value('select count(*) from core.was_orders'));
    if (!isMysql()) {
      expect(left).toBe(0);
      return redo();
    }
    // Nothing leads to it there. Should it come back, it is not written to over these rows.
    expect(left).toBeGreaterThan(0);
    await world.warehouse.query('drop table core.orders; alter table core.was_orders rename to orders');
    expect(await world.run('core.order')).toMatchObject({
      ok: false,
      message: 'core.orders holds rows of batch 1, which was rolled back while another table had its name',
      next: 'delete from core.orders where batch_id = 1, then start the load again',
    });
    await world.warehouse.query('delete from core.orders where batch_id = 1');
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await expectWhole(world);
    expect(await world.value('select count(*) from waybill.batch_output where unreached')).toBe('0');
  });

  test('dropped and made anew: the batch fails, and the next start has all', async () => {
    const end = await changed(`drop table core.orders; ${MADE_ANEW}`);
    await expectFailed(end, isMysql() ? foundEmpty : /core\.orders is another table than batch 1 began with/);
    await redo();
  });

  test('without its column batch_id: the roll back says what to do, and the start after that ends it', async () => {
    const lost = /core\.orders has no column batch_id any more: nothing tells which of its rows are those of batch 1/;
    const end = await changed('alter table core.orders drop column batch_id');
    expect(end).toMatchObject({ ok: false, message: expect.stringMatching(lost) as string });
    expect(await world.run('core.order')).toMatchObject({
      ...{ ok: false, message: expect.stringMatching(lost) as string },
      next: expect.stringMatching(/^give it back \(alter table core.orders add column batch_id bigint\)/) as string,
    });
    expect(await world.states('core.order')).toEqual(['rolling_back']);
    await world.warehouse.query('delete from core.orders; alter table core.orders add column batch_id bigint');
    await redo();
  });

  test('altered, indexed and rewritten: the batch goes on, and is published', async () => {
    const end = await changed(`
      alter table core.orders add more int default 7; create index orders_by_customer on core.orders (id, amount);
      ${server.url.startsWith('postgres') ? 'cluster core.orders using orders_by_batch' : 'optimize table core.orders'}`);
    expect(end).toMatchObject({ ok: true, result: { rowsWritten: 600 } });
    await expectWhole(world);
  });

  test('renamed, and another in its place, once its chunks are done: is not published', async () => {
    const slow = 'select 0 * count(*) from (select pg_sleep(3)) pause';
    world = await World.create(server, ORDERS(300, { yaml: `checks: [ { name: slow, sql: "${slow}", expect: 0 } ]` }));
    await world.worker();
    const handle = await world.start('core.order');
    await until(async () => (await handle.query(progressQuery)).phase === 'checking');
    await world.warehouse.query(`alter table core.orders rename to was_orders; ${MADE_ANEW}`);
    const end = await ended(handle);
    await expectFailed(end, isMysql() ? foundEmpty : /core\.orders is another table than batch 1 began with/);
    await redo();
  });

  test('truncated by somebody: the batch fails, and the next start has all', async () => {
    world = await World.create(server, ORDERS(600, { rows: 100, byKey: true, sql: SLOW_SQL(0.3), lanes: 2 }));
    await truncatedMidway(world);
  });

  test('truncated, and filled again with a part: the same', async () => {
    world = await World.create(server, ORDERS(600, { rows: 100, byKey: true, sql: SLOW_SQL(0.3), lanes: 2 }));
    await truncatedMidway(
      world,
      `create table core.kept as select * from core.orders order by id limit 150;
      begin; truncate core.orders; insert into core.orders select * from core.kept; commit`,
    );
  });

  test('partitioned, the same', async () => {
    world = await World.create(server, ORDERS(600, { rows: 100, byKey: true, sql: SLOW_SQL(0.3) }));
    const partitions = isMysql()
      ? '(partition few values less than (9), partition many values less than maxvalue)'
      : `; create table core.few partition of core.orders for values from (1) to (9);
         create table core.many partition of core.orders default`;
    await world.warehouse.query(`
      drop table core.orders;
      create table core.orders (id bigint, customer text, amount numeric(12,2), batch_id bigint not null)
        partition by range (id) ${partitions}`);
    await truncatedMidway(world);
  });

  if (server.url.startsWith('postgres')) {
    test('renamed, and a view on it in its place: the batch fails, and its rows go from where they are', async () => {
      const end = await changed(`
        alter table core.orders rename to real_orders; create view core.orders as select * from core.real_orders`);
      await expectFailed(end, /core\.orders is another table than batch 1 began with/);
      expect(await world.value('select count(*) from core.real_orders')).toBe('0');
      expect(await told()).toHaveLength(0);
      await world.warehouse.query('drop view core.orders; alter table core.real_orders rename to orders');
      await redo();
    });

    test('copied and dropped, and a view on the copy in its place: the roll back ends, and says where to look', async () => {
      const end = await changed(`
        create table core.real_orders as table core.orders; drop table core.orders;
        create view core.orders as select * from core.real_orders`);
      await expectFailed(end, /core\.orders is another table than batch 1 began with/);
      expect(await world.rows('select reason from waybill.event where what = $1', ['output_gone'])).toEqual([
        {
          reason:
            'core.orders is a view, and no table to take rows out of; if one was renamed or copied for it, the rows of this ' +
            'batch are in it still: delete those whose batch_id is 1',
        },
      ]);
    });
  } else {
    test('renamed, and back once batches were published in its place: not written to before the rows are gone', async () => {
      await changed(`alter table core.orders rename to was_orders; ${MADE_ANEW}`);
      await redo();
      await world.warehouse.query(`
        drop table core.orders; alter table core.was_orders rename to orders;
        insert into acq.orders values (601, 'late', 3)`);
      expect(await world.run('core.order')).toMatchObject({
        ok: false,
        message: 'core.orders holds rows of batch 1, which was rolled back while another table had its name',
        next: 'delete from core.orders where batch_id = 1, then start the load again',
      });
      const unreached = 'select count(*) from waybill.batch_output where unreached';
      expect(await world.value(unreached)).toBe('1');
      await world.warehouse.query('delete from core.orders where batch_id = 1');
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
      expect(await world.value('select count(*) from core.orders')).toBe('1');
      expect(await world.value(unreached)).toBe('0');
    });

    test('renamed, and back under a held batch that has done nothing: not gone on with before the rows are gone', async () => {
      await changed(
        `alter table core.orders rename to was_orders; ${MADE_ANEW.replace(/\);$/, ', check (id < 0));')}`,
        undefined,
        'on_failure: hold',
      );
      expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
      expect(await world.states('core.order')).toEqual(['failed', 'held']);
      await world.warehouse.query('drop table core.orders; alter table core.was_orders rename to orders');
      const resume = { load: 'core.order', resume: true };
      expect(await world.run(resume)).toMatchObject({
        ok: false,
        type: 'Refused',
        message:
          'batch 2 cannot be resumed: core.orders holds rows of batch 1, which was rolled back while another table had its name',
        next: 'delete from core.orders where batch_id = 1, then start the load again',
      });
      expect(await world.states('core.order')).toEqual(['failed', 'held']);
      await world.warehouse.query('delete from core.orders where batch_id = 1');
      expect(await world.run(resume)).toMatchObject({
        ok: true,
        result: { batch: { batchId: '2' }, rowsWritten: 600 },
      });
      await expectWhole(world);
      expect(await world.value('select count(*) from waybill.batch_output where unreached')).toBe('0');
    });

    test('truncated by somebody: once the next batch has looked for rows of the failed one, no start looks again', async () => {
      world = await World.create(server, ORDERS(600, { rows: 100, byKey: true, sql: SLOW_SQL(0.3), lanes: 2 }));
      await truncatedMidway(world);
      // A row that would be found tells of a look.
      await world.warehouse.query(`
        insert into core.orders values (0, 'found', 0, 1); insert into acq.orders values (601, 'late', 3)`);
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    });

    test('truncated by somebody, where the account has no PROCESS: it is not noticed, and published with what came after', async () => {
      const end = await changed('truncate core.orders', () => asLoader(world));
      expect(end).toMatchObject({ ok: true, result: { rowsWritten: 600 } });
      expect(Number(await world.value('select count(*) from core.orders'))).toBeLessThan(600);
    });
  }
});

// In the load's own transaction: LOCK TABLE, inheritance, CLUSTER and TRUNCATE, which end it on MySQL and MariaDB, or are not there.
describe.each(servers)('an output on $name, in mid-load', { timeout: 120_000 }, (server) => {
  const it = inTurns(import.meta.url, server, servers);
  let world: World;
  afterEach(() => world.close());

  it('that its own SQL locks for itself, truncated by somebody: the batch fails, and the next start has all', async () => {
    world = await World.create(
      server,
      ORDERS(600, { rows: 100, byKey: true, sql: `lock table core.orders; ${SLOW_SQL(0.3)}` }),
    );
    await truncatedMidway(world);
  });

  it('whose rows a trigger puts elsewhere, so that none is counted, the same', async () => {
    world = await World.create(server, ORDERS(600, { rows: 100, byKey: true, sql: SLOW_SQL(0.3) }));
    await world.warehouse.query(`
      create table core.orders_child () inherits (core.orders);
      create function core.redirect() returns trigger language plpgsql as
        'begin insert into core.orders_child select new.*; return null; end';
      create trigger redirect before insert on core.orders for each row execute function core.redirect()`);
    await truncatedMidway(world);
  });

  const andThen = (sql: string): WorldOptions => {
    const options = ORDERS(300);
    const file = 'loads/core/order.yaml';
    const yaml = options.files[file]!.replace(/\noutputs/, `\n  - { name: then, sql: ${sql} }\noutputs`);
    return { ...options, files: { ...options.files, [file]: yaml } };
  };

  it('rewritten by the load itself: it is published', async () => {
    world = await World.create(server, andThen('cluster core.orders using orders_by_batch'));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await expectWhole(world);
  });

  it('of which the load itself rewrites a partition: it is published', async () => {
    world = await World.create(server, andThen('truncate core.none'));
    await world.warehouse.query(`
      drop table core.orders;
      create table core.orders (id bigint, customer text, amount numeric(12,2), batch_id bigint not null) partition by range (id);
      create table core.none partition of core.orders for values from (-9) to (0);
      create table core.many partition of core.orders default`);
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await expectWhole(world);
  });
});
