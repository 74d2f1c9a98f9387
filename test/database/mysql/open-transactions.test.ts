import { createConnection, type Connection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { toFailure } from '../../../src/activities/failures.ts';
import { ConfigurationError } from '../../../src/errors.ts';
import type { OpenTransaction } from '../../../src/database/cursor-dialect.ts';
import type { Session } from '../../../src/database/dialect.ts';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { isSameStatement, processListOf, runningStatements } from '../../../src/database/mysql/running-statements.ts';
import { renderSql, type SqlStatement } from '../../../src/database/sql.ts';
import { describeOn, freshMysqlDatabase, mysqlServers } from '../../mysql-servers.ts';

/** Other test files have transactions of their own on the same server: only those of this file's user are looked at. */
const USER = `mary_${process.pid}`;

describeOn(await mysqlServers(), 'transactions that are open on $name', (server) => {
  let database: MysqlDatabase;
  let url: string;
  let session: Session;
  const clients: Connection[] = [];

  beforeAll(async () => {
    ({ url } = await freshMysqlDatabase(server));
    database = new MysqlDatabase({ name: 's', url, scheme: 'mysql', maxConnections: 6, controlSchema: 'waybill' });
    session = await database.openSession('waybill read item');
    await session.query({ strings: ['create table item (id int auto_increment primary key, x int)'], values: [] });
    for (const text of [
      `create user ${USER} identified by 'pw'`,
      `grant all on *.* to ${USER}`,
      `create user poor_${USER} identified by 'pw'`,
      `grant select on *.* to poor_${USER}`,
    ]) {
      await session.query({ strings: [text], values: [] });
    }
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
  });
  afterAll(async () => {
    for (const user of [USER, `poor_${USER}`]) {
      await session.query({ strings: [`drop user ${user}`], values: [] });
    }
    await session.close();
    await database.close();
  });

  async function client(): Promise<Connection> {
    const theirs = new URL(url);
    theirs.username = USER;
    theirs.password = 'pw';
    const connection = await createConnection(theirs.href);
    clients.push(connection);
    return connection;
  }
  /** What those that this file's user has written in are called once they are prepared, and have no user any more. */
  const prepared = new Set<string | null>();

  /** As one poll of a load that waits sees it: each has a session of its own. */
  async function look(of?: OpenTransaction[]): Promise<OpenTransaction[]> {
    const own = await database.openSession('waybill read item');
    try {
      await own.begin({ readOnly: true });
      const open = await database.dialect.openTransactions(own, of);
      await own.commit();
      const theirs = open.filter(({ user, application }) => user === USER || prepared.has(application));
      for (const { key } of theirs) prepared.add(`prepared transaction ${key.split(' ').at(-1)}`);
      return theirs;
    } finally {
      await own.close();
    }
  }
  const names = (open: OpenTransaction[]) => open.map(({ connectionId }) => Number(connectionId));

  test('are seen at once, from the first statement on, until they end', async () => {
    const writer = await client();
    for (let i = 0; i < 3; i += 1) {
      await writer.query('begin');
      expect(await look()).toEqual([]);
      await writer.query('select * from item');
      const reading = await look();
      expect(names(reading)).toEqual([writer.threadId]);
      expect(reading[0]).toMatchObject({ user: USER, application: '127.0.0.1' });
      await writer.query('insert into item (x) values (1)');
      const waitedFor = await look(reading);
      expect(names(waitedFor)).toEqual([writer.threadId]);
      expect(waitedFor[0]!.key).not.toBe(reading[0]!.key); // it has a number of InnoDB only now
      expect(await look(waitedFor)).toEqual(
        waitedFor.map((one) => ({ ...one, ageSeconds: expect.any(Number) as number })),
      );
      await writer.query('commit');
      expect(await look(waitedFor)).toEqual([]);
    }
  });

  test('are waited for, and not those that begin later on the same connection', async () => {
    const [first, second] = [await client(), await client()];
    for (const writer of [first, second]) await writer.query('begin');
    for (const writer of [first, second]) await writer.query('insert into item (x) values (1)');
    const open = await look();
    expect(names(open).sort()).toEqual([first.threadId, second.threadId].sort());
    await first.query('commit');
    await first.query('begin');
    await first.query('insert into item (x) values (1)');
    expect(names(await look(open))).toEqual([second.threadId]);
    await second.query('rollback');
    expect(await look(open)).toEqual([]);
    expect(names(await look())).toEqual([first.threadId]);
  });

  test('are not those that only read', async () => {
    const reader = await client();
    await reader.query('start transaction read only');
    await reader.query('select * from item');
    const slow = (await client()).query('select sleep(3) from item limit 1');
    const locked = (await client()).query("select get_lock('x', 1), sleep(3)");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await look()).toEqual([]);
    await Promise.all([slow, locked]);
  });

  test('are statements, too, that have begun and wait for the table: theirs is an earlier time', async () => {
    const [admin, writer] = [await client(), await client()];
    await admin.query('lock tables item write');
    await writer.query('begin');
    const waiting = writer.query('insert into item (x) values (2)');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const open = await look();
    expect(names(open)).toEqual([writer.threadId]);
    expect(open[0]!.ageSeconds).toBeGreaterThanOrEqual(1);
    // At any part of a second.
    for (let i = 0; i < 12; i += 1) {
      expect(names(await look(open))).toEqual([writer.threadId]);
      await new Promise((resolve) => setTimeout(resolve, 90));
    }
    await admin.query('unlock tables');
    await waiting;
    // The statement is over, what it began is not.
    const further = await look(open);
    expect(names(further)).toEqual([writer.threadId]);
    expect(names(await look(further))).toEqual([writer.threadId]);
    await writer.query('commit');
    expect(await look(further)).toEqual([]);
  });

  test('are the same statements however often and whenever one looks, and each connection has another one next', async () => {
    const [admin, writer] = [await client(), await client()];
    await admin.query('lock tables item write');
    const waiting = writer.query('insert into item (x) values (2)');
    const own = await database.openSession('waybill read item');
    const list = await processListOf(own);
    const now = async () => {
      const { statements } = await runningStatements(own, list);
      return statements!.find(({ connectionId }) => connectionId === String(writer.threadId));
    };
    const first = await vi.waitUntil(now, 5_000);
    const seen = new Set<boolean>();
    // Several times over the end of a second, of which MySQL's rows are not all on the same side.
    for (const end = Date.now() + 4_000; Date.now() < end;) seen.add(isSameStatement((await now())!, first));
    expect(seen).toEqual(new Set([true]));
    await admin.query('unlock tables');
    await waiting;
    await admin.query('lock tables item write');
    const next = writer.query('insert into item (x) values (3)');
    const second = await vi.waitUntil(now, 5_000);
    expect(isSameStatement(second, first)).toBe(false);
    await own.close();
    await admin.query('unlock tables');
    await next;
  });

  test('stay open when they are prepared for two-phase commit and their connection goes', async () => {
    const writer = await client();
    await writer.query(`xa start '${USER}'`);
    await writer.query('insert into item (x) values (3)');
    const open = await look();
    expect(names(open)).toEqual([writer.threadId]);
    await writer.query(`xa end '${USER}'`);
    await writer.query(`xa prepare '${USER}'`);
    expect(await look(open)).toHaveLength(1);
    writer.destroy();
    await expect.poll(async () => (await look(open))[0]?.application).toMatch(/^prepared transaction \d+$/);
    const orphan = await look(open);
    const second = await prepare('later');
    await expect.poll(async () => (await look()).length).toBe(2);
    expect((await look(orphan)).map(({ key }) => key)).toEqual(orphan.map(({ key }) => key));
    await (await client()).query(`xa commit '${USER}'`);
    expect(await look(orphan)).toEqual([]);
    await (await client()).query(`xa commit '${second}'`);
  });

  /** One that begins now, of a connection that is gone. */
  async function prepare(name: string): Promise<string> {
    const [writer, xid] = [await client(), `${name} ${USER}`];
    await writer.query(`xa start '${xid}'`);
    await writer.query('insert into item (x) values (3)');
    await look(); // or nobody here would know it once it has no user any more
    await writer.query(`xa end '${xid}'`);
    await writer.query(`xa prepare '${xid}'`);
    writer.destroy();
    return xid;
  }

  test('stay open when they had written nothing yet, and are then prepared', async () => {
    const writer = await client();
    const xid = `reader ${USER}`;
    await writer.query(`xa start '${xid}'`);
    await writer.query('select * from item');
    const open = await look();
    expect(names(open)).toEqual([writer.threadId]);
    await writer.query('insert into item (x) values (3)');
    await look();
    await writer.query(`xa end '${xid}'`);
    await writer.query(`xa prepare '${xid}'`);
    writer.destroy();
    await expect.poll(async () => (await look(open))[0]?.application).toMatch(/^prepared transaction \d+$/);
    const orphan = await look(open);
    await (await client()).query(`xa commit '${xid}'`);
    expect(await look(orphan)).toEqual([]);
  });

  /** In a transaction, a statement with a character for which MySQL reads out no list of transactions, until it is told to end. */
  async function smiling() {
    const [admin, smiler] = [await client(), await client()];
    await admin.query(`select get_lock('smile ${USER}', 0)`);
    await smiler.query('begin');
    await smiler.query('insert into item (x) values (5)');
    const statement = smiler.query(`select '\u{1F600}', get_lock('smile ${USER}', 60), release_lock('smile ${USER}')`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const stop = async () => {
      await admin.query(`select release_lock('smile ${USER}')`);
      await statement;
    };
    return { smiler, stop };
  }

  test('are waited for as soon as they can be listed: a statement with an emoji keeps MySQL from it, and is named', async () => {
    const writer = await client();
    await writer.query('begin');
    await writer.query('insert into item (x) values (6)');
    const { smiler, stop } = await smiling();
    const both = [writer.threadId, smiler.threadId].sort();
    const open = await look();
    if (server.flavour === 'MySQL') {
      expect(open).toMatchObject([{ connectionId: String(smiler.threadId), user: USER }]);
      expect(await database.dialect.isStandby(session)).toBe(false);
      expect(open[0]!.application).toBe(
        '127.0.0.1, whose statement has a character for which MySQL lists no transactions',
      );
      expect(await look(open)).toEqual(open.map((one) => ({ ...one, ageSeconds: expect.any(Number) as number })));
    } else {
      expect(names(open).sort()).toEqual(both);
    }
    await stop();
    const listed = await look(open);
    expect(names(listed).sort()).toEqual(both);
    await smiler.query('commit');
    expect(names(await look(listed))).toEqual([writer.threadId]);
    await writer.query('commit');
    expect(await look(listed)).toEqual([]);
  });

  test('that are waited for already are so on, and no others, while they cannot be listed', async () => {
    const writer = await client();
    await writer.query('begin');
    await writer.query('insert into item (x) values (7)');
    const open = await look();
    const { stop } = await smiling();
    await writer.query('commit');
    expect(names(await look(open))).toEqual(server.flavour === 'MySQL' ? [writer.threadId] : []);
    await stop();
    expect(await look(open)).toEqual([]);
  });

  test('are looked for again where others have looked for too long', async () => {
    const holder = await client();
    await holder.query("select get_lock('waybill innodb_trx', 30)");
    const busy = holder.query('select sleep(300)').catch(() => undefined); // at work, as far as the server knows
    const own = await database.openSession('waybill read item');
    // Waits no minute for its turn.
    const impatient = new Proxy(own, {
      get: (target, name) =>
        name === 'query'
          ? (statement: SqlStatement) => {
              const { text, values } = renderSql(statement, () => '?');
              return target.query({ strings: text.replace(', 10)', ', 0)').split('?'), values });
            }
          : (Reflect.get(target, name) as unknown),
    });
    const error = await database.dialect.openTransactions(impatient).catch((thrown: unknown) => thrown);
    await own.close();
    await session.query({ strings: [`kill connection ${holder.threadId}`], values: [] });
    await busy;
    const failure = toFailure(error, database, 'source s');
    expect(failure.message).toBe('other loads look at the transactions of this server for longer than 60 s');
    expect(failure.nonRetryable).toBeFalsy();
  });

  test('are found past one who died when it was its turn, and whom the server takes for alive', async () => {
    const dead = await client();
    await dead.query("select get_lock('waybill innodb_trx', 60)"); // others of this server may have their look now
    const writer = await client();
    await writer.query('begin');
    await writer.query('insert into item (x) values (8)');
    expect(names(await look())).toEqual([writer.threadId]);
    await expect(dead.query('select 1')).rejects.toThrow();
    await writer.query('rollback');
  });

  test('are found by a role that may see them; another is told what to grant', async () => {
    const theirs = new URL(url);
    theirs.username = `poor_${USER}`;
    theirs.password = 'pw';
    const poor = new MysqlDatabase({
      name: 's',
      url: theirs.href,
      scheme: 'mysql',
      maxConnections: 6,
      controlSchema: 'waybill',
    });
    const own = await poor.openSession('waybill read item');
    try {
      const right = server.flavour === 'MySQL' ? 'replication client' : 'slave monitor';
      for (const ask of [() => poor.dialect.isStandby(own), () => poor.dialect.openTransactions(own)]) {
        const refused = await ask().catch((error: unknown) => error);
        expect(refused).toBeInstanceOf(ConfigurationError);
        expect((refused as ConfigurationError).next).toContain(`grant process, ${right} on *.* to it`);
      }
      await session.query({ strings: [`grant process, ${right} on *.* to poor_${USER}`], values: [] });
      const able = await poor.openSession('waybill read item');
      expect(await poor.dialect.isStandby(able)).toBe(false);
      await poor.dialect.openTransactions(able);
      await able.close();
    } finally {
      await own.close();
      await poor.close();
    }
  });

  test('are seen though somebody else asks for them all the time', async () => {
    const [monitor, writer] = [await client(), await client()];
    let asking = true;
    const asked = (async () => {
      while (asking) {
        await monitor.query('select count(*) from information_schema.innodb_trx');
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
    })();
    try {
      for (let i = 0; i < 5; i += 1) {
        await writer.query('begin');
        await writer.query('insert into item (x) values (4)');
        expect(names(await look())).toContain(writer.threadId);
        await writer.query('rollback');
        expect(names(await look())).not.toContain(writer.threadId);
      }
    } finally {
      asking = false;
      await asked;
    }
  });
});
