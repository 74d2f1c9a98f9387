/** Several statements in one round trip, and a COMMIT that depends on the one before it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PostgresDatabase } from '../../../src/database/postgres/database.ts';
import { TransactionLostError, type Session } from '../../../src/database/dialect.ts';
import { part, raw, repeated, SAVEPOINT, sql } from '../../../src/database/sql.ts';
import { freshDatabase, servers, type FreshDatabase } from '../../servers.ts';

describe.each(servers)('a session on $name', (server) => {
  let fresh: FreshDatabase;
  let database: PostgresDatabase;
  let session: Session;
  beforeEach(async () => {
    fresh = await freshDatabase(server);
    const at = { name: 'warehouse', url: fresh.url, scheme: 'postgres', maxConnections: 4, controlSchema: 'waybill' };
    database = new PostgresDatabase(at as ConstructorParameters<typeof PostgresDatabase>[0]);
    await database.query(sql`create table t (id bigint primary key, note text, at timestamptz, ok boolean)`);
    session = await database.openSession('test');
  });
  afterEach(async () => {
    session.destroy();
    await database.close();
    await fresh.drop();
  });

  const begin = () => database.dialect.begin();
  const ids = async () =>
    (await database.query<{ id: string }>(sql`select id from t order by id`)).rows.map((row) => row.id);

  test('a pipeline takes values of every kind as they are, and answers one by one', async () => {
    const note = `it's \\ "quoted"; drop table t; -- $1 ?`;
    const at = new Date('2026-03-29T01:30:00.123Z');
    const answers = await session.pipeline([
      sql`insert into t values (${'9007199254740993'}, ${note}, ${at}, ${true}), (${2}, ${null}, ${null}, ${false})`,
      sql`select id, note, at, ok from t order by id desc`,
      sql`delete from t where id = ${-1}`,
    ]);
    expect(answers).toEqual([
      { rows: [], rowCount: 2 },
      {
        rows: [
          { id: '9007199254740993', note, at, ok: true },
          { id: '2', note: null, at: null, ok: false },
        ],
        rowCount: 2,
      },
      { rows: [], rowCount: 0 },
    ]);
    await expect(session.pipeline([sql`select ${{}}`])).rejects.toThrow('no literal');
  });

  test('a control connection keeps what is asked of it again and again, by one name for each text', async () => {
    // Once so many are out, each has been opened.
    const all = [await database.controlSession(), await database.controlSession()];
    for (const one of all) await one.close();
    const ask = (more = part``) => repeated('read', sql`select id from t where id = ${1} ${more}`);
    for (let i = 0; i < 4; i += 1) {
      await database.query(ask());
      await database.query(ask(part`and note is null`));
    }
    const { rows } = await database.query<{ name: string; plans: string }>(
      sql`select name, generic_plans + custom_plans as plans from pg_prepared_statements order by name`,
    );
    expect(rows.map(({ name, plans }) => [name.replace(/\d+/, 'N'), plans])).toEqual([
      ['waybill_read_N', '4'],
      ['waybill_read_N', '4'],
    ]);
  });

  test('what a chunk asks about its table is asked by such a name', async () => {
    for (let i = 0; i < 3; i += 1) {
      expect(await database.dialect.columnsRead(database, session, 'public.t')).toHaveLength(4);
      await database.query(sql`alter table t add column ${raw(`more${i}`)} int`);
      expect(await database.dialect.columnsRead(database, session, 'public.t')).toHaveLength(5);
      await database.query(sql`alter table t drop column ${raw(`more${i}`)}`);
    }
    const { rows } = await database.query<{ plans: string }>(
      sql`select generic_plans + custom_plans as plans from pg_prepared_statements where name like 'waybill_table_%'`,
    );
    expect(rows).toEqual([{ plans: '6' }]);
  });

  test('what is sent again and again is prepared, each text once, on each connection', async () => {
    const insert = (id: number, note: string | null) =>
      repeated('insert', sql`insert into t values (${id}, ${note}) returning id, note`);
    const read = (id: number, more = part``) => repeated('read', sql`select note from t where id = ${id} ${more}`);
    const prepared = async (of = session) =>
      (await of.query<{ n: number }>(sql`select count(*)::int as n from pg_prepared_statements`)).rows[0]!.n;
    for (let id = 1; id <= 12; id += 1) {
      const note = id % 4 === 0 ? null : `it's ${id}`;
      const [written, , one, other] = await session.pipeline([
        insert(id, note),
        sql`select 1`,
        read(id),
        read(id, part`and note is not null`),
      ]);
      expect(written?.rows).toEqual([{ id: String(id), note }]);
      expect(one?.rows).toEqual([{ note }]);
      expect(other?.rows).toEqual(note === null ? [] : [{ note }]);
      expect(await prepared()).toBe(id < 3 ? 0 : 3);
    }
    const { rows } = await session.query<{ name: string }>(sql`select name from pg_prepared_statements order by name`);
    expect(rows.map(({ name }) => name.replace(/\d+/, 'N'))).toEqual([
      'waybill_insert_N',
      'waybill_read_N',
      'waybill_read_N',
    ]);
    // Pooled connections are handed on to the next session, which knows nothing of what they hold.
    for (let round = 1; round <= 2; round += 1) {
      const control = await database.controlSession();
      for (let i = 0; i < 4; i += 1) expect((await control.pipeline([read(1)]))[0]?.rows).toEqual([{ note: `it's 1` }]);
      expect(await prepared(control)).toBe(round);
      await control.close();
    }
  });

  test('the first error ends a pipeline: nothing after it runs', async () => {
    await session.pipeline(begin());
    await expect(session.pipeline([sql`select 1 / 0`, sql`insert into t values (1)`, sql`commit`])).rejects.toThrow(
      /division/,
    );
    await session.rollback();
    expect(await ids()).toEqual([]);
  });

  test('commits after a statement that touched one row, and goes on in the next transaction', async () => {
    await session.pipeline([...begin(), sql`insert into t values (1)`, SAVEPOINT]);
    const answers = await session.commitAfter(
      [{ statement: part`update t set note = ${'done'} where id = ${1}`, rows: 1 }],
      [...begin(), sql`select note from t`, SAVEPOINT],
    );
    expect(answers?.at(-2)?.rows).toEqual([{ note: 'done' }]);
    expect(await ids()).toEqual(['1']);
    await session.pipeline([sql`insert into t values (2)`]);
    expect(await ids()).toEqual(['1']);
    expect(
      await session.commitAfter([{ statement: part`update t set note = 'last' where id = 2`, rows: 1 }], []),
    ).toEqual([]);
    expect(await ids()).toEqual(['1', '2']);
  });

  test('commits nothing after a statement that touched none: everything is rolled back', async () => {
    await session.pipeline([...begin(), sql`insert into t values (1)`, SAVEPOINT, sql`insert into t values (2)`]);
    expect(
      await session.commitAfter([{ statement: part`update t set note = 'x' where id = 3`, rows: 1 }], begin()),
    ).toBeUndefined();
    await session.query(sql`insert into t values (3)`); // in no transaction
    expect(await ids()).toEqual(['3']);
  });

  test('takes a COMMIT that is answered by ROLLBACK for what it is: the transaction had failed, and nothing is there', async () => {
    const inFailed = async (): Promise<void> => {
      await session.begin();
      await session.run({ text: 'insert into t values (1)', values: [] });
      await expect(session.run({ text: 'select 1 / 0', values: [] })).rejects.toThrow(/division/);
    };
    await inFailed();
    await expect(session.commit()).rejects.toThrow('the server answered ROLLBACK to COMMIT');
    await inFailed();
    await expect(session.commit()).rejects.toBeInstanceOf(TransactionLostError);
    await inFailed(); // the driver's own word for it, without a savepoint to go back to
    await expect(session.commitAfter([{ statement: part`insert into t values (2)`, rows: 1 }], [])).rejects.toThrow();
    await session.rollback();
    expect(await ids()).toEqual([]);
  });

  test.each(['commit', 'rollback'])('notices that a statement ended the transaction under it: %s', async (text) => {
    await session.begin();
    await session.run({ text: 'insert into t values (1)', values: [] });
    await expect(session.run({ text, values: [] })).rejects.toThrow(TransactionLostError);
  });

  test('commits nothing after a statement that touched fewer rows or more than it must', async () => {
    await database.query(sql`insert into t values (1), (2)`);
    for (const rows of [1, 3]) {
      await session.pipeline([...begin(), SAVEPOINT]);
      expect(await session.commitAfter([{ statement: part`update t set note = 'x'`, rows }], [])).toBeUndefined();
    }
    expect((await database.query(sql`select note from t`)).rows).toEqual([{ note: null }, { note: null }]);
  });

  test('needs no multixact for a row that is claimed, and done after a savepoint', async () => {
    await database.query(sql`create extension pageinspect`);
    await database.query(sql`insert into t values (1), (2)`);
    const claim = (id: number) => [...begin(), sql`select id from t where id = ${id} for update`, SAVEPOINT];
    await session.pipeline(claim(1));
    await session.commitAfter([{ statement: part`update t set note = 'done' where id = 1`, rows: 1 }], claim(2));
    await session.commitAfter([{ statement: part`update t set note = 'done' where id = 2`, rows: 1 }], []);
    const { rows } = await database.query(sql`
      select count(*)::int as versions, count(*) filter (where t_infomask & 4096 <> 0)::int as multixacts
      from heap_page_items(get_raw_page('t', 0))`);
    expect(rows).toEqual([{ versions: 4, multixacts: 0 }]);
  });

  test('commits nothing after a statement that failed, or whose constraint fails at COMMIT', async () => {
    await session.pipeline([...begin(), SAVEPOINT]);
    await expect(session.commitAfter([{ statement: part`insert into t values (1 / 0)`, rows: 1 }], [])).rejects.toThrow(
      /division by zero/,
    );
    await session.rollback();
    await database.query(sql`create table late (id bigint references t deferrable initially deferred)`);
    await session.pipeline([...begin(), SAVEPOINT]);
    await expect(session.commitAfter([{ statement: part`insert into late values (1)`, rows: 1 }], [])).rejects.toThrow(
      /foreign key/,
    );
    expect((await database.query(sql`select 1 from late`)).rows).toEqual([]);
    // Also what a trigger does at COMMIT.
    await database.query(sql`create function fail() returns trigger language plpgsql as 'begin perform 1 / 0; end'`);
    await database.query(
      sql`create constraint trigger late after insert on t deferrable initially deferred for each row execute function fail()`,
    );
    await session.rollback();
    await session.pipeline([...begin(), SAVEPOINT]);
    await expect(session.commitAfter([{ statement: part`insert into t values (9)`, rows: 1 }], [])).rejects.toThrow(
      /division by zero/,
    );
    expect(await ids()).toEqual([]);
  });

  test('over TLS is refused by a server without, which says what to do', async () => {
    const at = { name: 'warehouse', url: fresh.url, scheme: 'postgres', maxConnections: 4, controlSchema: 'waybill' };
    const encrypted = new PostgresDatabase({ ...at, tls: true } as ConstructorParameters<typeof PostgresDatabase>[0]);
    await expect(encrypted.query(sql`select 1`)).rejects.toMatchObject({
      name: 'UnreachableError',
      message: 'cannot connect to warehouse: The server does not support SSL connections',
      next: 'turn TLS on at the server, or leave tls out of connection warehouse',
    });
    await encrypted.close();
  });

  test('over TLS names the file that is not there, and gives its place back', async () => {
    const url = `${fresh.url}?sslmode=verify-full&sslrootcert=/nowhere/ca.pem`;
    const at = { name: 'warehouse', url, scheme: 'postgres', maxConnections: 3, controlSchema: 'waybill' };
    const broken = new PostgresDatabase(at as ConstructorParameters<typeof PostgresDatabase>[0]);
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(broken.openSession('test')).rejects.toMatchObject({
        name: 'UnreachableError',
        next: 'see to it that the worker can read /nowhere/ca.pem, or correct the URL of connection warehouse',
      });
    }
    await broken.close();
  });
});
