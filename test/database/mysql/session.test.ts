import { afterEach, beforeEach, expect, test } from 'vitest';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { endConnection } from '../../../src/database/mysql/gate.ts';
import { classify } from '../../../src/database/mysql/errors.ts';
import { settings } from '../../../src/database/mysql/ledger.ts';
import type { MysqlSession } from '../../../src/database/mysql/session.ts';
import { TransactionLostError, type Session } from '../../../src/database/dialect.ts';
import { part, raw, SAVEPOINT, sql } from '../../../src/database/sql.ts';
import { describeOn, freshMysqlDatabase, mysqlServers, processListAt } from '../../mysql-servers.ts';

describeOn(await mysqlServers(), 'a session on $name', (server) => {
  let database: MysqlDatabase;
  const opened: MysqlSession[] = [];

  const definition = (url: string) =>
    ({ name: 'warehouse', url, scheme: 'mysql', maxConnections: 4, controlSchema: 'waybill' }) as const;

  beforeEach(async () => {
    const { url } = await freshMysqlDatabase(server);
    database = new MysqlDatabase(definition(url));
    await database.query(sql`create table t (id bigint primary key, note varchar(5) character set utf8mb4)`);
  });
  afterEach(async () => {
    for (const session of opened.splice(0)) session.destroy();
    await database.close();
  });

  async function open(...options: Parameters<MysqlDatabase['openSession']>): Promise<MysqlSession> {
    const session = await database.openSession(...options);
    opened.push(session);
    return session;
  }
  const run = (session: MysqlSession, text: string, values: unknown[] = []) =>
    session.run({ text, values }, { first: 9 });
  const ids = async () =>
    (await database.query<{ id: string }>(sql`select id from t order by id`)).rows.map((r) => r.id);

  test('says READ COMMITTED at each BEGIN: a row that was committed meanwhile is seen', async () => {
    const session = await open('waybill 1 flights lane 1');
    await session.query(sql`set session transaction isolation level repeatable read`);
    await session.begin();
    expect((await run(session, 'select count(*) from t')).rows).toEqual([['0']]);
    await database.query(sql`insert into t values (1, null)`);
    expect((await run(session, 'select count(*) from t')).rows).toEqual([['1']]);
  });

  test("a time zone holds for the user's statements alone, also where one fails", async () => {
    const session = await open('waybill 1 flights lane 1');
    const zone = async () =>
      (await session.query<{ zone: string }>(sql`select @@session.time_zone as zone`)).rows[0]!.zone;
    const inZone = (text: string, timeZone = '+09:00') => session.run({ text, values: [], timeZone }, { first: 1 });
    const hours = 'select timestampdiff(hour, utc_timestamp(), now())';
    await session.begin({ settings: { time_zone: '+09:00' } });
    await session.query(SAVEPOINT);
    expect((await inZone(hours)).rows.flat().map(String)).toEqual(['9']);
    expect(await zone()).toBe('+00:00');
    expect(
      (await inZone('select if(@@session.time_zone = @@global.time_zone, 9, 0)', 'default')).rows.flat().map(String),
    ).toEqual(['9']);
    await inZone('insert into t values (1, null)');
    await expect(inZone('insert into t values (1, null)')).rejects.toThrow(/Duplicate/);
    expect(await zone()).toBe('+00:00');
    await expect(inZone('do 1', 'Atlantis')).rejects.toThrow(/time zone/);
    await session.rollback();
    expect(await ids()).toEqual([]);
  });

  test('settings take one statement before each range, and leave it in its time zone unless they are a time', async () => {
    const session = await open('waybill 1 flights lane 1');
    const sets = async () =>
      Number((await session.query<{ Value: string }>(sql`show session status like 'Com_set_option'`)).rows[0]!.Value);
    const ranges = async (given: Record<string, string>) => {
      for (const id of [1, 2, 3]) {
        await session.pipeline(settings(given));
        await session.run({
          text: `replace into t values (${id}, @@sort_buffer_size)`,
          values: [],
          timeZone: '+09:00',
        });
      }
    };
    await session.begin();
    const before = await sets();
    await ranges({ time_zone: '+09:00', sort_buffer_size: '65536', optimizer_switch: 'derived_merge=off' });
    // One for each range, and two for the zone.
    expect(await sets()).toBe(before + 5);
    const { rows } = await session.query<{ v: string; o: string }>(
      sql`select @@sort_buffer_size as v, @@optimizer_switch as o`,
    );
    expect(rows).toEqual([{ v: '65536', o: expect.stringContaining('derived_merge=off') as string }]);
    if (server.flavour === 'MariaDB') {
      await ranges({ system_versioning_asof: '2026-01-01 12:00:00' });
      const [asof] = (await session.query<{ at: string }>(sql`select @@system_versioning_asof as at`)).rows;
      expect(asof!.at).toMatch(/^2026-01-01 12:00:00/); // in UTC, in which it was said
    }
    await session.commit();
  });

  test('a time zone is set once for statements that follow one another, and not at all where it is UTC', async () => {
    const session = await open('waybill 1 flights lane 1');
    const sets = async () =>
      Number((await session.query<{ Value: string }>(sql`show session status like 'Com_set_option'`)).rows[0]!.Value);
    const runIn = async (timeZone: string) => {
      for (const id of [1, 2, 3])
        await session.run({ text: `replace into t values (${id}, 'x')`, values: [], timeZone });
    };
    await session.begin();
    const before = await sets();
    for (const zone of ['+00:00', '-00:00', 'UTC', 'utc']) await runIn(zone);
    expect(await sets()).toBe(before);
    await runIn('+09:00');
    expect(await sets()).toBe(before + 2);
    await session.commit();
    expect(await ids()).toEqual(['1', '2', '3']);
  });

  test('reads only, where it is told so, and takes settings for the load', async () => {
    const session = await open('waybill 1 flights lane 1');
    await session.begin({ readOnly: true, settings: { sort_buffer_size: '1048576', lc_time_names: 'de_DE' } });
    expect((await run(session, 'select @@sort_buffer_size, @@lc_time_names')).rows).toEqual([['1048576', 'de_DE']]);
    await expect(run(session, 'insert into t values (1, null)')).rejects.toThrow(/READ ONLY/);
  });

  test('binds values exactly and gives them back exactly', async () => {
    const big = '9223372036854775807';
    await database.query(
      sql`create table v (id bigint, amount decimal(30, 10), at datetime(6), yes tinyint(1), doc json, n int)`,
    );
    const at = new Date('2024-03-31T01:30:00.123Z');
    await database.query(
      sql`insert into v values (${big}, ${'12345678901234567890.0123456789'}, ${at}, ${true}, ${'{"a": 9007199254740993}'}, ${7})`,
    );
    const { rows } = await database.query(sql`
      select id, amount, at, yes, doc, n, id = ${big} as same, exists (select 1 from t) as found, null as nothing
      from v where id = ${big} ${part`and yes = ${true}`} ${raw('and n = 7')}`);
    expect(rows).toEqual([
      {
        ...{ id: big, amount: '12345678901234567890.0123456789', at, yes: true, n: 7 },
        ...{ doc: '{"a": 9007199254740993}', same: true, found: false, nothing: null },
      },
    ]);
    const session = await open('waybill 1 flights lane 1');
    await session.begin();
    const userRows = await run(session, 'select id, at, yes from v where n = ?', [7]);
    const row = [big, '2024-03-31 01:30:00.123000', 1];
    expect(userRows).toEqual({ rows: [row], rowCount: 0, columns: ['id', 'at', 'yes'] });
  });

  test('takes one statement, never two', async () => {
    const session = await open('waybill 1 flights lane 1');
    await session.begin();
    await expect(run(session, 'insert into t values (1, null); insert into t values (2, null)')).rejects.toThrow(
      /syntax/,
    );
    await session.rollback();
    expect(await ids()).toEqual([]);
  });

  test('sends no file of this machine, though the server asks for one', async () => {
    const session = await open('waybill 1 flights lane 1');
    await session.begin();
    await expect(run(session, "load data local infile '/etc/hostname' into table t (note)")).rejects.toThrow(
      /local|not allowed/i,
    );
  });

  test('counts the rows that a statement found, also those that it left as they were', async () => {
    const session = await open('waybill 1 flights lane 1');
    await session.begin();
    expect((await run(session, "insert into t values (1, 'a'), (2, 'a')")).rowCount).toBe(2);
    expect((await run(session, "update t set note = 'a'")).rowCount).toBe(2);
    expect((await run(session, 'select * from t')).rowCount).toBe(0);
    expect((await session.query(sql`update t set note = ${'a'} where id = ${1}`)).rowCount).toBe(1);
  });

  test.each(['create table u (a int)', 'commit', 'rollback', 'truncate table t'])(
    'notices a statement that ends the transaction: %s',
    async (text) => {
      const session = await open('waybill 1 flights lane 1');
      await session.begin();
      await expect(run(session, text)).rejects.toThrow(TransactionLostError);
      await expect(session.commit()).rejects.toThrow(TransactionLostError);
    },
  );

  test('commits after statements that touched as many rows as they must, and nothing after others', async () => {
    await database.query(sql`insert into t values (1, null), (2, null)`);
    const session = await open('waybill 1 flights lane 1');
    const change = (note: string, rows: number) => ({ statement: part`update t set note = ${note}`, rows });
    await session.begin();
    expect(await session.commitAfter([change('once', 2), change('twice', 2)], [sql`select 1 as one`])).toMatchObject([
      { rowCount: 1 },
    ]);
    for (const rows of [1, 3]) {
      await session.begin();
      expect(await session.commitAfter([change('lost', rows)], [])).toBeUndefined();
    }
    const { rows } = await database.query(sql`select note from t`);
    expect(rows).toEqual([{ note: 'twice' }, { note: 'twice' }]);
  });

  test('never commits what a deadlock has left over', async () => {
    await database.query(sql`insert into t values (1, null), (2, null)`);
    const [a, b] = [await open('waybill 1 flights lane 1'), await open('waybill 1 flights lane 2')];
    await a.begin();
    await b.begin();
    await run(a, "update t set note = 'a' where id = 1");
    await run(b, "update t set note = 'b' where id = 2");
    const crossed = await Promise.allSettled([
      run(a, "update t set note = 'a' where id = 2"),
      run(b, "update t set note = 'b' where id = 1"),
    ]);
    const victims = crossed.flatMap(({ status }, i) => (status === 'rejected' ? [[a, b][i]!] : []));
    expect(victims).toHaveLength(1);
    const [failure] = crossed.filter((one) => one.status === 'rejected');
    expect(classify(failure!.reason)).toMatchObject({ kind: 'transient', code: '1213' });
    await expect(victims[0]!.rollbackToSavepoint()).rejects.toThrow(/SAVEPOINT/i);
    await expect(victims[0]!.commit()).rejects.toThrow(TransactionLostError);
  });

  test('goes on after an error that left the transaction open', async () => {
    const session = await open('waybill 1 flights lane 1');
    await session.begin();
    await run(session, 'insert into t values (1, null)');
    await session.query(SAVEPOINT);
    await expect(run(session, 'insert into t values (2, null), (1, null)')).rejects.toThrow(/Duplicate/);
    await session.rollbackToSavepoint();
    await session.commit();
    expect(await ids()).toEqual(['1']);
  });

  test('is ended from elsewhere, with its transaction, whatever it is doing', async () => {
    const session = await open('waybill 1 flights lane 1');
    await session.begin();
    await run(session, 'insert into t values (1, null)');
    const sleeping = run(session, 'select sleep(30)');
    const failure = sleeping.then(
      () => undefined,
      (error: unknown) => error,
    );
    await expect.poll(() => states(session.connectionId)).toEqual(['User sleep']);
    await endConnection(database, session.connectionId);
    expect(['transient', 'connection']).toContain(classify(await failure).kind);
    await expect.poll(() => states(session.connectionId)).toEqual([]);
    await expect(session.commit()).rejects.toThrow();
    expect(await ids()).toEqual([]);
    await endConnection(database, session.connectionId); // it has gone: no error
  });

  async function states(connectionId: string): Promise<(string | null)[]> {
    const { rows } = await database.query<{ state: string | null }>(
      sql`select state from ${raw(processListAt(server.url))} where id = ${connectionId}`,
    );
    return rows.map(({ state }) => state);
  }

  test('ends a statement that takes longer than it may, one that writes too', async () => {
    const session = await open('waybill 1 flights lane 1', { statementTimeoutMs: 300 });
    await session.begin();
    await expect(run(session, 'insert into t select sleep(20), null')).rejects.toThrow(
      /interrupted|lost|killed|closed/i,
    );
    await expect.poll(ids).toEqual([]);
  });

  test('rolls back what it has begun when its connection is cut', async () => {
    const session = await open('waybill 1 flights lane 1');
    await session.begin();
    await run(session, 'insert into t values (1, null)');
    session.destroy();
    await expect
      .poll(async () => {
        await database.query(sql`set session innodb_lock_wait_timeout = 5`);
        return ids();
      })
      .toEqual([]);
    await session.rollback(); // harmless
  });

  test('has the server end a transaction of ours that lies idle for a minute, and a fence; not a connection that waits to be needed', async () => {
    const idle = async (session: Pick<Session, 'query'>): Promise<number[]> => {
      const { rows } = await session.query<Record<string, unknown>>(
        server.flavour === 'MySQL'
          ? sql`select @@session.wait_timeout as t`
          : sql`select @@session.wait_timeout as t, @@session.idle_transaction_timeout as u`,
      );
      return Object.values(rows[0]!).map(Number);
    };
    const [inOne, outside] =
      server.flavour === 'MySQL'
        ? [[60], [28_800]]
        : [
            [28_800, 60],
            [28_800, 60],
          ];
    expect(await idle(database)).toEqual(outside);
    expect(await database.transaction(idle)).toEqual(inOne);
    expect(await idle(database)).toEqual(outside);
    await expect(database.transaction(() => Promise.reject(new Error('broken off')))).rejects.toThrow('broken off');
    expect(await Promise.all([idle(database), idle(database)])).toEqual([outside, outside]);
    const aside = await database.openAside('waybill 1 fence');
    opened.push(aside);
    expect((await idle(aside))[0]).toBe(60);
  });

  test('shares out the places for lanes, each with a connection anew, and keeps others for our own statements', async () => {
    const [first] = [await open('waybill lane 1'), await open('waybill lane 2')];
    expect(database.lanePlaces).toBe(2);
    await first.begin();
    await run(first, 'set @x = 1');
    await run(first, 'create temporary table left_over (id int)');
    await first.commit();
    let third: MysqlSession | undefined;
    const waiting = open('waybill lane 3').then((session) => (third = session));
    expect(await ids()).toEqual([]);
    expect(third).toBe(undefined);
    await first.close();
    await waiting;
    expect(third!.connectionId).not.toBe(first.connectionId);
    await third!.begin();
    expect((await run(third!, 'select @x')).rows).toEqual([[null]]);
    await expect(run(third!, 'select * from left_over')).rejects.toThrow(/left_over/);
  });

  test('has the name of its server in messages about SQL, as the URL gives it', () => {
    for (const [scheme, title] of [
      ['mysql', 'MySQL'],
      ['mariadb', 'MariaDB'],
    ] as const) {
      expect(new MysqlDatabase({ ...definition(server.url), scheme }).dialect.sql.title).toBe(title);
    }
  });

  test('replaces connections that the server has ended', async () => {
    const both = () => Promise.all([0, 1].map(() => database.query<{ id: string }>(sql`select connection_id() as id`)));
    const before = (await both()).map(({ rows }) => String(rows[0]!.id));
    for (const id of before) await endConnection(database, id);
    await new Promise((resolve) => setTimeout(resolve, 500)); // until we have heard of it
    const after = (await both()).map(({ rows }) => String(rows[0]!.id));
    expect(after.filter((id) => before.includes(id))).toEqual([]);
  });

  // MariaDB has performance_schema off by default.
  if (server.flavour === 'MySQL') {
    test('names what it is for, for a DBA', async () => {
      const session = await open('waybill 114 flights lane 2');
      const { rows } = await database.query<{ value: string }>(sql`
        select attr_value as value from performance_schema.session_connect_attrs
        where processlist_id = ${session.connectionId} and attr_name = 'program_name'`);
      expect(rows).toEqual([{ value: 'waybill 114 flights lane 2' }]);
    });
  }

  test('says what is wrong with a connection that cannot be opened, without the password', async () => {
    const url = new URL(server.url);
    url.password = 'guessed-wrongly';
    const wrong = new MysqlDatabase(definition(url.href));
    const failure = (await wrong.query(sql`select 1`).catch((error: unknown) => error)) as Error;
    expect(failure).toMatchObject({
      name: 'UnreachableError',
      message: expect.stringMatching(/^cannot connect to warehouse: Access denied/) as string,
      next: expect.stringMatching(
        /^check user and password in the URL of connection warehouse; if .*tls: true there$/,
      ) as string,
    });
    expect(JSON.stringify(failure) + failure.message).not.toContain('guessed-wrongly');
  });
});
