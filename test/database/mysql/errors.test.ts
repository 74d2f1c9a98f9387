import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TransactionLostError } from '../../../src/database/dialect.ts';
import type { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { classify, connectionError } from '../../../src/database/mysql/errors.ts';
import { raw, sql } from '../../../src/database/sql.ts';
import { UnreachableError } from '../../../src/errors.ts';
import { describeOn, mysqlServers, processListAt } from '../../mysql-servers.ts';
import { failureIn, openFailing } from './failing.ts';

describeOn(await mysqlServers(), 'errors of $name', (server) => {
  let database: MysqlDatabase;
  beforeAll(async () => (database = await openFailing(server)));
  afterAll(() => database.close());
  const failureOf = (...texts: string[]) => failureIn(database, ...texts);

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
