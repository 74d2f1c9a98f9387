import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { pourRows, SourceError } from '../../src/copy/copy-rows.ts';
import { SAVEPOINT } from '../../src/database/sql.ts';
import { startMysql, type MysqlServer } from '../../src/dev/mysql-server.ts';
import { describeOn, mysqlServers } from '../mysql-servers.ts';
import type { MysqlTestServer } from '../mysql-on-demand.ts';
import { servers } from '../servers.ts';
import { Ends, numbers } from './ends.ts';

const COLUMNS = ['id', 'a', 'n', 'b'].map((name) =>
  name === 'b' ? { name, value: (written: string) => `unhex(substr(${written}, 3))` } : { name },
);
const MOST = 4 * 1024 * 1024;

describeOn(await mysqlServers(), 'rows by INSERT, where $name takes no file from clients', (known) => {
  let server: MysqlServer;
  let target: MysqlTestServer;
  let ends: Ends;
  beforeAll(async () => {
    const settings = { 'local-infile': 'OFF', 'max-allowed-packet': String(MOST) };
    server = await startMysql({ flavour: known.flavour, settings });
    target = { ...known, url: server.url() };
  }, 120_000);
  afterEach(() => ends.close());
  afterAll(() => server.stop());

  async function tables(rows: string): Promise<void> {
    ends = await Ends.create(servers[0]!, target);
    await ends.sql('source', 'create table t (id bigint primary key, a text, n numeric(12,4), b bytea)');
    await ends.sql(
      'target',
      'create table t (id bigint primary key, a longtext character set utf8mb4, n decimal(12,4), b longblob)',
    );
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

  const same = async (): Promise<void> => {
    const sent = await ends.sql('source', `select id, a, n, encode(b, 'hex') as b from t order by id`);
    const arrived = await ends.sql('target', 'select id, a, n, lower(hex(b)) as b from t order by id');
    expect(arrived).toEqual(sent);
  };

  test('many statements bring every row, with its special characters, bytes and nulls', async () => {
    await tables(`select g, case g % 5 when 0 then null when 1 then '' when 2 then E'it''s \\\\ a\\ttab\\nline 😀 "q" %_' || g
        when 3 then E'\\\\N' else repeat('x', g % 700) end, case when g % 4 = 0 then null else g / 8.0 end,
        case when g % 3 = 0 then null else decode(repeat(lpad(to_hex(g % 256), 2, '0'), g % 9), 'hex') end from ${numbers(20000)}`);
    expect(await copy()).toEqual({ read: 20000, written: 20000 });
    await same();
  });

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

  test('a source that fails late is named, and nothing is left', async () => {
    await tables(`select g, repeat('x', 100), 1, null from ${numbers(60000)}`);
    await expect(copy('select id, a, 1 / (59990 - id), b from t order by id')).rejects.toThrow(SourceError);
    expect(await ends.sql('target', 'select id from t')).toEqual([]);
  });
});
