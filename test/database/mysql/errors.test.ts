import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TransactionLostError } from '../../../src/database/dialect.ts';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { classify, connectionError } from '../../../src/database/mysql/errors.ts';
import { raw, sql } from '../../../src/database/sql.ts';
import { UnreachableError } from '../../../src/errors.ts';
import { describeOn, freshMysqlDatabase, mysqlServers, processListAt } from '../../mysql-servers.ts';

/** Stands in rows only: no message for Temporal's history may hold it. */
const SECRET = 'mary@example.org';

describeOn(await mysqlServers(), 'errors of $name', (server) => {
  let database: MysqlDatabase;

  beforeAll(async () => {
    const { url } = await freshMysqlDatabase(server);
    database = new MysqlDatabase({ name: 'w', url, scheme: 'mysql', maxConnections: 4, controlSchema: 'waybill' });
    for (const text of [
      'create table t (id int primary key, mail varchar(30) unique, n tinyint, d date, constraint positive check (n > 0))',
      'create table child (id int primary key, t_id int, constraint to_t foreign key (t_id) references t (id))',
      `insert into t values (1, '${SECRET}', 1, '2024-01-01')`,
      'create function raised(what varchar(60)) returns int deterministic begin ' +
        "signal sqlstate '45000' set message_text = what; return 1; end",
      'create function deletes(what varchar(60)) returns int deterministic modifies sql data ' +
        'begin delete from t where mail = what; return 1; end',
      'create table mixed (a varchar(30) character set latin1 collate latin1_german1_ci, ' +
        'b varchar(30) character set latin1 collate latin1_swedish_ci, c varchar(30) character set latin1 collate latin1_bin)',
      `insert into mixed values ('${SECRET}', '${SECRET}', '${SECRET}')`,
    ]) {
      await database.query({ strings: [text], values: [] });
    }
  });
  afterAll(() => database.close());

  async function failureOf(...texts: string[]): Promise<ReturnType<typeof classify>> {
    const session = await database.openSession('waybill errors');
    try {
      await session.begin();
      for (const text of texts) await session.run({ text, values: [] });
      throw new Error(`no error: ${texts.join('; ')}`);
    } catch (error) {
      return classify(error);
    } finally {
      await session.rollback();
      await session.close();
    }
  }

  test.each([
    [`insert into t values (2, '${SECRET}', 1, null)`, '1062', /^duplicate key \(key '(t\.)?mail'\) \(error 1062\)$/],
    [`insert into t values ('${SECRET}', 'a', 1, null)`, '1366', /^invalid value \(column .*id['`]\) \(error 1366\)$/],
    [
      `insert into t values ('for column ''${SECRET}'' at row 1', 'a', 1, null)`,
      '1366',
      /^invalid value \(column ('id'|`\w+`\.`t`\.`id`)\) \(error 1366\)$/,
    ],
    [`insert into t values (3, 'b', 1, '${SECRET}')`, '1292', /^invalid value \(column .*d['`]\) \(error 1292\)$/],
    [`insert into t values (3, 'b', 300, null)`, '1264', /^Out of range value for column 'n' at row 1 \(error 1264\)$/],
    [`insert into t values (3, repeat('${SECRET}', 5), 1, null)`, '1406', /^Data too long for column 'mail'/],
    [`insert into child values (1, 99)`, '1452', /to_t/],
    [`insert into t values (null, 'b', 1, null)`, '1048', /^Column 'id' cannot be null/],
    [`select raised('${SECRET}')`, '1644', /^the SQL raised an exception of its own; its text stands in the ledger/],
    ['select * fro t', '1064', /syntax/],
    ['select nothing from t', '1054', /nothing/],
  ])('are permanent, and say no value of a row: %s', async (text, code, safe) => {
    const facts = await failureOf(text);
    expect(facts).toMatchObject({ kind: 'permanent', code, retryAfterSeconds: 0 });
    expect(facts.safeMessage).toMatch(safe);
    expect(facts.safeMessage).not.toContain('mary');
    expect(facts.message).toContain(`(error ${code})`);
  });

  // What is wrong with the statement, not with its rows; the secret stands in the rows, and in the statement wherever a value can.
  const STRUCTURE: { code: number; only?: 'MySQL' | 'MariaDB'; texts: string[] }[] = [
    { code: 1056, texts: ['select mail, sum(n) as s from t group by s'] },
    { code: 1093, only: 'MySQL', texts: [`delete from t where id in (select id from t where mail = '${SECRET}')`] },
    { code: 1110, texts: [`insert into t (id, mail, mail) values (3, '${SECRET}', '${SECRET}')`] },
    { code: 1111, texts: [`select '${SECRET}' from t where sum(n) > 1`] },
    { code: 1115, texts: ['select convert(mail using nothing) from t'] },
    {
      ...{ code: 1137, only: 'MySQL' },
      texts: ['create temporary table tt (mail varchar(30))', `select '${SECRET}' from tt a join tt b using (mail)`],
    },
    { code: 1140, only: 'MySQL', texts: [`select '${SECRET}', mail, sum(n) from t`] },
    { code: 1176, texts: [`select * from t use index (nothing) where mail = '${SECRET}'`] },
    { code: 1191, texts: [`select * from t where match (mail) against ('${SECRET}')`] },
    { code: 1193, texts: [`select @@nothing, '${SECRET}'`] },
    { code: 1221, texts: [`select all distinct '${SECRET}' from t`] },
    { code: 1221, only: 'MySQL', texts: [`update t, child set t.mail = '${SECRET}' order by t.id`] },
    { code: 1248, only: 'MySQL', texts: [`select * from (select '${SECRET}' from t)`] },
    { code: 1253, texts: [`select _utf8mb4'${SECRET}' collate latin1_bin`] },
    { code: 1267, texts: [`select * from mixed where a = b and a = '${SECRET}'`] },
    { code: 1271, texts: [`select * from mixed where '${SECRET}' in (a, b, c)`] },
    { code: 1273, texts: [`select '${SECRET}' collate nothing`] },
    { code: 1288, texts: [`update (select * from t) x set x.mail = '${SECRET}'`] },
    { code: 1318, texts: [`select raised('${SECRET}', mail) from t`] },
    { code: 1353, only: 'MySQL', texts: [`with c (a, b) as (select '${SECRET}') select * from c`] },
    { code: 1442, texts: ['insert into t select 9, concat(mail, 9), deletes(mail), null from t where id = 1'] },
    { code: 1582, texts: [`select ifnull('${SECRET}')`] },
    { code: 1747, texts: [`select * from t partition (p) where mail = '${SECRET}'`] },
    { code: 3065, only: 'MySQL', texts: ['select distinct mail from t order by n'] },
    { code: 3143, only: 'MySQL', texts: ["select json_extract('{}', concat('$.', mail)) from t"] },
    { code: 3143, only: 'MySQL', texts: [`select json_extract('{}', '${SECRET}')`] },
    { code: 3573, only: 'MySQL', texts: ['with recursive c as (select mail from c) select * from c'] },
    { code: 3579, only: 'MySQL', texts: [`select sum(n) over w, '${SECRET}' from t`] },
    { code: 3586, only: 'MySQL', texts: ['select sum(n) over (rows between current row and 1 preceding) from t'] },
    { code: 3593, only: 'MySQL', texts: ['select mail from t where row_number() over (order by mail) = 1'] },
    {
      ...{ code: 3636, only: 'MySQL' },
      texts: [`with recursive c as (select '${SECRET}' as a union all select a from c) select * from c`],
    },
    {
      code: 3667,
      only: 'MySQL',
      texts: [`select * from json_table('["${SECRET}"]', '$[*]' columns (a int path '$'))`],
    },
    { code: 4002, only: 'MariaDB', texts: [`with c (a, b) as (select '${SECRET}') select * from c`] },
    { code: 4004, only: 'MariaDB', texts: [`with c as (select '${SECRET}'), c as (select 2) select * from c`] },
    { code: 4005, only: 'MariaDB', texts: ['with recursive c as (select mail from c) select * from c'] },
    { code: 4009, only: 'MariaDB', texts: [`select sum(n) over w, '${SECRET}' from t`] },
    { code: 4014, only: 'MariaDB', texts: ['select sum(n) over (rows between current row and 1 preceding) from t'] },
    { code: 4015, only: 'MariaDB', texts: ['select mail from t where row_number() over (order by mail) = 1'] },
    { code: 4078, only: 'MariaDB', texts: [`select mail from t where id = (select id, '${SECRET}' from t)`] },
    { code: 4091, only: 'MariaDB', texts: [`select nextval(nothing), '${SECRET}'`] },
    {
      ...{ code: 4177, only: 'MariaDB' },
      texts: [`select * from json_table('["${SECRET}"]', '$[*]' columns (a int path '$'))`],
    },
  ];
  test.each(STRUCTURE.filter(({ only }) => only === undefined || only === server.flavour))(
    'of the structure of a statement are said whole: $code, $texts',
    async ({ code, texts }) => {
      const facts = await failureOf(...texts);
      expect(facts).toMatchObject({ kind: 'permanent', code: String(code), safeMessage: facts.message });
      expect(facts.message).not.toMatch(/mary|example/);
    },
  );

  test('name a type that the server does not know', async () => {
    const facts = await failureOf('create table typed (v vectors)');
    expect(facts).toMatchObject({ kind: 'permanent', safeMessage: expect.stringContaining("'vectors") as string });
    if (server.flavour === 'MariaDB') expect(facts.next).toContain('from.sql');
  });

  test('name the check that a row breaks', async () => {
    const facts = await failureOf(`insert into t values (4, '${SECRET}2', 0, null)`);
    expect(facts).toMatchObject({ kind: 'permanent', code: server.flavour === 'MySQL' ? '3819' : '4025' });
    expect(facts.safeMessage).toContain('positive');
  });

  test('say what is missing, and what is forbidden', async () => {
    expect(await failureOf('select * from nowhere')).toMatchObject({ kind: 'permanent', because: 'missing' });
    expect(await failureOf('select * from no_database.t')).toMatchObject({ kind: 'permanent', because: 'missing' });
    const user = `u_${process.pid}`;
    await database.query({ strings: [`create user ${user} identified by 'secret'`], values: [] });
    const url = Object.assign(new URL(server.url), { username: user, password: 'secret', pathname: '/' });
    const theirs = new MysqlDatabase({
      ...{ name: 'w', url: url.href, scheme: 'mysql', maxConnections: 4, controlSchema: 'waybill' },
    });
    try {
      for (const text of ['select * from mysql.db', 'create database not_theirs', 'set global max_connections = 99']) {
        const error = await theirs.query({ strings: [text], values: [] }).catch((failure: unknown) => failure);
        expect(classify(error), text).toMatchObject({ kind: 'permanent', because: 'forbidden' });
      }
    } finally {
      await theirs.close();
      await database.query({ strings: [`drop user ${user}`], values: [] });
    }
  });

  test('are transient where two wait for each other, one of them for the numbers of a table', async () => {
    await database.query(sql`create table numbered (id int unique, n bigint auto_increment primary key)`);
    const [few, many] = [await database.openSession('waybill a'), await database.openSession('waybill b')];
    try {
      for (const session of [few, many]) await session.begin();
      await few.query(sql`insert into numbered (id) values (10)`);
      const insert = sql`insert into numbered (id) select 1 union all select 2 union all select 3 union all select 10`;
      // It has the numbers, where one statement keeps them to its end (innodb_autoinc_lock_mode = 1), and waits for the row.
      const waiting = many.query(insert).then(
        () => undefined,
        (error: unknown) => error,
      );
      await new Promise((resolve) => setTimeout(resolve, 500));
      const error = await few.query(sql`insert into numbered (id) select 11 union all select 12`).then(
        () => undefined,
        (failure: unknown) => failure,
      );
      await few.rollback();
      const errors = [error, await waiting].filter((one) => one !== undefined);
      expect(errors).toHaveLength(server.flavour === 'MariaDB' ? 1 : 0); // MySQL's own mode is 2
      for (const one of errors) expect(classify(one)).toMatchObject({ kind: 'transient' });
    } finally {
      for (const session of [few, many]) {
        await session.rollback();
        await session.close();
      }
    }
  });

  // Every number that is sorted by itself, as the driver hands it on: SIGNAL says any of them.
  const NUMBERS: Record<'transient' | 'full' | 'connection', number[]> = {
    transient: [
      ...[1020, 1037, 1038, 1040, 1041, 1203, 1205, 1206, 1213, 1226, 1317, 1412, 1467, 1614, 1615, 1637],
      ...[1969, 3024, 3058, 3101, 3572],
    ],
    full: [1021, 1030, 1114, 3675],
    connection: [
      ...[1053, 1077, 1079, 1080, 1129, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2002, 2003, 2006, 2013, 2055, 3169],
      4031,
    ],
  };
  test.each(Object.keys(NUMBERS) as (keyof typeof NUMBERS)[])('are known by all their numbers: %s', async (kind) => {
    for (const errno of NUMBERS[kind]) {
      const facts = await failureOf(`signal sqlstate 'HY000' set mysql_errno = ${errno}, message_text = 'why'`);
      expect(facts).toEqual({
        kind: kind === 'full' ? 'transient' : kind,
        code: String(errno),
        ...([1205, 3572].includes(errno) && { locked: true }),
        ...(errno === 1205 && { waited: ['innodb_lock_wait_timeout', 'lock_wait_timeout'] }),
        message: `why (error ${errno})`,
        safeMessage: `why (error ${errno})`,
        retryAfterSeconds: kind === 'full' ? 30 : 0,
      });
    }
  });

  // As MySQL 9.7 and MariaDB 10.11 say it.
  test.each([
    [1290, 'The MySQL server is running with the --super-read-only option so it cannot execute this statement'],
    [1290, 'The MariaDB server is running with the --read-only option so it cannot execute this statement'],
    [1836, 'Running in read-only mode'],
  ])('of a server that takes no writes are transient, and say what to do: %i, %s', async (errno, said) => {
    const facts = await failureOf(`signal sqlstate 'HY000' set mysql_errno = ${errno}, message_text = '${said}'`);
    expect(facts).toMatchObject({ kind: 'transient', safeMessage: `${said} (error ${errno})` });
    expect(facts.next).toBe('give the URL of the server that takes writes; a replica may be a source');
  });

  // As MySQL 9.7 says it: of a commit while the primary of a group changes, and of a table that a group does not take.
  test.each([
    ['before_commit', 'transient'],
    ['before_dml', 'permanent'],
  ])('of a hook are about the commit, or about the table: %s is %s', async (hook, kind) => {
    const said = `Error on observer while running replication hook ''${hook}''.`;
    expect(await failureOf(`signal sqlstate 'HY000' set mysql_errno = 3100, message_text = '${said}'`)).toMatchObject({
      kind,
      code: '3100',
    });
  });

  // To MariaDB it is no error: one of them has not got it.
  if (server.flavour === 'MySQL') {
    test('are transient where two wait for each other’s GET_LOCK', async () => {
      const [one, other] = [await database.openSession('waybill a'), await database.openSession('waybill b')];
      try {
        await one.say("do get_lock('errors one', 0)");
        await other.say("do get_lock('errors other', 0)");
        const waiting = one.say("do get_lock('errors other', 30)").then(
          () => undefined,
          (error: unknown) => error,
        );
        const error = await other.say("do get_lock('errors one', 30)").then(
          () => undefined,
          (failure: unknown) => failure,
        );
        await other.say("do release_lock('errors other')");
        const errors = [error, await waiting].filter((failure) => failure !== undefined);
        expect(errors.map((failure) => classify(failure))).toMatchObject([{ kind: 'transient', code: '3058' }]);
      } finally {
        for (const session of [one, other]) await session.close();
      }
    });
  }

  test('are permanent under all other numbers', async () => {
    for (const errno of [1290, 1046, 1050, 1099, 1364, 1418, 1792, 3100]) {
      expect(await failureOf(`signal sqlstate 'HY000' set mysql_errno = ${errno}`)).toMatchObject({
        kind: 'permanent',
        code: String(errno),
      });
    }
  });

  /** What `text` fails with on a session with an open transaction, after `before` on that, while `meanwhile` is done elsewhere. */
  async function failsWhile(before: string[], text: string, meanwhile: string[] = []): Promise<unknown> {
    const [one, other] = [await database.openSession('waybill a'), await database.openSession('waybill b')];
    try {
      for (const statement of before) await one.say(statement);
      for (const statement of meanwhile) await other.say(statement);
      const error = await one.say(text).then(
        () => new Error(`no error: ${text}`),
        (failure: unknown) => failure,
      );
      await other.rollback();
      return error;
    } finally {
      for (const session of [one, other]) await session.close();
    }
  }

  const ofMysql = server.flavour === 'MySQL';
  test.each([
    [
      'a lock that is not waited for',
      ofMysql ? '3572' : '1205',
      ['begin'],
      'select * from t for update nowait',
      ['begin', 'update t set n = 2 where id = 1'],
    ],
    [
      'a table that has changed since',
      '1412',
      ['set transaction isolation level repeatable read', 'start transaction with consistent snapshot'],
      'select * from later',
      ['alter table later engine = InnoDB'],
    ],
    [
      'a statement that takes longer than it may',
      ofMysql ? '3024' : '1969',
      [ofMysql ? 'set session max_execution_time = 100' : 'set session max_statement_time = 0.1'],
      'select count(*) from information_schema.columns a, information_schema.columns b, information_schema.columns c',
    ],
  ])('are transient: %s', async (_, code, before, text, meanwhile = []) => {
    await database.query(sql`create table if not exists later (a int)`);
    expect(classify(await failsWhile(before, text, meanwhile))).toMatchObject({ kind: 'transient', code });
  });

  test('are of the connection, once that was ended: of the statement, and of each one after it', async () => {
    const session = await database.openSession('waybill a');
    const sleeping = session.say('do sleep(60)').catch((error: unknown) => error);
    await expect.poll(() => asleep(session.connectionId)).toBe(true);
    await database.query({ strings: [`kill connection ${session.connectionId}`], values: [] });
    const first = classify(await sleeping);
    // MariaDB says first that it was killed.
    expect(['connection', 'transient']).toContain(first.kind);
    for (let i = 0; i < 2; i += 1) {
      const next = classify(await session.say('do 1').catch((error: unknown) => error));
      expect(next, next.message).toMatchObject({ kind: 'connection', retryAfterSeconds: 0 });
    }
    await session.close();
  });

  test('are of the connection where it was cut on our side', async () => {
    const session = await database.openSession('waybill a');
    const sleeping = session.say('do sleep(60)').catch((error: unknown) => error);
    session.destroy();
    expect(classify(await sleeping)).toMatchObject({ kind: 'connection' });
    expect(classify(await session.say('do 1').catch((error: unknown) => error))).toMatchObject({ kind: 'connection' });
  });

  const asleep = async (connectionId: string): Promise<boolean> =>
    (
      await database.query(sql`select 1 from ${raw(processListAt(server.url))}
      where id = ${connectionId} and state = 'User sleep'`)
    ).rows.length > 0;

  test('are transient where a KILL QUERY ends a statement', async () => {
    const session = await database.openSession('waybill a');
    const waiting = session.say('select sleep(60), n from t for update').catch((error: unknown) => error);
    await expect.poll(() => asleep(session.connectionId)).toBe(true);
    await database.query({ strings: [`kill query ${session.connectionId}`], values: [] });
    expect(classify(await waiting)).toMatchObject({ kind: 'transient', code: '1317' });
    await session.close();
  });

  test('are transient where another one holds the lock', async () => {
    const [holder, waiter] = [await database.openSession('waybill a'), await database.openSession('waybill b')];
    try {
      await holder.begin();
      await holder.query(sql`update t set n = 2 where id = 1`);
      await waiter.begin({ settings: { innodb_lock_wait_timeout: '1' } });
      const error = await waiter.query(sql`update t set n = 3 where id = 1`).catch((failure: unknown) => failure);
      expect(classify(error)).toMatchObject({ kind: 'transient', code: '1205' });
    } finally {
      for (const session of [holder, waiter]) {
        await session.rollback();
        await session.close();
      }
    }
  });
});

describe('errors that no server sends at will', () => {
  const withNumber = (errno: number, message = 'Too bad') => Object.assign(new Error(message), { errno });

  test.each([
    [1021, 'transient', 30],
    [1030, 'transient', 30],
    [1114, 'transient', 30],
    [3675, 'transient', 30],
    [1040, 'transient', 0],
    [1053, 'connection', 0],
    [2006, 'connection', 0],
    [2013, 'connection', 0],
    [3024, 'transient', 0],
    [4031, 'connection', 0],
    [1927, 'connection', 0],
  ])('%i is %s, again after %i s', (errno, kind, retryAfterSeconds) => {
    expect(classify(withNumber(errno))).toMatchObject({ kind, retryAfterSeconds, code: String(errno) });
  });

  // As MySQL 9.7 and MariaDB 10.11 said it, of a small disk for temporary files and of one for tables.
  test.each([
    [3, `Error writing file '/tmp/MYfd=31' (OS errno 28 - No space left on device)`],
    [3, `Error writing file '/tmp/#sql/fd=52' (Errcode: 28 "No space left on device")`],
    [126, `Got error '126 "Index is corrupted"' for '/tmp/#sql-temptable-216e-5-51.MAI'`],
    [1005, 'Can\'t create table `e`.`t2` (errno: 135 "No more room in record file")'],
  ])('a full disk that says %i is transient, again after 30 s, and its text is no secret: %s', (errno, message) => {
    const safeMessage = `${message} (error ${errno})`;
    expect(classify(withNumber(errno, message))).toMatchObject({
      ...{ kind: 'transient', retryAfterSeconds: 30, code: String(errno), safeMessage },
    });
  });

  test.each([
    [3, `Error writing file '/tmp/MYfd=31' (OS errno 5 - Input/output error)`],
    [126, `Got error '126 "Index is corrupted"' for './e/t.MYI'`],
    [1005, 'Can\'t create table `e`.`t2` (errno: 150 "Foreign key constraint is incorrectly formed")'],
    [1062, "Duplicate entry '(errno: 28 mary' for key 'mail'"],
  ])('what looks like one is permanent: %i, %s', (errno, message) => {
    const facts = classify(withNumber(errno, message));
    expect(facts).toMatchObject({ kind: 'permanent', retryAfterSeconds: 0 });
    expect(facts.safeMessage).not.toContain('mary');
  });

  test.each([
    ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'],
    ...['PROTOCOL_CONNECTION_LOST', 'PROTOCOL_SEQUENCE_TIMEOUT', 'PROTOCOL_PACKETS_OUT_OF_ORDER'],
  ])('%s is of the connection', (code) => {
    expect(classify(Object.assign(new Error('Too bad'), { code, errno: -1 }))).toMatchObject({
      kind: 'connection',
      code,
    });
  });

  // The driver's own words, with a code that says nothing or none.
  test.each([
    "Can't add new command when connection is in closed state",
    'Connection lost: The server closed the connection.',
    'Connection is closed.',
    'socket hang up',
    'Pool is closed.',
  ])('"%s" is of the connection', (message) => {
    expect(classify(new Error(message)).kind).toBe('connection');
  });

  test('an error of the network has no number of a server', () => {
    const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', errno: -104 });
    expect(classify(reset)).toMatchObject({ kind: 'connection', code: 'ECONNRESET', message: 'read ECONNRESET' });
  });

  test('a lost transaction is permanent, an unreachable server is not', () => {
    expect(classify(new TransactionLostError('gone')).kind).toBe('permanent');
    expect(classify(new UnreachableError('away')).kind).toBe('connection');
  });

  test('a connection that cannot be opened says what to do', () => {
    const next = (errno: number) => connectionError('warehouse', withNumber(errno)).next;
    expect(next(1049)).toMatch(/^create the database/);
    expect(next(1040)).toMatch(/^raise max_connections/);
    expect(next(2003)).toMatch(/^check that the server runs/);
  });
});
