/** Windows of a source on MySQL and MariaDB: every row is read once, whoever commits when. */
import { createConnection, type Connection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import type { AcquisitionSource, LoadDefinition } from '../../../src/config/definition.ts';
import { windowWhere } from '../../../src/control/conditions.ts';
import { cursorColumn, withSource } from '../../../src/control/source.ts';
import { nextWindow, type Window } from '../../../src/control/windows.ts';
import type { OpenTransaction } from '../../../src/database/cursor-dialect.ts';
import type { Database } from '../../../src/database/dialect.ts';
import { raw, sql } from '../../../src/database/sql.ts';
import { inTurns } from '../../every-server.ts';
import { meanwhile } from '../../meanwhile.ts';
import { describeOn, mysqlServers } from '../../mysql-servers.ts';
import { ledgerOn } from '../ledger-on.ts';

/** Writers write, and windows are read. */
const WHILE_MS = inject('seed').all ? 6_000 : 3_000;

const known = await mysqlServers();

describeOn(known, 'windows on $name', (server) => {
  const turn = inTurns(import.meta.url, server, known);
  /** Source and ledger. */
  let database: Database;
  let load: LoadDefinition;
  let batches = 0;
  let read: string[];
  let table: string;
  const clients: Connection[] = [];

  beforeAll(async () => {
    database = await ledgerOn(server);
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.end()));
    await database.close();
  });
  beforeEach(() => {
    const name = `acquisition.i${(batches += 1)}`;
    load = { name, file: 'loads/acquisition/item.yaml' } as LoadDefinition;
    table = `item_${batches}`;
    read = [];
  });

  async function client(): Promise<Connection> {
    const url = new URL(server.url);
    url.pathname = database.controlSchema;
    const connection = await createConnection({ uri: url.href, bigNumberStrings: true, supportBigNumbers: true });
    clients.push(connection);
    return connection;
  }
  async function create(columns: string): Promise<Connection> {
    const connection = await client();
    await connection.query(`create table ${table} (${columns})`);
    return connection;
  }
  const source = (cursor: string, more: Partial<AcquisitionSource> = {}): AcquisitionSource => ({
    connection: 's',
    table: `${database.controlSchema}.${table}`,
    cursor,
    ...(cursor === 'at' && { lagMs: 0 }),
    ...more,
  });
  const next = (from: AcquisitionSource) => nextWindow(database, database, load, from);

  /** As an acquisition does: waits for whoever was open, reads, publishes. */
  async function acquire(from: AcquisitionSource): Promise<Window | undefined> {
    const window = await next(from);
    if (!window) return undefined;
    const look = (of?: OpenTransaction[]) =>
      withSource(database, load, (session) => database.dialect.openTransactions(session, of));
    let open = await look();
    while (open.length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      open = await look(open);
    }
    const { column } = (await cursorColumn(database, load, from))!;
    const where = windowWhere(database.dialect, column, window);
    const { rows } = await database.query<{ id: string }>(
      sql`select id from ${raw(database.dialect.quoteTable(from.table!))} where ${where}`,
    );
    read.push(...rows.map(({ id }) => String(id)));
    await publish(window);
    return window;
  }
  async function publish({ from, to }: Window, state = 'published'): Promise<string> {
    const batchId = String((batches += 1));
    await database.query(sql`
      insert into ${database.ledger('batch')} (batch_id, load_name, kind, state, definition_hash, definition, params,
        invisible, window_from, window_to, deadline_at)
      values (${batchId}, ${load.name}, 'acquisition', ${state}, 'h', '{}', '{}', '[]', ${from}, ${to},
        ${database.dialect.words.now})`);
    return batchId;
  }
  async function expectAllOnce(connection: Connection): Promise<void> {
    const [rows] = await connection.query(`select id from ${table} order by id`);
    const ids = (rows as { id: string }[]).map(({ id }) => String(id));
    expect(read.map(BigInt).sort((a, b) => (a < b ? -1 : 1))).toEqual(ids.map(BigInt));
  }

  for (const [what, cursor, columns] of [
    ['numbers that commit out of order', 'id', 'id bigint auto_increment primary key, at datetime default now()'],
    ['times of whole seconds', 'at', 'id bigint auto_increment primary key, at datetime default now(), key (at)'],
    [
      'times to the microsecond',
      'at',
      'id bigint auto_increment primary key, at timestamp(6) default now(6), key (at)',
    ],
  ] as const) {
    turn(`lose no row of ${what} and take none twice, while writers write`, async () => {
      const first = await create(columns);
      const writers = [first, await client(), await client(), await client()];
      const write = (writer: Connection, i: number) => async (n: number) => {
        if (n % 3 !== 0) await writer.query('begin');
        // Many rows take a range of numbers ahead, and leave a part of it unused.
        if (n % 4 === 0)
          await writer.query(`insert into ${table} (id) select null from information_schema.collations limit 50`);
        await writer.query(`insert into ${table} () values ()`);
        if (n % 3 !== 0) {
          await new Promise((resolve) => setTimeout(resolve, (i + 1) * 60 * Math.random()));
          await writer.query(n % 5 === 1 ? 'rollback' : 'commit');
        }
      };
      let windows = 0;
      await meanwhile(writers.map(write), async () => {
        // For a while, and until there were some windows, however slow the machine is.
        const started = Date.now();
        const long = (): number => Date.now() - started;
        while (long() < WHILE_MS || (windows <= 3 && long() < 40_000)) if (await acquire(source(cursor))) windows += 1;
      });
      await new Promise((resolve) => setTimeout(resolve, 1_100)); // the last second is over
      await acquire(source(cursor));
      expect(windows).toBeGreaterThan(3);
      await expectAllOnce(first);
    });
  }

  test('read a gap again that was retracted, exactly, and then go on', async () => {
    const writer = await create('id bigint primary key');
    await writer.query(`insert into ${table} values (1), (5), (9)`);
    expect(await acquire(source('id'))).toEqual({ from: null, to: '10' });
    await writer.query(`insert into ${table} values (12)`);
    const second = await next(source('id'));
    expect(second).toEqual({ from: '10', to: '13' });
    await publish(second!, 'retracted');
    await publish({ from: '13', to: '20' });
    await writer.query(`insert into ${table} values (25)`);
    expect(await acquire(source('id'))).toEqual({ from: '10', to: '13', leftFrom: '20' });
    expect(await acquire(source('id'))).toEqual({ from: '20', to: '26' });
    expect(await acquire(source('id'))).toBe(undefined);
    await expectAllOnce(writer);
  });

  test('begin at start, and below it only where one was published there', async () => {
    const writer = await create('id bigint primary key');
    await writer.query(`insert into ${table} values (1), (50), (150)`);
    expect(await next(source('id', { start: '100' }))).toEqual({ from: '100', to: '151' });
    await publish({ from: '9', to: '60' });
    expect(await next(source('id', { start: '100' }))).toEqual({ from: '60', to: '151' });
    expect(await next(source('id', { start: '8' }))).toEqual({ from: '60', to: '151' }); // nothing lies in [8, 9)
    await writer.query(`insert into ${table} values (8)`);
    expect(await next(source('id', { start: '8' }))).toEqual({ from: '8', to: '9', leftFrom: '60' });
    expect(await next(source('id'))).toEqual({ from: null, to: '9', leftFrom: '60' });
    await expect(next(source('id', { start: 'eight' }))).rejects.toThrow('from.start is eight, which is no bigint');
  });

  test('overlap and touch in the order of the values, not of their texts', async () => {
    const writer = await create('id bigint primary key');
    await writer.query(`insert into ${table} values (3), (95), (1005)`);
    for (const [from, to] of [
      ['9', '100'],
      ['50', '1000'],
      ['100', '120'],
    ] as const) {
      await publish({ from, to });
    }
    expect(await next(source('id'))).toEqual({ from: null, to: '9', leftFrom: '1000' });
    await publish({ from: null, to: '9' });
    expect(await next(source('id'))).toEqual({ from: '1000', to: '1006' });
  });

  test('of numbers that begin anew are refused, and say how to go on', async () => {
    const writer = await create('id bigint auto_increment primary key, x int');
    await writer.query(`insert into ${table} (x) values (1), (2), (3)`);
    await acquire(source('id'));
    const { batch_id } = (
      await database.query<{ batch_id: string }>(sql`select max(batch_id) as batch_id from ${database.ledger('batch')}`)
    ).rows[0]!;
    await writer.query(`truncate table ${table}`);
    await writer.query(`insert into ${table} (x) values (1)`);
    const refused = next(source('id'));
    await expect(refused).rejects.toThrow(
      `gives out 2 next, which batch ${batch_id} has read, and all that was read reaches up to 4: rows with the numbers between would never`,
    );
    await expect(refused).rejects.toMatchObject({
      next: expect.stringContaining(`(alter table ${database.controlSchema}.${table} auto_increment = 4)`) as string,
    });
  });

  test('of a clock that was set back are refused until it has caught up', async () => {
    const writer = await create('id bigint auto_increment primary key, at timestamp(3) default now(3)');
    await writer.query(`insert into ${table} () values ()`);
    await publish({ from: null, to: '2999-01-01 00:00:00.000' });
    await expect(next(source('at'))).rejects.toThrow(
      /all that was read reaches up to 2999-01-01 00:00:00.000: the clock/,
    );
    await database.query(
      sql`update ${database.ledger('batch')} set state = 'retracted' where load_name = ${load.name}`,
    );
    await new Promise((resolve) => setTimeout(resolve, 5));
    await acquire(source('at'));
    await expectAllOnce(writer);
  });

  test('pass over no row without a value: they are refused', async () => {
    const writer = await create('id bigint auto_increment primary key, at timestamp(3) null');
    await writer.query(`insert into ${table} (at) values (null), (now(3))`);
    await expect(next(source('at'))).rejects.toThrow(/has 1 row whose at is NULL/);
  });
});
