import { createServer, type Server, type Socket } from 'node:net';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TransactionLostError, type ErrorFacts, type Session } from '../../../src/database/dialect.ts';
import { openCopyOut } from '../../../src/database/postgres/copy.ts';
import { PostgresDatabase } from '../../../src/database/postgres/database.ts';
import { classify, connectionError } from '../../../src/database/postgres/errors.ts';
import { raw, sql } from '../../../src/database/sql.ts';
import { UnreachableError } from '../../../src/errors.ts';
import { freshDatabase, servers, type FreshDatabase } from '../../servers.ts';

/** Stands in rows only: no message for Temporal's history may hold it. */
const SECRET = 'mary@example.org';

const SCHEMA = `
create table t (id int primary key, mail varchar(30) unique, n smallint, d date, constraint positive check (n > 0));
create table child (id int primary key, t_id int, constraint to_t foreign key (t_id) references t (id));
create table span (r int4range, constraint apart exclude using gist (r with &&));
create view small as select * from t where n < 10 with check option;
insert into t values (1, '${SECRET}', 1, '2024-01-01'), (2, 'b', 2, null);
insert into span values ('[1,5)');
create function writes() returns int language sql as 'insert into span values (null) returning 0';
create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not %', new.mail; end $$;
create table guarded (mail text); create trigger g before insert on guarded for each row execute function refuse();`;

const open = (url: string): PostgresDatabase =>
  new PostgresDatabase({ name: 'w', url, scheme: 'postgres', maxConnections: 10, controlSchema: 'waybill' });

const failing = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => {
      throw new Error('there was no error');
    },
    (error: unknown) => error,
  );

/** What a source's rows come by. */
const copied = (session: Session, select: string): Promise<number> =>
  new Promise((done, failed) => openCopyOut(session, select, 'text', { data: () => undefined, done, failed }));

describe.each(servers)('errors of $name', (server) => {
  let fresh: FreshDatabase;
  let database: PostgresDatabase;
  const sessions: Session[] = [];

  beforeEach(async () => {
    fresh = await freshDatabase(server);
    const client = new pg.Client({ connectionString: fresh.url });
    await client.connect();
    await client.query(SCHEMA);
    await client.end();
    database = open(fresh.url);
  });
  afterEach(async () => {
    for (const session of sessions.splice(0)) session.destroy();
    await database.close();
    await fresh.drop();
  });

  async function begun(...options: Parameters<PostgresDatabase['openSession']>): Promise<Session> {
    const session = await database.openSession(...options);
    sessions.push(session);
    await session.begin();
    return session;
  }
  const run = (session: Session, text: string) => session.run({ text, values: [] });
  const failureOf = async (text: string): Promise<ErrorFacts> =>
    classify(await failing(run(await begun('waybill errors'), text)));

  test.each<[text: string, code: string, safe: RegExp, because?: ErrorFacts['because']]>([
    [
      `insert into t values (3, '${SECRET}', 1, null)`,
      '23505',
      /^duplicate key \(constraint t_mail_key, table public\.t\)/,
      'data',
    ],
    [`insert into t values (null, 'c', 1, null)`, '23502', /^null value .*column id/, 'data'],
    [
      `insert into t values (3, '${SECRET}x', 0, null)`,
      '23514',
      /^check constraint violated \(constraint positive/,
      'data',
    ],
    ['insert into child values (1, 99)', '23503', /^foreign key violated \(constraint to_t/, 'data'],
    [`insert into span values ('[2,3)')`, '23P01', /^exclusion constraint violated \(constraint apart/, 'data'],
    [
      `insert into small values (3, '${SECRET}x', 99, null)`,
      '44000',
      /^an error whose text stands in the ledger/,
      'data',
    ],
    [`insert into guarded values ('${SECRET}')`, 'P0001', /^the SQL raised an exception of its own/, 'data'],
    [`select (select id from t)`, '21000', /SQLSTATE 21000/, 'data'],
    [`update t set mail = repeat('${SECRET}', 9)`, '22001', /value too long for type character varying\(30\)/, 'data'],
    ['update t set n = 99999', '22003', /smallint out of range/, 'data'],
    [`select '${SECRET}'::date`, '22007', /^invalid date or time \(SQLSTATE 22007\)$/, 'data'],
    [`select '2024-13-13'::date`, '22008', /^date or time .*SQLSTATE 22008/, 'data'],
    ['select 1 / (id - 1) from t', '22012', /^division by zero \(SQLSTATE 22012\)$/, 'data'],
    [`select '${SECRET}'::int`, '22P02', /^invalid text for the type \(SQLSTATE 22P02\)$/, 'data'],
    [`select chr(0)`, '54000', /null character not permitted/, 'data'],
    [
      `do $$ begin create table long (v text); create index on long (v);
        insert into long select string_agg(md5(g::text), '') from generate_series(1, 3000) g; end $$`,
      '54000',
      /index row/,
      'data',
    ],
    [
      `do $$ begin raise 'no' using errcode = 'WB001'; end $$`,
      'WB001',
      /^the SQL raised an exception of its own/,
      'data',
    ],
    ['select * fro t', '42601', /syntax error/],
    ['select nothing from t', '42703', /column "nothing" does not exist/],
    ['select nothing()', '42883', /function nothing\(\) does not exist/],
    ['select * from nowhere', '42P01', /relation "nowhere" does not exist/, 'missing'],
    ['create table nowhere.t ()', '3F000', /schema "nowhere" does not exist/, 'missing'],
    ['vacuum t', '25001', /cannot run inside a transaction block/],
    [
      'select t.mial from t',
      '42703',
      /t\.mial does not exist\. Perhaps you meant to reference the column "t\.mail" \(SQLSTATE/,
    ],
    [
      `do $$ begin raise 'no' using errcode = '42703', hint = '${SECRET}'; end $$`,
      '42703',
      /^the SQL raised an exception of its own; its text stands in the ledger \(SQLSTATE 42703\)$/,
      'data',
    ],
  ])('are permanent, and say no value of a row: %s', async (text, code, safe, because) => {
    const facts = await failureOf(text);
    expect(facts).toMatchObject({ kind: 'permanent', code, retryAfterSeconds: 0 });
    expect(facts.because).toBe(because);
    expect(facts.safeMessage).toMatch(safe);
    expect(facts.safeMessage).not.toContain('mary');
    expect(facts.message).toContain(`(SQLSTATE ${code})`);
  });

  test('say what is forbidden', async () => {
    const session = await begun('waybill few rights');
    await session.query(sql`set local role pg_monitor`);
    expect(classify(await failing(run(session, 'select * from t')))).toMatchObject({
      ...{
        kind: 'permanent',
        code: '42501',
        because: 'forbidden',
        safeMessage: 'permission denied for table t (SQLSTATE 42501)',
      },
    });
  });

  test('are transient where two transactions wait for each other: one of them is told', async () => {
    const [a, b] = [await begun('waybill a'), await begun('waybill b')];
    await run(a, 'update t set n = 3 where id = 1');
    await run(b, 'update t set n = 3 where id = 2');
    const ends = await Promise.allSettled([
      run(a, 'update t set n = 4 where id = 2').finally(() => a.rollback()),
      run(b, 'update t set n = 4 where id = 1').finally(() => b.rollback()),
    ]);
    const errors = ends.flatMap((end) => (end.status === 'rejected' ? [classify(end.reason)] : []));
    expect(errors).toMatchObject([
      {
        kind: 'transient',
        code: '40P01',
        safeMessage: 'deadlock detected. See server log for query details (SQLSTATE 40P01)',
      },
    ]);
  });

  test('are transient where another one holds the lock, or has it changed meanwhile', async () => {
    const holder = await begun('waybill holder');
    await run(holder, 'update t set n = 3 where id = 1');
    const waiter = await begun('waybill waiter');
    await waiter.query(sql`set local lock_timeout = '50ms'`);
    const waited = classify(await failing(run(waiter, 'update t set n = 4 where id = 1')));
    expect(waited).toMatchObject({ kind: 'transient', code: '55P03' });
    const impatient = await begun('waybill impatient');
    const refused = classify(await failing(run(impatient, 'select from t where id = 1 for update nowait')));
    expect(refused).toMatchObject({ kind: 'transient', code: '55P03' });

    const strict = await begun('waybill strict');
    await strict.query(sql`set transaction isolation level repeatable read`);
    await run(strict, 'select from t');
    await holder.commit();
    const changed = classify(await failing(run(strict, 'update t set n = 5 where id = 1')));
    expect(changed).toMatchObject({ kind: 'transient', code: '40001' });
  });

  test('are transient where a limit of time or place was hit, a server only reads, or somebody cancels', async () => {
    const slow = await begun('waybill slow', { statementTimeoutMs: 50 });
    expect(classify(await failing(run(slow, 'select pg_sleep(60)')))).toMatchObject({
      kind: 'transient',
      code: '57014',
    });
    const cancelled = await begun('waybill cancelled');
    const end = failing(run(cancelled, 'select pg_sleep(60)'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await database.query(sql`select pg_cancel_backend(${cancelled.connectionId}::int)`);
    expect(classify(await end)).toMatchObject({ kind: 'transient', code: '57014' });

    const large = await begun('waybill large');
    await large.query(sql`set local temp_file_limit = '64kB'`);
    await large.query(sql`set local work_mem = '64kB'`);
    const full = await failing(run(large, 'select g from generate_series(1, 200000) g order by -g'));
    expect(classify(full)).toMatchObject({ kind: 'transient', code: '53400' });

    const reader = await database.openSession('waybill reader');
    sessions.push(reader);
    await reader.begin({ readOnly: true });
    // What we let only read writes on no other server either.
    expect(classify(await failing(run(reader, 'delete from t')))).toMatchObject({
      ...{ kind: 'permanent', code: '25006', next: expect.stringMatching(/^only reading is allowed here/) as string },
    });
    for (const reads of [copied, (session: Session, select: string) => session.query(sql`${raw(select)}`)]) {
      await reader.rollback();
      await reader.begin({ readOnly: true });
      const facts = classify(await failing(reads(reader, 'select writes()')));
      expect(facts).toMatchObject({ kind: 'permanent', code: '25006' });
    }
    await reader.rollback();
    await reader.begin();
    await reader.query(sql`set transaction read only`);
    expect(classify(await failing(run(reader, 'delete from t')))).toMatchObject({
      ...{ kind: 'transient', code: '25006' },
      next: 'give the URL of the server that takes writes; a standby may be a source, from which SQL only reads',
    });
    const user = await begun('waybill user');
    await user.query(sql`declare c cursor for select * from t`);
    expect(classify(await failing(run(user, 'alter table t add x int')))).toMatchObject({
      ...{ kind: 'transient', code: '55006' },
    });
  });

  test('are of the connection where it is ended: by an administrator, or for sleeping in a transaction', async () => {
    const ended = await begun('waybill ended');
    const atWork = failing(run(ended, 'select pg_sleep(60)'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await database.query(sql`select pg_terminate_backend(${ended.connectionId}::int)`);
    expect(classify(await atWork)).toMatchObject({ kind: 'connection', code: '57P01' });
    // The driver has no code for what comes later.
    expect(classify(await failing(run(ended, 'select 1')))).toMatchObject({ kind: 'connection', code: undefined });

    const idle = await begun('waybill idle');
    await idle.query(sql`set local idle_in_transaction_session_timeout = '50ms'`);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(classify(await failing(run(idle, 'select 1'))).kind).toBe('connection');
    expect(classify(await failing(idle.commit())).kind).toBe('connection');
  });

  test('are of the connection where the server takes no more of them, or has no such database, and say what to do', async () => {
    const role = `few_${fresh.name}`;
    await database.query({ strings: [`create role ${role} login password 'hush' connection limit 0`], values: [] });
    const at = (change: (url: URL) => void): PostgresDatabase => {
      const url = new URL(fresh.url);
      change(url);
      return open(url.href);
    };
    const few = at((url) => Object.assign(url, { username: role, password: 'hush' }));
    const nowhere = at((url) => (url.pathname = '/nowhere'));
    try {
      const full = (await failing(few.query(sql`select 1`))) as UnreachableError;
      expect(full).toBeInstanceOf(UnreachableError);
      expect(full.message).toMatch(/^cannot connect to w: too many connections for role/);
      expect(full.next).toBe('raise max_connections on the server, or lower max_connections of connection w');
      expect(classify(full)).toMatchObject({ kind: 'connection' });
      expect(classify(full.cause)).toMatchObject({ kind: 'transient', code: '53300' });
      const missing = (await failing(nowhere.openSession('waybill nowhere'))) as UnreachableError;
      expect(missing.next).toBe('create the database, or correct its name in the URL of connection w');
    } finally {
      await Promise.all([few.close(), nowhere.close()]);
      await database.query({ strings: [`drop role ${role}`], values: [] });
    }
  });

  /** SQLSTATEs that tests cannot provoke: the server itself sends them, and says what it always says. */
  const TRANSIENT = [
    ...['40001', '40P01', '55P03', '25006', '55006', '57014'],
    ...['53000', '53100', '53200', '53300', '53400', '58030'],
  ];
  /** With these it ends a connection; or SQL says them, of one that it could not open to elsewhere. */
  const ENDING = ['57P01', '57P02', '57P03', '57P05', '25P03', '25P04', '08000', '08001', '08003', '08006', '08P01'];
  test('are transient by their SQLSTATE, however they come, on a session that lives', async () => {
    const session = await begun('waybill codes');
    for (const code of [...TRANSIENT, ...ENDING]) {
      const facts = classify(
        await failing(run(session, `do $$ begin raise exception '${SECRET}' using errcode = '${code}'; end $$`)),
      );
      await session.rollback();
      await session.begin();
      expect(facts, code).toMatchObject({ kind: 'transient', code, retryAfterSeconds: code === '53100' ? 30 : 0 });
      expect(facts.safeMessage, code).not.toContain('mary');
    }
  });
  test.each(ENDING)('are of the connection with which the server, or a pooler, hangs up: %s', (code) => {
    const fatal = (severity: string, routine?: string): unknown =>
      Object.assign(new Error('terminating'), { code, severity, routine });
    for (const error of [fatal('FATAL'), fatal('PANIC'), fatal('ВАЖНО', 'ProcessInterrupts')]) {
      expect(classify(error)).toMatchObject({ kind: 'connection', code });
    }
  });
  test.each(['GetNewTransactionId', 'GetNewMultiXactId'])(
    'are transient, and not of the data, where numbers of transactions run out: %s',
    (routine) => {
      const message =
        'database is not accepting commands that assign new transaction IDs to avoid wraparound data loss';
      const facts = classify(Object.assign(new Error(message), { code: '54000', severity: 'ERROR', routine }));
      expect(facts).toMatchObject({ kind: 'transient', code: '54000', retryAfterSeconds: 30 });
      expect(facts.because).toBe(undefined);
      expect(facts.safeMessage).toContain(message);
    },
  );
  test('of all other classes are permanent', async () => {
    const session = await begun('waybill codes');
    for (const code of [
      '02000',
      '0A000',
      '22000',
      '23000',
      '25001',
      '28000',
      '2BP01',
      '40002',
      '42804',
      '54001',
      '55000',
      '57P04',
      '58P01',
      'XX000',
      'P0002',
    ]) {
      const facts = classify(
        await failing(run(session, `do $$ begin raise exception 'x' using errcode = '${code}'; end $$`)),
      );
      await session.rollback();
      await session.begin();
      expect(facts, code).toMatchObject({ kind: 'permanent', code });
    }
  });
});

describe('errors of the network under pg', () => {
  const listening: Server[] = [];
  afterEach(() => {
    for (const server of listening.splice(0)) server.close();
  });

  /** A port where somebody listens who does this with what connects. */
  async function port(meet: (socket: Socket) => void): Promise<number> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      meet(socket);
    });
    listening.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as { port: number }).port;
  }
  const nobody = async (): Promise<number> => {
    const free = await port(() => undefined);
    await new Promise((resolve) => listening.pop()!.close(resolve));
    return free;
  };

  test.each<[title: string, at: () => Promise<number>, said: RegExp]>([
    ['nobody listens', nobody, /ECONNREFUSED/],
    [
      'the other side resets it',
      () => port((socket) => socket.once('data', () => socket.resetAndDestroy())),
      /ECONNRESET/,
    ],
    [
      'the other side ends it',
      () => port((socket) => socket.once('data', () => socket.destroy())),
      /Connection terminated unexpectedly/,
    ],
  ])('%s: the connection is gone, and the message says where to look', async (_, at, said) => {
    const url = `postgres://mary:hush@127.0.0.1:${await at()}/db`;
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    const bare = await failing(client.connect());
    expect((bare as Error).message).toMatch(said);
    expect(classify(bare)).toMatchObject({ kind: 'connection', retryAfterSeconds: 0 });
    const database = open(url);
    for (const work of [database.query(sql`select 1`), database.openSession('waybill nobody')]) {
      const error = (await failing(work)) as UnreachableError;
      expect(error).toBeInstanceOf(UnreachableError);
      expect(classify(error).kind).toBe('connection');
      expect(error.next).toBe('check that the server runs and that the URL of connection w names its host and port');
      expect(error.message).not.toContain('hush');
    }
    await database.close();
  });

  test('a client that was closed by ourselves is not queryable, and that is an error of the connection, too', async () => {
    const client = new pg.Client({ connectionString: servers[0]!.url });
    await client.connect();
    await client.end();
    expect(classify(await failing(client.query('select 1'))).kind).toBe('connection');
  });

  test.each(['ETIMEDOUT', 'EPIPE', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'])('%s', (code) => {
    const error = Object.assign(new Error(`connect ${code}`), { code });
    expect(classify(error)).toMatchObject({ kind: 'connection', code, message: `connect ${code}` });
  });

  test('a host of several addresses says of the first what is wrong with it', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED ::1:1'), { code: 'ECONNREFUSED' });
    const all = Object.assign(new AggregateError([refused]), { code: 'ECONNREFUSED' });
    expect(connectionError('w', all).message).toBe('cannot connect to w: connect ECONNREFUSED ::1:1');
  });

  test('a lost transaction is permanent, what is no error of a server, too', () => {
    expect(classify(new TransactionLostError('gone')).kind).toBe('permanent');
    expect(classify(new TypeError('x is not a function')).kind).toBe('permanent');
    expect(classify('odd')).toMatchObject({ kind: 'permanent', message: 'odd' });
  });
});
