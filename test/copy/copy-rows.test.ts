import { afterEach, describe, expect, test } from 'vitest';
import { copyRows, SourceError } from '../../src/copy/copy-rows.ts';
import type { CopyFormat, Session } from '../../src/database/dialect.ts';
import { postgresDialect } from '../../src/database/postgres/dialect.ts';
import { SAVEPOINT } from '../../src/database/sql.ts';
import { servers } from '../servers.ts';
import { Ends } from './ends.ts';
import { Proxy } from './proxy.ts';

const FORMATS: CopyFormat[] = ['binary', 'text'];
const SUM = 'select count(*) as n, md5(string_agg(t::text, chr(10) order by id)) as sum from t';

describe.each(servers)('copying rows on $name', { timeout: 90_000 }, (server) => {
  let ends: Ends;
  let proxy: Proxy | undefined;
  afterEach(async () => {
    await ends.close();
    await proxy?.close();
    proxy = undefined;
  });

  async function tables(rows: string, columns = 'id bigint, a text, b int, c numeric'): Promise<void> {
    for (const side of ['source', 'target'] as const) await ends.sql(side, `create table t (${columns})`);
    await ends.sql('source', `insert into t ${rows}`);
  }

  const copy = (
    source: Session,
    target: Session,
    {
      format = 'binary',
      select = 'select * from t',
      table = 't',
    }: { format?: CopyFormat; select?: string; table?: string } = {},
  ): Promise<{ read: number; written: number }> =>
    copyRows(
      { dialect: postgresDialect, session: source },
      { dialect: postgresDialect, session: target },
      { select, table, columns: ['id', 'a', 'b', 'c'], format },
    );

  const SOME = `select g, 'row ' || g || repeat('x', g % 50), g % 7, g / 3.0 from generate_series(1, 20000) g`;

  test.each(FORMATS)('all rows arrive in %s, both ends count them, and both sessions go on', async (format) => {
    ends = await Ends.create(server);
    await tables(SOME);
    const [source, target] = [await ends.begin('source'), await ends.begin('target')];
    expect(await copy(source, target, { format })).toEqual({ read: 20000, written: 20000 });
    expect(await copy(source, target, { format, select: 'select * from t where false' })).toEqual({
      read: 0,
      written: 0,
    });
    expect(await copy(source, target, { format, select: 'select * from t where id = 5' })).toEqual({
      read: 1,
      written: 1,
    });
    await target.query({ strings: ['delete from t where ctid = (select max(ctid) from t)'], values: [] });
    await source.commit();
    await target.commit();
    expect(await ends.sql('target', SUM)).toEqual(await ends.sql('source', SUM));
  });

  test('values of many megabytes arrive whole', async () => {
    ends = await Ends.create(server);
    await tables(`select g, repeat(md5(g::text), 100000 * g), 1, 1 from generate_series(1, 5) g`);
    const [source, target] = [await ends.begin('source'), await ends.begin('target')];
    expect(await copy(source, target)).toEqual({ read: 5, written: 5 });
    await target.commit();
    expect(await ends.sql('target', SUM)).toEqual(await ends.sql('source', SUM));
  });

  test.each(FORMATS)(
    'messages may be cut anywhere on their way, in %s, with notices between the rows',
    async (format) => {
      let seed = 7;
      const random = (most: number): number => (seed = (seed * 48271) % 2147483647) % most;
      ends = await Ends.create(server, async (url, side) => {
        if (side === 'target') return url;
        proxy = await Proxy.create(url, (bytes) => {
          const pieces: Buffer[] = [];
          for (let at = 0; at < bytes.length;) {
            const size = random(3) === 0 ? 1 + random(6) : 1 + random(300);
            pieces.push(bytes.subarray(at, at + size));
            at += size;
          }
          return pieces;
        });
        return proxy.url;
      });
      await tables(`select g, repeat('y', g % 23), g, g from generate_series(1, 3000) g`);
      await ends.sql(
        'source',
        `create function noisy(n int) returns int language plpgsql volatile as
         $$ begin if n % 10 = 0 then raise notice 'at %', n; end if; return n; end $$`,
      );
      const [source, target] = [await ends.begin('source'), await ends.begin('target')];
      await source.query({ strings: ['set client_min_messages = notice'], values: [] });
      const select = 'select id, a, noisy(b), c from t';
      expect(await copy(source, target, { format, select })).toEqual({ read: 3000, written: 3000 });
      expect((await source.query<{ one: number }>({ strings: ['select 1 as one'], values: [] })).rows).toEqual([
        { one: 1 },
      ]);
      await target.commit();
      expect(await ends.sql('target', SUM)).toEqual(await ends.sql('source', SUM));
    },
  );

  test('a source that fails late is named, the target gives up, and its transaction goes on from a savepoint', async () => {
    ends = await Ends.create(server);
    await tables(SOME);
    const [source, target] = [await ends.begin('source'), await ends.begin('target')];
    await target.query(SAVEPOINT);
    const failure = await copy(source, target, { select: 'select id, a, 1 / (19990 - id)::int, c from t' }).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(SourceError);
    expect((failure as SourceError).cause).toMatchObject({ code: '22012', message: 'division by zero' });
    await target.rollbackToSavepoint();
    await target.query({ strings: ['insert into t values (1)'], values: [] });
    await target.commit();
    await source.rollback();
    expect(await ends.sql('target', 'select id from t')).toEqual([{ id: '1' }]);
  });

  test('a target that refuses the statement leaves the source as it was', async () => {
    ends = await Ends.create(server);
    await tables(SOME);
    const [source, target] = [await ends.begin('source'), await ends.begin('target')];
    await expect(copy(source, target, { table: 'nowhere' })).rejects.toMatchObject({ code: '42P01' });
    await expect(source.commit()).resolves.toBeUndefined();
  });

  test('a target that fails in the middle is what is reported, and the source stops sending', async () => {
    ends = await Ends.create(server);
    await tables(`select g, 'x', g, g from generate_series(1, 300000) g`);
    await ends.sql('target', 'alter table t add check (b <> 150000)');
    const [source, target] = [await ends.begin('source'), await ends.begin('target')];
    await expect(copy(source, target)).rejects.toMatchObject({ code: '23514' });
    await target.rollback();
    expect(await ends.sql('target', 'select count(*) as n from t')).toEqual([{ n: '0' }]);
    await expect(source.commit()).rejects.toThrow();
  });

  test('a connection that is cut on either side ends the copy, and says which side it was', async () => {
    ends = await Ends.create(server);
    await tables(`select g, 'x', g, g from generate_series(1, 20000) g`);
    const slow = 'select id, a, b, c from t, lateral (select pg_sleep(0.001) where id > 0) pause';
    for (const side of ['source', 'target'] as const) {
      const [source, target] = [await ends.begin('source'), await ends.begin('target')];
      const copying = copy(source, target, { select: slow }).catch((error: unknown) => error);
      await new Promise((resolve) => setTimeout(resolve, 300));
      await ends.sql(
        side,
        `select pg_terminate_backend(${side === 'source' ? source.connectionId : target.connectionId})`,
      );
      const failure = await copying;
      expect(failure).toBeInstanceOf(Error);
      expect(failure instanceof SourceError, side).toBe(side === 'source');
      const cause = failure instanceof SourceError ? failure.cause : failure;
      expect(ends.target.dialect.classify(cause).kind).toBe('connection');
      source.destroy();
      target.destroy();
    }
    expect(await ends.sql('target', 'select count(*) as n from t')).toEqual([{ n: '0' }]);
  });

  test('a slow target holds the source back: nothing piles up in between', async () => {
    ends = await Ends.create(server);
    await tables(`select g, repeat(md5(g::text), 60), g, g from generate_series(1, 60000) g`); // about 120 MB
    await ends.sql(
      'target',
      `create function slow() returns trigger language plpgsql as
         $$ begin if new.b % 20000 = 1 then perform pg_sleep(1); end if; return new; end $$;`,
    );
    await ends.sql('target', 'create trigger slow before insert on t for each row execute function slow()');
    const [source, target] = [await ends.begin('source'), await ends.begin('target')];
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers - before)), 20);
    try {
      expect(await copy(source, target)).toEqual({ read: 60000, written: 60000 });
    } finally {
      clearInterval(watch);
    }
    // What garbage collection has not come to yet counts too.
    expect(most).toBeLessThan(60_000_000);
  });
});
