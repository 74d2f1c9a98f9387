import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createConnection, type Connection } from 'mysql2/promise';
import { afterEach, expect } from 'vitest';
import { runSession } from '../engine/session-run.ts';
import { World } from '../engine/world.ts';
import { inTurns } from '../every-server.ts';
import { describeOn, mysqlServers } from '../mysql-servers.ts';
import { addressOf, importInto } from './imported-world.ts';

const those = await mysqlServers();

describeOn(those, 'an imported project of pupdate on $name', (server) => {
  const it = inTurns(import.meta.url, server, those);
  let world: World;
  let sql: Connection;
  afterEach(async () => {
    await sql.end();
    await world.close();
  });

  /** Tables as pupdate's users have them, in `mot` and its copy, and a third copy for what is done by hand. */
  async function create(): Promise<{ mot: string; copy: string; hand: string; address: string }> {
    world = await World.create(server, { files: {} });
    const url = new URL(world.env['WAREHOUSE_URL']!);
    sql = await createConnection({ uri: url.href.replace(/^mariadb:/, 'mysql:'), multipleStatements: true });
    const mot = url.pathname.slice(1);
    const [copy, hand] = [mot.replace(/db$/, 'copy'), mot.replace(/db$/, 'hand')];
    await sql.query(`create database ${copy}; create database ${hand};
      create table make (id int primary key, name varchar(20), last_updated_on timestamp not null default current_timestamp);
      insert into make (id, name) values (1, 'Austin'), (2, 'Bentley'), (3, 'Citroën');
      create table vehicle (id int primary key, make_id int, plate varchar(20), key (make_id));
      insert into vehicle with recursive n as (select 0 as id union all select id + 1 from n where id < 500)
        select id, id % 4, concat('V', id) from n;`);
    for (const database of [copy, hand]) {
      await sql.query(`
        create table ${database}.maker (id int primary key, name varchar(20));
        insert into ${database}.maker values (1, '?'), (2, '?'), (3, '?');
        create table ${database}.vehicle (id int primary key, make_name varchar(20), plate varchar(20));
        insert into ${database}.vehicle values (7, 'left over', 'X');`);
    }
    return { mot, copy, hand, address: addressOf(url) };
  }

  /** The file as someone wrote it, careless; `%d` and `$last_etl` and all. */
  const sessionFile = ({ mot, copy, address }: { mot: string; copy: string; address: string }): string => `
{ "Logging": "", "Tasks": [
  { "Name": "update makes", "c": "whatever changed", "Dsn": "${address}/${mot}?charset=utf8",
    "PreSteps": [ "set foreign_key_checks=0", "use ${copy}", "truncate vehicle", "use ${mot}" ],
    "ExecTab": [ "update ${copy}.maker mm ", "join make m on mm.id=m.id ", "set mm.name=m.name ",
                 "where m.last_updated_on>'$last_etl' and m.last_updated_on<='$etl_to'" ], "MaxAttempts": 3 },
  { "Name": "copy vehicles", "Dsn": "${address}/${mot}", "Min": 0, "-Max": 7, "Max": 500, "Step": 64, "Concurrency": 3,
    "Exec": "insert into ${copy}.vehicle select v.id, m.name, v.plate from vehicle v left join make m on m.id=v.make_id where v.id>%d and v.id<=%d and v.plate like 'V%%'" },
  { "Name": "mark", "Dsn": "${address}/${copy}", "MinQuery": "select min(id) from vehicle", "MaxQuery": "select sql_no_cache max(id) from vehicle",
    "Step": 100, "Concurrency": 2, "Exec": "update vehicle set plate=concat(plate, '!') where id between %d and %d;" },
] }`;

  /** The same by hand, every statement once, over everything that its ranges are. */
  const byHand = (hand: string): string => `
    truncate ${hand}.vehicle;
    update ${hand}.maker mm join make m on mm.id = m.id set mm.name = m.name;
    insert into ${hand}.vehicle select v.id, m.name, v.plate from vehicle v left join make m on m.id = v.make_id where v.plate like 'V%';
    update ${hand}.vehicle set plate = concat(plate, '!');`;

  const rowsOf = async (table: string): Promise<unknown> => (await sql.query(`select * from ${table} order by id`))[0];

  it('a session does, row for row, what its statements do by hand; run again, it does what is new', async () => {
    const where = await create();
    const { copy, hand } = where;
    await importInto(world, { 'nightly.json': sessionFile(where) }, where);
    await world.worker();
    expect(await runSession(world)).toMatchObject({ ok: true, result: { loads: [{}, {}, {}] } });
    await sql.query(byHand(hand));
    for (const table of ['maker', 'vehicle'])
      expect(await rowsOf(`${copy}.${table}`)).toEqual(await rowsOf(`${hand}.${table}`));
    expect(await rowsOf(`${copy}.vehicle`)).toHaveLength(501);

    // Only what changed since is updated: a name that was overwritten by hand stays.
    await sql.query(`update ${copy}.maker set name = 'by hand' where id = 1;
    update make set name = 'Chevrolet', last_updated_on = current_timestamp + interval 1 second where id = 3; do sleep(2)`);
    expect(await runSession(world)).toMatchObject({ ok: true });
    expect(await rowsOf(`${copy}.maker`)).toMatchObject([
      { name: 'by hand' },
      { name: 'Bentley' },
      { name: 'Chevrolet' },
    ]);
  });

  it('a session that fails goes on where it ended: what it has emptied is not emptied under what was done since', async () => {
    const where = await create();
    const { mot, copy, hand, address } = where;
    const fill = (into: string): string =>
      `insert into ${into}.vehicle select v.id, m.name, concat('new ', v.plate) from ${mot}.vehicle v left join ${mot}.make m on m.id=v.make_id`;
    const count = (into: string): string => `insert into ${into}.maker select 9, count(*) from ${into}.vehicle`;
    const tasks = [
      { Name: 'empty', Dsn: `${address}/${copy}`, Exec: 'truncate vehicle' },
      { Name: 'off', Disabled: true, Dsn: `${address}/${mot}`, Exec: 'delete from vehicle' },
      { Name: 'gone', Disabled: true, Dsn: `${address}/${mot}`, Exec: 'delete from gone_long_ago' },
      {
        ...{ Name: 'fill', Dsn: `${address}/${mot}`, Exec: `${fill(copy)} where v.id>=%d and v.id<%d` },
        ...{ Min: 0, Max: 500, Step: 50, Concurrency: 2, MaxAttempts: 2 },
      },
      {
        Name: 'count',
        Dsn: `${address}/${mot}`,
        PreSteps: [`delete from ${copy}.maker where id=9`],
        Exec: count(copy),
      },
    ];
    // A table that is no more, of a task that is switched off, is nobody's trouble.
    await importInto(world, { 'nightly.json': JSON.stringify({ Tasks: tasks }) }, where, [
      { file: 'loads/nightly/gone.sql', message: expect.stringContaining('gone_long_ago') as string },
    ]);
    await world.worker();
    await sql.query(`update vehicle set plate = repeat('x', 20) where id = 333`); // too long for the copy, once it is "new"
    expect(await runSession(world)).toMatchObject({
      ok: false,
      message: expect.stringMatching(/^nightly\.fill failed, and 1 that needs it skipped: chunk 7 of 11: /) as string,
    });
    const half = (await rowsOf(`${copy}.vehicle`)) as unknown[];
    expect(half.length).toBeGreaterThan(100);
    expect(half.length).toBeLessThan(500);
    await sql.query(`update vehicle set plate = 'mended' where id = 333`);
    expect(await runSession(world)).toMatchObject({ ok: true });
    await sql.query(`truncate ${hand}.vehicle; ${fill(hand)}; ${count(hand)}`);
    for (const table of ['maker', 'vehicle'])
      expect(await rowsOf(`${copy}.${table}`)).toEqual(await rowsOf(`${hand}.${table}`));
    expect(await rowsOf(`${mot}.vehicle`)).toHaveLength(501);
    const ran = await world.rows<{ load_name: string }>('select load_name from waybill.batch order by batch_id');
    expect(ran.map(({ load_name: load }) => load.replace('nightly.', ''))).toEqual([
      ...['empty', 'fill'],
      ...['fill', 'count'], // what was left
      ...['empty', 'fill', 'count'], // what is new since
    ]);
  });

  it('a table of one name in both databases: the one of the database in use is dropped', async () => {
    const where = await create();
    const { mot, copy, address } = where;
    const task = {
      ...{
        Name: 'anew',
        Dsn: `${address}/${mot}`,
        Exec: `insert into ${copy}.vehicle select id, '-', plate from vehicle`,
      },
      PreSteps: [
        ...[`use ${copy}`, 'create table if not exists kept like vehicle', 'drop table if exists vehicle'],
        ...['rename table kept to vehicle', 'create index by_plate on vehicle (plate)', `use ${mot}`],
      ],
    };
    await importInto(world, { 'nightly.json': JSON.stringify({ Tasks: [task] }) }, where);
    const before = await rowsOf('vehicle');
    await world.worker();
    expect(await runSession(world)).toMatchObject({ ok: true });
    expect(await rowsOf('vehicle')).toEqual(before);
    expect(await rowsOf(`${copy}.vehicle`)).toHaveLength(501);
    const [keys] = await sql.query(`show index from ${copy}.vehicle where key_name = 'by_plate'`);
    expect(keys).toHaveLength(1);
    const [others] = await sql.query(`show index from vehicle where key_name = 'by_plate'`);
    expect(others).toHaveLength(0);
  });

  it('bounds that are mended, or need not be, give each row once', async () => {
    const where = await create();
    const { mot, copy, hand, address } = where;
    const conditions = ['id>=%d and id<=%d-1', 'id between %d and %d-1', 'id>%d-1 and id<=%d', 'id between %d and %d'];
    const Tasks = conditions.map((condition, i) => ({
      ...{ Name: `part ${i}`, Dsn: `${address}/${mot}`, Min: 0, Max: 500, Step: 64, Concurrency: 2 },
      Exec: `insert into ${copy}.vehicle select ${i + 1} * 1000 + id, '', plate from vehicle where ${condition}`,
    }));
    await importInto(world, { 'nightly.json': JSON.stringify({ Tasks }) }, where);
    await world.worker();
    expect(await runSession(world)).toMatchObject({ ok: true });
    for (const i of conditions.keys())
      await sql.query(`insert into ${hand}.vehicle select ${i + 1} * 1000 + id, '', plate from vehicle`);
    expect(await rowsOf(`${copy}.vehicle`)).toEqual(await rowsOf(`${hand}.vehicle`));
  });

  it('a range of what is no whole number gives each row once, those between two whole numbers too', async () => {
    const where = await create();
    const { mot, copy, address } = where;
    await sql.query(`create table reading (at decimal(9, 3) primary key);
      insert into reading values (0), (9), (9.001), (9.5), (9.999), (10), (10.001), (19.5), (20), (99.999), (100)`);
    const conditions = ['at between %d and %d', '1=1 and abs(reading.at) between %d and %d'];
    const Tasks = conditions.map((condition, i) => ({
      ...{ Name: `part ${i}`, Dsn: `${address}/${mot}`, Min: 0, Max: 100, Step: 10, Concurrency: 2 },
      Exec: `insert into ${copy}.vehicle select ${i + 1} * 1000000 + at * 1000, '', '' from reading where ${condition}`,
    }));
    await importInto(world, { 'nightly.json': JSON.stringify({ Tasks }) }, where);
    await world.worker();
    expect(await runSession(world)).toMatchObject({ ok: true });
    const thousandths = [0, 9000, 9001, 9500, 9999, 10_000, 10_001, 19_500, 20_000, 99_999, 100_000];
    expect(((await rowsOf(`${copy}.vehicle`)) as { id: number }[]).map(({ id }) => id)).toEqual([
      7,
      ...[1_000_000, 2_000_000].flatMap((part) => thousandths.map((at) => part + at)),
    ]);
  });

  it('what comes in the second in which a session begins is in the next one, by whole seconds', async () => {
    const where = await create();
    const { mot, copy, address } = where;
    const since = "last_updated_on>='$last_etl' and last_updated_on<'$etl_to'";
    const task = {
      ...{ Name: 'log', Dsn: `${address}/${mot}` },
      Exec: `insert into ${copy}.vehicle select 1000 + id, name, '' from make where ${since}`,
    };
    await importInto(world, { 'nightly.json': JSON.stringify({ Tasks: [task] }) }, where);
    await world.worker();
    await sql.query('do sleep(1.1)');
    expect(await runSession(world)).toMatchObject({ ok: true });
    const [window] = await world.rows<{ at: string }>('select last_load_at as at from waybill.session_window');
    const at = new Date(window!.at).toISOString().slice(0, 19).replace('T', ' ');
    // Committed after the statement had run, and stored without its fraction.
    await sql.query(`set time_zone = '+00:00'; insert into make values (4, 'late', '${at}'); do sleep(1.1)`);
    expect(await runSession(world)).toMatchObject({ ok: true });
    const copied = (await rowsOf(`${copy}.vehicle`)) as { id: number }[];
    expect(copied.map(({ id }) => id)).toEqual([7, 1001, 1002, 1003, 1004]);
  });

  it('steps run with the settings that held for them, and the statement with its own', async () => {
    const where = await create();
    const { mot, copy, address } = where;
    await sql.query(`create table ${copy}.owner (id int primary key, vehicle_id int, maker_id int,
      foreign key (vehicle_id) references ${copy}.vehicle (id), foreign key (maker_id) references ${copy}.maker (id) on delete cascade);
      insert into ${copy}.owner values (1, 7, null), (2, null, 1)`);
    const task = {
      ...{ Name: 'anew', Dsn: `${address}/${mot}` },
      PreSteps: [
        ...[`delete from ${copy}.maker where id=1`, 'set foreign_key_checks=0', `truncate ${copy}.vehicle`],
        'set foreign_key_checks=1',
      ],
      Exec: `insert into ${copy}.vehicle select 7, @@foreign_key_checks, plate from vehicle where id=7`,
    };
    await importInto(world, { 'nightly.json': JSON.stringify({ Tasks: [task] }) }, where);
    await world.worker();
    expect(await runSession(world)).toMatchObject({ ok: true });
    expect(await rowsOf(`${copy}.vehicle`)).toEqual([{ id: 7, make_name: '1', plate: 'V7' }]);
    expect(await rowsOf(`${copy}.owner`)).toMatchObject([{ id: 1 }]);
  });

  it('single tasks: ranges with settings of the session, and queries into files', async () => {
    const where = await create();
    const { mot, copy, hand, address } = where;
    const Dsn = `${address}/${mot}`;
    const ranges = { Dsn, Min: 0, Max: 500, Step: 33, Concurrency: 4 };
    const listed = 'select id, plate from vehicle where id>=%d and id<%d order by id';
    await importInto(
      world,
      {
        // It writes down what the server says of the session that runs it.
        'mark.json': JSON.stringify({
          ...{
            ...ranges,
            SessionParam: 'set group_concat_max_len=4321, unique_checks=false, max_join_size=9007199254740993',
            PreSteps: ['delete from make where id=9', `use ${copy}`],
          },
          Update: `insert into vehicle select id, concat(@@unique_checks + 0, ' ', @@max_join_size), @@group_concat_max_len from ${mot}.vehicle where id>=%d and id<%d`,
        }),
        'list.json': JSON.stringify({ ...ranges, Exec: listed, ExecType: 'Query', Output: '/tmp/list.csv' }),
        'first.json': JSON.stringify({ ...ranges, Exec: listed, ExecType: 'QueryOne', Output: 'first.jsonl' }),
        'most.json': JSON.stringify({ Dsn, ExecType: 'QueryOne', Exec: 'select max(id) as most from vehicle' }),
      },
      where,
    );
    await world.worker();
    await sql.query(
      `delete from ${copy}.vehicle; delete from ${hand}.vehicle; insert into make (id, name) values (9, 'x')`,
    );
    for (const name of ['mark', 'list', 'first', 'most'])
      expect(await world.run(`task.${name}`), name).toMatchObject({ ok: true });
    await sql.query(`insert into ${hand}.vehicle select id, '0 9007199254740993', 4321 from vehicle`);
    expect(await rowsOf(`${copy}.vehicle`)).toEqual(await rowsOf(`${hand}.vehicle`));
    expect(await rowsOf('make')).toHaveLength(3);
    const vehicles = (await rowsOf('vehicle')) as { id: number; plate: string }[];
    const file = (name: string): Promise<string> => readFile(join(world.directory, name), 'utf8');
    expect(await file('tmp/list.csv')).toBe(
      ['id,plate', ...vehicles.map(({ id, plate }) => `${id},${plate}`), ''].join('\n'),
    );
    const firsts = vehicles.filter(({ id }) => id % 33 === 0);
    expect(await file('first.jsonl')).toBe(
      firsts.map(({ id, plate }) => `${JSON.stringify({ id, plate })}\n`).join(''),
    );
    const parts = await world.rows<{ body: string }>(`
      select p.body from waybill.output_part p join waybill.batch b on b.batch_id = p.batch_id
      where b.load_name = 'task.most' order by p.n`);
    expect(parts.map(({ body }) => body).join('')).toBe('most\n500\n');
  });
});
