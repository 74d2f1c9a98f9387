import { afterEach, describe, expect, test } from 'vitest';
import { SourceError } from '../../src/copy/copy-rows.ts';
import type { CopyFormat } from '../../src/database/copy-stream.ts';
import type { Session } from '../../src/database/dialect.ts';
import { SAVEPOINT } from '../../src/database/sql.ts';
import { inTurns } from '../every-server.ts';
import { processListAt } from '../mysql-servers.ts';
import { oneOf } from '../seed.ts';
import { servers } from '../servers.ts';
import { Ends, isMysql, numbers, somePairs, type AnyServer } from './ends.ts';
import { mostHeld } from './held.ts';
import { Proxy } from './proxy.ts';

/** Both PostgreSQL with themselves in binary, and every pair of families in text; some of them, where not all are wanted. */
const ways: { from: AnyServer; into: AnyServer; source: string; target: string; format: CopyFormat }[] = [
  ...oneOf(servers, import.meta.url).map((server) => ({
    from: server,
    into: server,
    source: server.name,
    target: server.name,
    format: 'binary' as const,
  })),
  ...(await somePairs(import.meta.url)).map((pair) => ({ ...pair, format: 'text' as const })),
];

const nameOf = ({ source, target, format }: (typeof ways)[number]): { name: string } => ({
  name: `${source} ${target} ${format}`,
});

/** Of 80 MB. */
const MOST_HELD = 40_000_000;
const COLUMNS = ['id', 'a', 'b', 'c'].map((name) => ({ name }));
const ROWS = 'select id, a, b, c from t order by id';

describe.each(ways)('copying rows from $source to $target in $format', { timeout: 90_000 }, (way) => {
  const { from, into, format } = way;
  /** What is dear goes one way, another one with another seed. */
  const turn = inTurns(import.meta.url, nameOf(way), ways.map(nameOf));
  let ends: Ends;
  let proxy: Proxy | undefined;
  afterEach(async () => {
    await ends.close();
    await proxy?.close();
    proxy = undefined;
  });

  async function tables(rows: string): Promise<void> {
    for (const side of ['source', 'target'] as const) {
      const text = isMysql(side === 'source' ? from : into) ? 'longtext character set utf8mb4' : 'text';
      await ends.sql(side, `create table t (id bigint primary key, a ${text}, b int, c decimal(20,6))`);
    }
    await ends.sql('source', `insert into t ${rows}`);
  }

  const copy = (
    source: Session,
    target: Session,
    { select = 'select id, a, b, c from t', table = 't' }: { select?: string; table?: string } = {},
  ): Promise<{ read: number; written: number }> =>
    ends.copy(source, target, { select, table, columns: COLUMNS, format });

  const same = async (): Promise<void> => {
    const [sent, arrived] = [await ends.sql('source', ROWS), await ends.sql('target', ROWS)];
    expect(arrived.length).toBe(sent.length);
    expect(arrived.filter((row, i) => JSON.stringify(row) !== JSON.stringify(sent[i]))).toEqual([]);
  };

  const repeated = (text: string, times: string): string => `repeat('${text}', ${times})`;
  const SOME = `select g, concat('row ', g, ${repeated('x', 'g % 50')}), case when g % 3 = 0 then null else g % 7 end, g / 4
    from ${numbers(20000)}`;

  test('all rows arrive, both ends count them, and both sessions go on', async () => {
    ends = await Ends.create(from, into);
    await tables(SOME);
    const [source, target] = [await ends.begin('source'), await ends.begin('target')];
    expect(await copy(source, target)).toEqual({ read: 20000, written: 20000 });
    const none = 'select id, a, b, c from t where id < 0';
    expect(await copy(source, target, { select: none })).toEqual({ read: 0, written: 0 });
    const one = 'select 100000 + id, a, b, c from t where id = 5';
    expect(await copy(source, target, { select: one })).toEqual({ read: 1, written: 1 });
    await target.query({ strings: ['delete from t where id > 100000'], values: [] });
    await source.commit();
    await target.commit();
    await same();
  });

  turn('values of many megabytes arrive whole', async () => {
    ends = await Ends.create(from, into);
    // The longest is more than one packet of MySQL's protocol, whose limit is 16 MB; MariaDB takes no longer one.
    await tables(
      `select g, concat('start', repeat('0123456789abcdef', 62000 * g), 'end'), 1, 1 from ${numbers(3)}
       union all select 9, concat('start', repeat('0123456789abcdef', 1040000), 'end'), 1, 1`,
    );
    const [source, target] = [await ends.begin('source'), await ends.begin('target')];
    expect(await copy(source, target)).toEqual({ read: 4, written: 4 });
    await target.commit();
    await same();
  });

  test('text keeps every character that either format writes in another way', async () => {
    ends = await Ends.create(from, into);
    await tables(`select g, 'x', 1, 1 from ${numbers(1)}`);
    const specials = [
      '\\',
      '\t',
      '\n',
      '\r',
      '\b',
      '\f',
      '\v',
      '\x1a',
      "'",
      '"',
      'N',
      'f',
      'v',
      '.',
      '%',
      '_',
      '0',
      '😀',
      'é',
    ];
    const texts = [
      '',
      '\\N',
      '\\.',
      ...specials,
      ...specials.flatMap((one) => specials.map((two) => one + two)),
      ...Array.from({ length: 3000 }, (_, i) => specials[i % 19]! + specials[(i * 7) % 19]! + specials[(i * 11) % 17]!),
    ];
    const values = texts.map((_, i) => `(${i + 10}, `);
    for (let at = 0; at < texts.length; at += 500) {
      const strings = values
        .slice(at, at + 500)
        .map((value, i) => `${i === 0 ? 'insert into t (id, a) values ' : '), '}${value}`);
      await ends.source.query({ strings: [...strings, ')'], values: texts.slice(at, at + 500) });
    }
    const [source, target] = [await ends.begin('source'), await ends.begin('target')];
    await copy(source, target);
    await target.commit();
    await same();
    const found = await ends.sql('target', 'select a from t where id >= 10 order by id');
    expect(found.map(({ a }) => a)).toEqual(texts);
  });

  turn('bytes may be cut anywhere on their way', async () => {
    let seed = 7;
    const random = (most: number): number => (seed = (seed * 48271) % 2147483647) % most;
    ends = await Ends.create(from, into, async (url, side) => {
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
    const text = `concat(${repeated('y', 'g % 300')}, ${isMysql(from) ? `'\\\\\\t'` : `E'\\\\\\f\\v'`})`;
    await tables(`select g, ${text}, g, g from ${numbers(3000)}`);
    let select = 'select id, a, b, c from t';
    const [source, target] = [await ends.begin('source'), await ends.begin('target')];
    if (!isMysql(from)) {
      await ends.sql(
        'source',
        `create function noisy(n int) returns int language plpgsql volatile as
         $$ begin if n % 10 = 0 then raise notice 'at %', n; end if; return n; end $$`,
      );
      await source.query({ strings: ['set client_min_messages = notice'], values: [] });
      select = 'select id, a, noisy(b), c from t';
    }
    expect(await copy(source, target, { select })).toEqual({ read: 3000, written: 3000 });
    expect((await source.query({ strings: [`select 'five' as one`], values: [] })).rows).toEqual([{ one: 'five' }]);
    await target.commit();
    await same();
  });

  test('a source that fails late is named, the target gives up, and its transaction goes on from a savepoint', async () => {
    ends = await Ends.create(from, into);
    await tables(SOME);
    const [source, target] = [await ends.begin('source'), await ends.begin('target')];
    await target.query(SAVEPOINT);
    const failure = await copy(source, target, {
      select: `select id, a, case when id < 19990 then b else (select x.b from t x where x.id <= t.id limit 2) end, c from t
               order by id`,
    }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SourceError);
    expect((failure as SourceError).message).toMatch(/more than (one|1) row/i);
    await target.rollbackToSavepoint();
    await target.query({ strings: ['insert into t (id) values (1)'], values: [] });
    await target.commit();
    await source.rollback();
    expect(await ends.sql('target', 'select id from t')).toEqual([{ id: '1' }]);
  });

  test('a target that refuses the statement leaves the source as it was', async () => {
    ends = await Ends.create(from, into);
    await tables(SOME);
    const [source, target] = [await ends.begin('source'), await ends.begin('target')];
    const failure = await copy(source, target, { table: 'nowhere' }).catch((error: unknown) => error);
    expect(ends.target.dialect.classify(failure)).toMatchObject({ kind: 'permanent', because: 'missing' });
    await expect(source.commit()).resolves.toBeUndefined();
  });

  test('a target that fails in the middle is what is reported, and the source stops sending', async () => {
    ends = await Ends.create(from, into);
    await tables(`select g, ${repeated('x', '1000')}, g, g from ${numbers(40000)} order by g`);
    await ends.sql('target', 'alter table t add check (b <> 5000)');
    const [source, target] = [await ends.begin('source'), await ends.begin('target')];
    await target.query(SAVEPOINT);
    const failure = await copy(source, target, { select: ROWS }).catch((error: unknown) => error);
    expect(failure).not.toBeInstanceOf(SourceError);
    // MySQL and MariaDB answer when they have read what is left.
    if (!isMysql(into)) await expect(source.commit(), 'it had not sent all, and was cut off').rejects.toThrow();
    expect(ends.target.dialect.classify(failure).code).toMatch(/^(23514|3819|4025)$/);
    await target.rollbackToSavepoint();
    await target.query({ strings: ['insert into t (id) values (1)'], values: [] });
    await target.commit();
    expect(await ends.sql('target', 'select id from t')).toEqual([{ id: '1' }]);
  });

  test('a connection that is cut on either side ends the copy, and says which side it was', async () => {
    ends = await Ends.create(from, into);
    await tables(`select g, 'x', g, g from ${numbers(20000)}`);
    const slow = isMysql(from)
      ? 'select id, a, b + sleep(0.001), c from t'
      : 'select id, a, b, c from t, lateral (select pg_sleep(0.001) where id > 0) pause';
    for (const side of ['source', 'target'] as const) {
      const [source, target] = [await ends.begin('source'), await ends.begin('target')];
      const copying = copy(source, target, { select: slow }).catch((error: unknown) => error);
      await new Promise((resolve) => setTimeout(resolve, 300));
      const killed = Date.now();
      await ends.kill(side, side === 'source' ? source : target);
      const failure = await copying;
      expect(Date.now() - killed).toBeLessThan(5000);
      expect(failure).toBeInstanceOf(Error);
      expect(failure instanceof SourceError, side).toBe(side === 'source');
      const facts = failure instanceof SourceError ? failure.facts : ends.target.dialect.classify(failure);
      expect(facts.kind).toBe('connection');
      source.destroy();
      target.destroy();
    }
    expect(await ends.sql('target', 'select count(*) as n from t')).toEqual([{ n: '0' }]);
  });

  test('a copy that is given up on our side ends at once, and leaves nothing running on the source', async () => {
    ends = await Ends.create(from, into);
    await tables(`select g, 'x', g, g from ${numbers(20000)}`);
    const slow = isMysql(from)
      ? 'select id, a, b + sleep(0.001), c from t'
      : 'select id, a, b, c from t, lateral (select pg_sleep(0.001) where id > 0) pause';
    const [source, target] = [await ends.begin('source'), await ends.begin('target')];
    const copying = copy(source, target, { select: slow }).catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 300));
    target.destroy();
    const failure = await copying;
    expect(failure).not.toBeInstanceOf(SourceError);
    expect(ends.target.dialect.classify(failure).kind).toBe('connection');
    const still = isMysql(from)
      ? `select count(*) as n from ${processListAt(from.url)} where id = ${source.connectionId}`
      : `select count(*) as n from pg_stat_activity where pid = ${source.connectionId}`;
    await expect.poll(async () => (await ends.sql('source', still))[0]!['n'], { timeout: 10_000 }).toBe('0');
    expect(await ends.sql('target', 'select count(*) as n from t')).toEqual([{ n: '0' }]);
  });

  turn('a slow target holds the source back: nothing piles up in between', async () => {
    ends = await Ends.create(from, into);
    await tables(`select g, ${repeated('0123456789abcdef', '500')}, g, g from ${numbers(10000)}`); // 80 MB
    await ends.slowDown('b', 3);
    const [source, target] = [await ends.begin('source'), await ends.begin('target')];
    const most = await mostHeld(MOST_HELD, async () => {
      expect(await copy(source, target)).toEqual({ read: 10000, written: 10000 });
    });
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(MOST_HELD);
  });
});
