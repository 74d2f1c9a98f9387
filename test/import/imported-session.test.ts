import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createConnection, type Connection } from 'mysql2/promise';
import { afterEach, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { sessionWorkflowId, TASK_QUEUE } from '../../src/workflows/messages.ts';
import type { session } from '../../src/workflows/session.ts';
import { run } from '../cli/command-line.ts';
import { World } from '../engine/world.ts';
import { describeOn, mysqlServers } from '../mysql-servers.ts';

describeOn(await mysqlServers(), 'an imported session of pupdate on $name', (server) => {
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
    const password = url.password === '' ? '' : `:${decodeURIComponent(url.password)}`;
    return { mot, copy, hand, address: `${decodeURIComponent(url.username)}${password}@tcp(${url.host})` };
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
  { "Name": "mark", "Dsn": "${address}/${copy}", "MinQuery": "select min(id) from vehicle", "MaxQuery": "select max(id) from vehicle",
    "Step": 100, "Concurrency": 2, "Exec": "update vehicle set plate=concat(plate, '!') where id between %d and %d;" },
] }`;

  /** The same by hand, every statement once, over everything that its ranges are. */
  const byHand = (hand: string): string => `
    truncate ${hand}.vehicle;
    update ${hand}.maker mm join make m on mm.id = m.id set mm.name = m.name;
    insert into ${hand}.vehicle select v.id, m.name, v.plate from vehicle v left join make m on m.id = v.make_id where v.plate like 'V%';
    update ${hand}.vehicle set plate = concat(plate, '!');`;

  async function importInto(text: string, variables: Record<string, string>): Promise<void> {
    const file = join(world.directory, 'nightly.json');
    await writeFile(file, text);
    await rm(join(world.directory, 'waybill.yaml'));
    const answer = await run(['import', 'pupdate', file, '--project', world.directory, '--json'], { cwd: '/' });
    expect(answer.exitCode, answer.stdout).toBe(0);
    Object.assign(world.env, variables);
    // The server is shared by many tests: control tables of its own.
    const yaml = join(world.directory, 'waybill.yaml');
    const project = parseDocument(await readFile(yaml, 'utf8'));
    for (const name of Object.keys((project.toJS() as { connections: object }).connections)) {
      project.setIn(['connections', name, 'control_schema'], `${world.names.prefix}waybill`);
    }
    await writeFile(yaml, project.toString());
  }

  const runSession = async (): Promise<unknown> => {
    const handle = await world.client.workflow.start<typeof session>('session', {
      workflowId: sessionWorkflowId('nightly'),
      taskQueue: TASK_QUEUE,
      args: [{ session: 'nightly' }],
    });
    return handle.result();
  };

  const rowsOf = async (table: string): Promise<unknown> => (await sql.query(`select * from ${table} order by id`))[0];

  test(
    'does, row for row, what its statements do by hand; run again, it does what is new',
    { timeout: 120_000 },
    async () => {
      const where = await create();
      const { mot, copy, hand } = where;
      const password = decodeURIComponent(new URL(world.env['WAREHOUSE_URL']!).password);
      const named = (database: string): string => `${database.toUpperCase()}_PASSWORD`;
      await importInto(sessionFile(where), {
        [named(mot)]: encodeURIComponent(password),
        [named(copy)]: encodeURIComponent(password),
      });
      await world.worker();
      expect(await runSession()).toMatchObject({ status: 'finished', loads: [{}, {}, {}] });
      await sql.query(byHand(hand));
      for (const table of ['maker', 'vehicle'])
        expect(await rowsOf(`${copy}.${table}`)).toEqual(await rowsOf(`${hand}.${table}`));
      expect(await rowsOf(`${copy}.vehicle`)).toHaveLength(501);

      // Only what changed since is updated: a name that was overwritten by hand stays.
      await sql.query(`update ${copy}.maker set name = 'by hand' where id = 1;
      update make set name = 'Chevrolet', last_updated_on = current_timestamp + interval 1 second where id = 3; do sleep(2)`);
      expect(await runSession()).toMatchObject({ status: 'finished' });
      expect(await rowsOf(`${copy}.maker`)).toMatchObject([
        { name: 'by hand' },
        { name: 'Bentley' },
        { name: 'Chevrolet' },
      ]);
    },
  );
});
