/** Sources by which a cursor would pass over rows without a word: refused, and the landing table is whole all the same. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { document, waybill } from '../cli/command-line.ts';
import { oneOf } from '../seed.ts';
import { servers } from '../servers.ts';
import { COLUMNS, expectAcquired, ITEM, itemFile, ITEMS, PLAIN_SOURCE } from './items.ts';
import { subscribe } from './own-publisher.ts';
import { startOwnServer, type OwnServer } from './own-server.ts';
import { until, World } from './world.ts';

vi.setConfig({ testTimeout: 120_000 });

describe.each(oneOf(servers, import.meta.url))('a cursor of numbers on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  const refusal = async () => {
    const refused = await world.run(ITEM);
    return refused.ok ? { ok: true } : { message: refused.message, next: refused.next };
  };

  test('whose sequence hands numbers out before they are used, downwards or anew is refused, and says what to do', async () => {
    world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(100), columns: COLUMNS }));
    await world.worker();
    const who = 'sequence public.item_id_seq, which numbers public.item.id on source,';
    await world.source.query('alter sequence item_id_seq cache 20');
    const cached = {
      message: `${who} has CACHE 20: a session keeps numbers for later, and rows with them would come behind what was read`,
      next: 'alter sequence public.item_id_seq cache 1, and let the sessions that write end; or use a time column as cursor',
    };
    expect(await refusal()).toEqual(cached);
    expect(document(await waybill(world, 'run', ITEM, '--json'))).toMatchObject({ error: cached });
    const plan = await waybill(world, 'plan', ITEM);
    expect(plan.stdout + plan.stderr).toContain('has CACHE 20');

    // Below a view or a query it is the same, and in a partition.
    await world.source.query(`create view numbered as select id as n, name from item;
      create view seen as select i.n as id, i.name from numbered i join item other on other.id = i.n;
      create table part (id bigint default nextval('item_id_seq'), name text) partition by range (id);
      create table part_1 partition of part default`);
    for (const [from, column] of [
      ['table: public.seen, cursor: id', 'public.item.id'],
      ['sql: "select id, name from item where id > 0", cursor: id', 'public.item.id'],
      [
        'sql: "select * from (select id, name from item union all select id, name from seen) both_", cursor: id',
        'public.item.id',
      ],
      ['table: public.part, cursor: id', 'public.part.id'],
      ['table: public.part_1, cursor: id', 'public.part.id'],
    ] as const) {
      await world.write('loads/acquisition/item.yaml', itemFile({ from }));
      expect((await refusal()).message, from).toContain(
        `sequence public.item_id_seq, which numbers ${column} on source, has CACHE 20`,
      );
    }
    await world.write('loads/acquisition/item.yaml', itemFile({}));
    await world.source.query('drop table part');

    await world.source.query('alter sequence item_id_seq cache 1 increment -1 minvalue -1000');
    expect(await refusal()).toEqual({
      message: `${who} counts down: new rows would come behind what was read`,
      next: 'use a column that grows as cursor',
    });
    expect(await world.states(ITEM)).toEqual([]);

    // An identity or a default, it is the same.
    await world.source.query(`alter table item alter id drop identity; create sequence numbers start 101;
      alter table item alter id set default nextval('numbers')`);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 100 } });
    await world.source.query(`insert into item (name) values ('one more')`); // a second window: it, too, must be left behind
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    await world.source.query(`create table old as table item; truncate item; alter sequence numbers restart with 1;
      insert into item (name) values ('anew'), ('anew')`);
    expect(await refusal()).toEqual({
      message:
        'sequence public.numbers, which numbers public.item.id on source, gives out 3 next, which batch 1 has ' +
        'read, and all that was read reaches up to 102: rows with the numbers between would never be read (was the table emptied, and numbered anew?)',
      next:
        'let it go on behind them (alter sequence public.numbers restart with 102), and give rows that have such ' +
        'numbers already new ones; or begin anew under another load name',
    });
    await world.source.query(`alter sequence public.numbers restart with 102; update item set id = nextval('numbers')`);
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
    await world.source.query('insert into item table old');
    await expectAcquired(world);
  });
});

describe.each(oneOf(servers, import.meta.url))('a standby as a source, of $name', (server) => {
  let world: World;
  let own: OwnServer;
  afterEach(async () => {
    await world.close();
    await own.remove();
  });

  test('is refused where nothing would protect against late commits, and read with a lag or without a cursor', async () => {
    own = await startOwnServer(server, { wal_level: 'replica' });
    world = await World.create(server, ITEMS({ source: '', columns: COLUMNS }));
    world.env['SOURCE_URL'] = own.url;
    const source = await world.another('source');
    await source.query(
      `${PLAIN_SOURCE(50)} alter table item add at timestamptz not null default now() - interval '1 hour'`,
    );
    await world.warehouse.query('alter table acq.item add at timestamptz');
    await source.query('checkpoint');
    const { rows } = await source.query<{ directory: string }>(`select current_setting('data_directory') as directory`);
    await own.stopAtOnce();
    await writeFile(join(rows[0]!.directory, 'standby.signal'), '');
    await own.start();
    const standby = await until(() => world.another('source').catch(() => undefined));
    expect((await standby.query('select pg_is_in_recovery() as yes')).rows).toEqual([{ yes: true }]);
    await world.worker();

    const next =
      'connect to the primary; or use a time column as cursor, with a lag longer than the longest transaction ' +
      'and the delay of the standby together';
    const message = 'source is a standby: transactions that are open on its primary cannot be waited for, and ';
    expect(await world.run(ITEM)).toMatchObject({ message: `${message}a cursor of numbers has no lag`, next });
    await world.write('loads/acquisition/item.yaml', itemFile({ from: 'table: public.item, cursor: at, lag: 0s' }));
    expect(await world.run(ITEM)).toMatchObject({ message: `${message}there is no lag`, next });
    expect(await world.states(ITEM)).toEqual([]);
    await world.write('loads/acquisition/item.yaml', itemFile({ from: 'table: public.item, cursor: at, lag: 1m' }));
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 50 } });
    await world.write('loads/acquisition/item.yaml', itemFile({ from: 'table: public.item' }));
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 50 } });
  });
});

describe.each(oneOf(servers, import.meta.url))('a subscription that fills a source, on $name', (server) => {
  let world: World;
  let own: OwnServer;
  afterEach(async () => {
    await world.close();
    await own.remove();
  });

  test('is told by the table, a view or query of it, or a partition: refused without a lag, for nobody sees who is late on the publisher', async () => {
    const warehouse = `create table acq.other (id bigint, name text, batch_id bigint not null,
      ngdw_id bigint generated by default as identity primary key)`;
    world = await World.create(server, ITEMS({ source: '', columns: `${COLUMNS}, at timestamptz`, warehouse }));
    const subscribed = await subscribe(world, server, {
      published: `
        create table item (id bigint, name text, amount numeric(12,2), at timestamptz default now() - interval '1 hour');
        create table part (id bigint, name text) partition by range (id);
        create table part_1 partition of part default`,
      subscribed: `
        create table other (id bigint, name text);
        insert into other values (1, 'other');
        create view seen as select i.id, i.name from other o join item i using (id)`,
      publication: 'for table item, part with (publish_via_partition_root)',
    });
    own = subscribed.own;
    const { publisher, subscriber } = subscribed;
    await world.worker();
    const refusal = async (from: string) => {
      await world.write('loads/acquisition/item.yaml', itemFile({ from }));
      const refused = await world.run(ITEM);
      return refused.ok ? { ok: true } : { message: refused.message, next: refused.next };
    };
    const next =
      'connect to the publisher; or use a time column as cursor, with a lag longer than the longest transaction ' +
      'and the delay of the subscription together';
    const filled = (table: string, why: string) => ({
      message: `${table} on source is filled by subscription shop: transactions that are open on its publisher cannot be waited for, ${why}`,
      next,
    });
    const numbers = 'and a cursor of numbers has no lag';
    expect(await refusal('table: public.item, cursor: id')).toEqual(filled('item', numbers));
    expect(await refusal('table: public.seen, cursor: id')).toEqual(filled('item', numbers));
    expect(await refusal('sql: "select id, name from item where id > 0", cursor: id')).toEqual(filled('item', numbers));
    expect(await refusal('table: public.part, cursor: id')).toEqual(filled('part', numbers));
    expect(await refusal('table: public.part_1, cursor: id')).toEqual(filled('part', numbers));
    expect(await refusal('table: public.item, cursor: at, lag: 0s')).toEqual(filled('item', 'and there is no lag'));
    expect(await world.states(ITEM)).toEqual([]);

    await publisher.query(`insert into item (id, name) values (1, 'a'), (2, 'b')`);
    await until(async () => (await subscriber.query('select from item')).rowCount === 2);
    await world.write('loads/acquisition/item.yaml', itemFile({ from: 'table: public.item, cursor: at, lag: 1m' }));
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
    // The other tables of that database are what they were.
    const other = itemFile({ from: 'table: public.other, cursor: id' }).replace('acq.item', 'acq.other');
    await world.write('loads/acquisition/other.yaml', other);
    expect(await world.run('acquisition.other')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
  });
});
