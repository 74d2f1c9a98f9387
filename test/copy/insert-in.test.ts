import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { pourRows, SourceError } from '../../src/copy/copy-rows.ts';
import { SAVEPOINT, sql } from '../../src/database/sql.ts';
import { startMysql, type MysqlServer } from '../../src/dev/mysql-server.ts';
import { inTurns } from '../every-server.ts';
import { oneOf } from '../seed.ts';
import { describeOn, ownServers } from '../mysql-servers.ts';
import { chunks, COLUMNS as ITEM_COLUMNS, expectAcquired, ITEM, ITEMS, PLAIN_SOURCE } from '../engine/items.ts';
import { World } from '../engine/world.ts';
import type { MysqlTestServer } from '../mysql-on-demand.ts';
import { servers } from '../servers.ts';
import { Ends, families, isMysql, numbers, type AnyServer } from './ends.ts';
import { mostHeld } from './held.ts';

const COLUMNS = ['id', 'a', 'n', 'b'].map((name) =>
  name === 'b' ? { name, value: (written: string) => `unhex(substr(${written}, 3))` } : { name },
);
const MOST = 4 * 1024 * 1024;
/** Of 64 MB. */
const MOST_HELD = 25_000_000;
const sources = await families();
/** Each is one more server to start. */
const targets = oneOf(await ownServers(), import.meta.url);
/** A row for each transaction that has written some. */
const ROWS_WRITTEN = 'select trx_id from information_schema.innodb_trx where trx_rows_modified > 0';

/** What the family of a server calls them. */
const WORDS = {
  postgres: {
    columns: 'id bigint primary key, a text, n numeric(12,4), b bytea',
    quoted: String.raw`E'it''s \\ a\ttab\nline 😀 "q" %_'`,
    null: String.raw`E'\\N'`,
    bytes: (hex: string) => `decode(${hex}, 'hex')`,
    hex: (n: string) => `lpad(to_hex(${n}), 2, '0')`,
    slow: (seconds: number) => `(select 0 * count(pg_sleep(${seconds})) from (values (1)) one where id > 0)`,
  },
  mysql: {
    columns: 'id bigint primary key, a longtext character set utf8mb4, n decimal(12,4), b longblob',
    quoted: String.raw`'it''s \\ a\ttab\nline 😀 "q" %\_'`,
    null: String.raw`'\\N'`,
    bytes: (hex: string) => `unhex(${hex})`,
    hex: (n: string) => `lpad(lower(hex(${n})), 2, '0')`,
    slow: (seconds: number) => `sleep(${seconds})`,
  },
};
const wordsOf = (server: AnyServer): (typeof WORDS)['mysql'] => WORDS[isMysql(server) ? 'mysql' : 'postgres'];

describeOn(targets, 'rows by INSERT, where $name takes no file from clients', (known) => {
  let server: MysqlServer;
  let target: MysqlTestServer;
  let ends: Ends;
  beforeAll(async () => {
    const settings = { 'local-infile': 'OFF', 'max-allowed-packet': String(MOST) };
    server = await startMysql({ flavour: known.flavour, settings });
    target = { ...known, url: server.url() };
  }, 120_000);
  afterAll(() => server.stop());

  async function tables(rows: string, from: AnyServer = servers[0]!): Promise<void> {
    const opened = await Ends.create(from, target);
    onTestFinished(() => opened.close());
    ends = opened;
    await ends.sql('source', `create table t (${wordsOf(from).columns})`);
    await ends.sql('target', `create table t (${WORDS.mysql.columns})`);
    await ends.sql('source', `insert into t ${rows}`);
  }

  const copy = async (select = 'select id, a, n, b from t'): Promise<{ read: number; written: number }> => {
    const [from, into] = [await ends.begin('source'), await ends.begin('target')];
    await into.query(SAVEPOINT);
    try {
      const counts = await ends.copy(from, into, { select, columns: COLUMNS });
      await into.commit();
      return counts;
    } catch (error) {
      await into.rollbackToSavepoint();
      await into.commit();
      throw error;
    }
  };

  const same = async (from: AnyServer = servers[0]!): Promise<void> => {
    const hex = isMysql(from) ? 'lower(hex(b))' : `encode(b, 'hex')`;
    const sent = await ends.sql('source', `select id, a, n, ${hex} as b from t order by id`);
    const arrived = await ends.sql('target', 'select id, a, n, lower(hex(b)) as b from t order by id');
    expect(arrived).toEqual(sent);
  };

  test('no rows are no statement', async () => {
    await tables(`select g, 'x', 1, null from ${numbers(5)}`);
    expect(await copy('select id, a, n, b from t where id < 0')).toEqual({ read: 0, written: 0 });
  });

  test('a statement keeps within max_allowed_packet, and a row that cannot is an error that leaves nothing', async () => {
    await tables(`select g, repeat('y', 900000 * (1 + g % 4)), 1, null from ${numbers(10)}`);
    expect(await copy()).toEqual({ read: 10, written: 10 });
    await same();
    await ends.sql('target', 'delete from t');
    await ends.sql('source', `update t set a = repeat('z', ${MOST}) where id = 7`);
    await expect(copy()).rejects.toThrow("a row is longer than the server's max_allowed_packet");
    expect(await ends.sql('target', 'select id from t')).toEqual([]);
  });

  test('a row that does not fit is an error that leaves nothing', async () => {
    await tables(`select g, repeat('x', 100), 1, null from ${numbers(60000)}`);
    await ends.sql('target', 'alter table t add check (id <> 50000)');
    await expect(copy()).rejects.toMatchObject({ errno: target.flavour === 'MySQL' ? 3819 : 4025 });
    expect(await ends.sql('target', 'select id from t')).toEqual([]);
  });

  test('a row that does not fit has its number among all rows, as LOAD DATA says it', async () => {
    await tables(`select g, repeat('x', 100), case g when 50000 then 1000 else 1 end, null from ${numbers(60000)}`);
    await ends.sql('target', 'alter table t modify n decimal(6,4)');
    await expect(copy('select id, a, n, b from t order by id')).rejects.toThrow(/ at row 50000$/);
  });

  test('bytes that are not UTF-8 are an error, as they are to LOAD DATA', async () => {
    await tables(`select g, 'x', 1, null from ${numbers(1)}`);
    const session = await ends.begin('target');
    const { dialect } = ends.target;
    const rows = Buffer.from('1\tM\u00fcller\n', 'latin1');
    const pouring = pourRows(
      {
        open: (listener) => {
          listener.data(rows);
          listener.done(1);
          return { missing: 0, pause: () => undefined, resume: () => undefined };
        },
        cut: () => undefined,
        dialect,
      },
      { dialect, session },
      { table: 't', columns: [{ name: 'id' }, { name: 'a' }], format: 'text' },
    );
    await expect(pouring).rejects.toThrow('bytes that are not UTF-8');
    await session.rollback();
  });

  test('a source may take longer for its rows than the server waits for a word on the connection', async () => {
    await tables(`select g, 'x', 1, null from ${numbers(3)}`);
    const [source, into] = [await ends.begin('source'), await ends.begin('target')];
    await into.query(sql`set session wait_timeout = 1`);
    const select = `select id, a, n + ${wordsOf(servers[0]!).slow(1)}, b from t`;
    expect(await ends.copy(source, into, { select, columns: COLUMNS })).toEqual({ read: 3, written: 3 });
    await into.commit();
    await same();
  });

  describe.each(sources)('out of $name', (from) => {
    const turn = inTurns(import.meta.url, from, sources);

    turn('many statements bring every row, with special characters, bytes and nulls', async () => {
      const { quoted, null: said, bytes, hex } = wordsOf(from);
      await tables(
        `select g, case g % 5 when 0 then null when 1 then '' when 2 then concat(${quoted}, g) when 3 then ${said}
         else repeat('x', g % 700) end, case when g % 4 = 0 then null else g / 8.0 end,
         case when g % 3 = 0 then null else ${bytes(`repeat(${hex('g % 256')}, g % 9)`)} end from ${numbers(20000)}`,
        from,
      );
      expect(await copy()).toEqual({ read: 20000, written: 20000 });
      await same(from);
    });

    turn('a source that fails late is named, and nothing is left', async () => {
      await tables(`select g, repeat('x', 100), 1, null from ${numbers(60000)}`, from);
      const late = 'case when id < 59990 then n else (select x.n from t x where x.id <= t.id limit 2) end';
      await expect(copy(`select id, a, ${late}, b from t order by id`)).rejects.toThrow(SourceError);
      expect(await ends.sql('target', 'select id from t')).toEqual([]);
    });

    turn('a slow target holds the source back: nothing piles up in between', async () => {
      await tables(`select g, repeat('0123456789abcdef', 400), 1, null from ${numbers(10000)}`, from); // 64 MB
      await ends.sql(
        'target',
        `create trigger slow before insert on t for each row begin if new.id % 1000 = 1 then do sleep(0.3); end if; end`,
      );
      const most = await mostHeld(MOST_HELD, async () => {
        expect(await copy()).toEqual({ read: 10000, written: 10000 });
      });
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThan(MOST_HELD);
    });

    for (const side of ['source', 'target'] as const) {
      turn(`a connection to the ${side} that is cut in the middle: said at once, and nothing is left`, async () => {
        await tables(`select g, repeat('x', 1000), 1, null from ${numbers(20000)}`, from);
        const [source, into] = [await ends.begin('source'), await ends.begin('target')];
        const select = `select id, a, n + ${wordsOf(from).slow(0.001)}, b from t`;
        const copying = ends.copy(source, into, { select, columns: COLUMNS }).catch((error: unknown) => error);
        // Until a statement is in. The server brings what it says of transactions up to date when nobody has asked for 100 ms.
        await expect.poll(() => ends.sql('target', ROWS_WRITTEN), { timeout: 60_000, interval: 250 }).not.toEqual([]);
        const killed = Date.now();
        await ends.kill(side, side === 'source' ? source : into);
        const failure = await copying;
        expect(Date.now() - killed).toBeLessThan(5000);
        expect(failure instanceof SourceError).toBe(side === 'source');
        const facts = failure instanceof SourceError ? failure.facts : ends.target.dialect.classify(failure);
        expect(facts.kind).toBe('connection');
        source.destroy();
        into.destroy();
        expect(await ends.sql('target', 'select count(*) as n from t')).toEqual([{ n: '0' }]);
      });
    }
  });

  test('a load of the engine brings its rows in this way, and a row that is there twice fails it', async () => {
    const world = await World.create(target, ITEMS({ source: PLAIN_SOURCE(1200), columns: ITEM_COLUMNS }));
    onTestFinished(() => world.close());
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1200, chunks: 12 } });
    await expectAcquired(world);
    await world.warehouse.query('create unique index one on acq.item (id)');
    await world.source.query(`insert into item (id, name) select id + 1200, 'new' from item`);
    await world.warehouse.query(`insert into acq.item (id, batch_id) values (1250, 0)`);
    const failed = await world.run(ITEM);
    expect(!failed.ok && failed.message).toMatch(/^chunk 1 of 12: duplicate key/);
    expect((await chunks(world)).all).toBe(12);
    expect(await world.value('select count(*) from acq.item where batch_id <> 1')).toBe('1');
    await world.warehouse.query('delete from acq.item where batch_id = 0');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1200 } });
    await expectAcquired(world);
  });
});
