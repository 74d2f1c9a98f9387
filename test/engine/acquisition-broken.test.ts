import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { oneOfEachFamily, someWays } from '../every-server.ts';
import {
  chunks,
  COLUMNS,
  expectAcquired,
  expectSameRows,
  halfway,
  ITEM,
  itemFile,
  ITEMS,
  PLAIN_SOURCE,
  SLOW_SOURCE,
} from './items.ts';
import { wordsAt, type ServerWords } from './server-words.ts';
import { ended, until, World } from './world.ts';

/** Connections of ours that read from the source now. */
const READERS: Record<ServerWords['family'], string> = {
  postgres: `select pid as id from pg_stat_activity where application_name like 'waybill read %'
             and datname = current_database() and query like 'copy %' and state = 'active'`,
  mysql: `select p.id from information_schema.processlist p where p.db = database() and p.state = 'User sleep'`,
};
const readers = async (world: World): Promise<number> =>
  (await world.source.query(READERS[world.sourceWords.family])).rows.length;

describe.each(someWays(import.meta.url))(
  'what breaks in the middle of a copy, from $source to $target',
  { timeout: 180_000 },
  ({ from, into }) => {
    let world: World;
    afterEach(() => world.close());

    const slow = (): Promise<World> =>
      World.create(into, ITEMS({ source: SLOW_SOURCE(1200, 0.002), columns: COLUMNS, yaml: 'lanes: 2' }), from);

    test('a worker that gets SIGKILL: another one goes on, each row once', async () => {
      world = await slow();
      const first = await world.workerProcess();
      const handle = await world.start(ITEM);
      await until(() => halfway(world), 90);
      await until(async () => (await readers(world)) > 0);
      first.kill('SIGKILL');
      const { done, all } = await chunks(world);
      expect(done).toBeGreaterThan(0);
      expect(done).toBeLessThan(all);
      await world.worker();
      expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 1200, chunks: 12 } });
      await expectSameRows(world, 'select id, name, amount from stock', 'select id, name, amount from acq.item');
    });

    test.each(['source', 'warehouse'])(
      'connections of the %s that are cut: the chunk is done again, each row once',
      async (side) => {
        world = await slow();
        await world.worker();
        const handle = await world.start(ITEM);
        for (const times of [1, 2]) {
          await until(async () => (await chunks(world)).done >= times * 2, 90);
          await until(async () =>
            side === 'source'
              ? world.end(READERS[world.sourceWords.family], world.source)
              : world.end(world.words.lanes),
          );
        }
        expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 1200, chunks: 12 } });
        await expectSameRows(world, 'select id, name, amount from stock', 'select id, name, amount from acq.item');
        expect(await world.states(ITEM)).toEqual(['published']);
      },
    );

    test('an error of the source in a late row: nothing of the chunk stays, and the message holds no value', async () => {
      const stock = (name: string, amount: string): string => `
      create table stock (id bigint primary key, name varchar(20), amount numeric(12,2));
      insert into stock select g, case g when 180 then 'secret' else '1' end, 1 from generate_series(1, 300) g;
      create view item as select id, ${name} as name, ${amount} as amount from stock;`;
      const source = {
        postgres: stock('name::int::text', '(amount / (case id when 290 then 0 else 1 end))::numeric(12,2)'),
        // Its casts only warn.
        mysql: `create function as_number(said varchar(20)) returns varchar(20) deterministic no sql
        begin if said = 'secret' then signal sqlstate '22018' set message_text = 'no number: secret'; end if; return said; end;
        create function whole(id bigint, n decimal(12,2)) returns decimal(12,2) deterministic no sql
        begin if id = 290 then signal sqlstate '22012' set message_text = 'nothing: 290'; end if; return n; end;
        ${stock('as_number(name)', 'whole(id, amount)')}`,
      };
      const {
        first: atFirst,
        ledger,
        second: atSecond,
      } = {
        postgres: {
          first: 'invalid text for the type (SQLSTATE 22P02)',
          ledger: 'invalid input syntax for type integer: "secret" (SQLSTATE 22P02)',
          second: 'division by zero (SQLSTATE 22012)',
        },
        mysql: {
          first: 'the SQL raised an exception of its own; its text stands in the ledger (error 1644)',
          ledger: 'no number: secret (error 1644)',
          second: 'the SQL raised an exception of its own; its text stands in the ledger (error 1644)',
        },
      }[wordsAt(from.url).family];
      world = await World.create(into, ITEMS({ source, columns: COLUMNS, yaml: 'lanes: 1' }), from);
      await world.worker();
      const first = await world.run(ITEM);
      expect(first).toMatchObject({ ok: false, type: 'Database' });
      expect(!first.ok && first.message).toBe(`chunk 2 of 3: on the source: ${atFirst}`);
      expect(await world.value(`select error from waybill.chunk where state = 'failed'`)).toBe(
        `on the source: ${ledger}`,
      );
      expect(await world.value(`select sum(attempts) from waybill.chunk`)).toBe('1');
      expect(await world.value('select count(*) from acq.item')).toBe('0');
      await world.source.query(`update stock set name = '2' where id = 180`);
      const second = await world.run(ITEM);
      expect(!second.ok && second.message).toBe(`chunk 3 of 3: on the source: ${atSecond}`);
      await world.source.query('update stock set id = 1290 where id = 290');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
      await expectAcquired(world);
      expect(await world.states(ITEM)).toEqual(['failed', 'failed', 'published']);
    });

    test('an error of the landing table: the batch fails with what it said, and the source is let go', async () => {
      world = await World.create(
        into,
        ITEMS({
          source: SLOW_SOURCE(400, 0.002),
          columns: 'id bigint, name varchar(6), amount numeric(12,2)',
          yaml: 'lanes: 1',
        }),
        from,
      );
      await world.worker();
      const failed = await world.run(ITEM);
      expect(!failed.ok && failed.message).toMatch(
        /^chunk 1 of 4: (value too long for type character varying\(6\) \(SQLSTATE 22001\)|Data too long for column 'name'.* \(error 1406\)|.*'name'.*)$/,
      );
      await until(async () => (await readers(world)) === 0, 30);
      expect(await world.value('select count(*) from acq.item')).toBe('0');
    });

    test('a held batch that is resumed brings the chunk that failed, and those that were done stay as they were', async () => {
      world = await World.create(
        into,
        ITEMS({
          source: PLAIN_SOURCE(300),
          columns: 'id bigint, name varchar(20), amount numeric(12,2)',
          yaml: 'lanes: 1\non_failure: hold',
        }),
        from,
      );
      await world.source.query(`update item set name = 'far too long for the landing table' where id = 290`);
      await world.worker();
      const failed = await world.run(ITEM);
      expect(!failed.ok && failed.message).toMatch(/^chunk 3 of 3: /);
      expect(await world.states(ITEM)).toEqual(['held']);
      const ledger = () =>
        world.rows<{ n: number; state: string }>(
          'select n, state, worker, row_count, started_at, finished_at from waybill.chunk order by n',
        );
      const before = await ledger();
      expect(before.map(({ state }) => state)).toEqual(['done', 'done', 'failed']);
      expect(await world.value('select count(*) from acq.item')).toBe('200');

      // What is done is not read again: a chunk that were would bring this.
      await world.source.query(`update item set name = 'another' where id < 200`);
      await world.source.query(`update item set name = 'short' where id = 290`);
      expect(await world.run({ load: ITEM, resume: true })).toMatchObject({
        ok: true,
        result: { rowsWritten: 300, chunks: 3, batch: { batchId: '1' } },
      });
      expect((await ledger()).slice(0, 2)).toEqual(before.slice(0, 2));
      await expectSameRows(
        world,
        `select id, case when id < 200 then concat('item ', mod(id, 31)) else name end as name, amount from item`,
        'select id, name, amount from acq.item',
      );
      expect(await world.states(ITEM)).toEqual(['published']);
    });

    test('a cancel ends the copy on both servers, and takes the rows out', async () => {
      world = await World.create(
        into,
        ITEMS({ source: SLOW_SOURCE(400, 0.1), columns: COLUMNS, chunkRows: 200 }),
        from,
      );
      await world.worker();
      const handle = await world.start(ITEM);
      await until(async () => (await readers(world)) === 2);
      await handle.cancel();
      expect(await ended(handle)).toMatchObject({ ok: false, type: 'Canceled' });
      expect(await world.states(ITEM)).toEqual(['cancelled']);
      expect(await world.value('select count(*) from acq.item')).toBe('0');
      await until(async () => (await readers(world)) === 0, 30);
    });

    test('within one database it needs one connection a lane, so that lanes never wait for each other', async () => {
      const options = ITEMS({ source: '', columns: COLUMNS });
      const file = itemFile({ yaml: 'lanes: 2' }).replace('connection: source', 'connection: warehouse');
      world = await World.create(into, {
        warehouse: `${options.warehouse} ${PLAIN_SOURCE(2000)}`,
        files: {
          'loads/acquisition/item.yaml': file,
          'waybill.yaml': `name: test\nconnections:\n  warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 4 }\n`,
        },
      });
      await world.worker();
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 2000, chunks: 20 } });
      expect(
        await world.value('select count(*) from item i join acq.item a using (id, name, amount) where a.batch_id = 1'),
      ).toBe('2000');
    });
  },
);

/** Ends the connection that reads it soon after the last row, if nothing is said on it. */
const IMPATIENT_SOURCE: Record<ServerWords['family'], string> = {
  postgres: `
    create function impatient(said text) returns text stable language plpgsql as
    $$ begin perform set_config('idle_in_transaction_session_timeout', '500', false); return said; end $$;`,
  mysql: `
    create function impatient(said text) returns text deterministic no sql
    begin set session wait_timeout = 1; return said; end;`,
};
const SLOW_LANDING: Record<ServerWords['family'], string> = {
  postgres: `
    create function slow() returns trigger language plpgsql as
    $$ begin if new.id = 1 then perform pg_sleep(2.5); end if; return new; end $$;
    create trigger slow before insert on acq.item for each row execute function slow();`,
  mysql: `
    create trigger acq.slow before insert on acq.item for each row
    begin if new.id = 1 then do sleep(2.5); end if; end;`,
};

test.each(oneOfEachFamily(import.meta.url))(
  'a connection to $name that is ended while the target still writes what it had sent: its rows are whole, and none is read again',
  { timeout: 180_000 },
  async (server) => {
    const { family } = wordsAt(server.url);
    const source = `${IMPATIENT_SOURCE[family]}
      create table stock (id bigint primary key, name text, amount numeric(12,2));
      insert into stock select g, concat('item ', g), 1 from generate_series(1, 20) g;
      create view item as select id, impatient(name) as name, amount from stock;`;
    // Reading again would go on until then. By a cursor it would wait for the transactions of other tests, too.
    const options = ITEMS({ source, columns: COLUMNS, from: 'table: public.item', yaml: 'max_runtime: 1m' });
    const world = await World.create(server, { ...options, own: SLOW_LANDING });
    onTestFinished(() => world.close());
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 20, chunks: 1 } });
    await expectSameRows(world, 'select id, name, amount from stock', 'select id, name, amount from acq.item');
  },
);
