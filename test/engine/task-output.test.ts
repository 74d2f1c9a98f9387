/** `method: query` and `query_one` of tasks: where their rows go. */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { main } from '../../src/cli/program.ts';
import { Waybill } from '../../src/client/index.ts';
import { pointName } from '../crash/points.ts';
import { readRecording } from '../crash/recording.ts';
import { document, environment, waybill } from '../cli/command-line.ts';
import { oneOfEachFamily, someServers } from '../every-server.ts';
import { holdLatch, LATCHES, WAIT, waitsAtLatch } from './latch.ts';
import { LONG_ROWS, breakAt, TASK, VEHICLES } from './vehicles.ts';
import { ended, until, World } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

/** Texts that a CSV file has to quote, NULL and the empty text, which are not the same; of the broken vehicle a subquery gives too many rows. */
const QUERY = `
select v.id, w.word, (select s.id from core.vehicle s where v.id = (select broken from core.settings)) as one
from core.vehicle v left join core.words w on w.id = v.id where v.id >= :from and v.id < :to order by v.id`;
const WORDS = `
  create table core.words (id bigint primary key, word varchar(40));
  insert into core.words values (1, 'a "b"'), (2, ''), (3, 'c,d'), (4, 'e
f'), (11, 'é');`;

const file = (world: World, name: string): Promise<string> => readFile(join(world.directory, name), 'utf8');

describe.each(someServers(import.meta.url))('the rows of a task on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('stand in a file once it is published, in the order of ranges, those of earlier batches too', async () => {
    world = await World.create(
      server,
      VEHICLES(45, { lanes: 3, sql: QUERY, warehouse: WORDS, yaml: 'method: query\noutput: out/deep/vehicles.jsonl' }),
    );
    await world.worker();
    await breakAt(world, 25);
    expect(await world.run(TASK)).toMatchObject({ ok: false, type: 'Database' });
    expect(await readdir(world.directory)).not.toContain('out');
    await breakAt(world, 0);
    expect(await world.run(TASK)).toMatchObject({ ok: true });
    const lines = (await file(world, 'out/deep/vehicles.jsonl')).trimEnd().split('\n');
    const rows = lines.map((line) => JSON.parse(line) as { id: string; word: string | null; one: unknown });
    expect(rows.map(({ id }) => Number(id))).toEqual(Array.from({ length: 45 }, (_, i) => i + 1));
    expect(rows.slice(0, 5).map(({ word }) => word)).toEqual(['a "b"', '', 'c,d', 'e\nf', null]);
    expect(await readdir(join(world.directory, 'out/deep'))).toEqual(['vehicles.jsonl']);

    // The next load writes it anew, and the ledger keeps no more than its rows.
    await world.warehouse.query('delete from core.vehicle where id > 2');
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { rowsWritten: 2 } });
    expect((await file(world, 'out/deep/vehicles.jsonl')).split('\n')).toHaveLength(3);
    expect(await world.rows('select distinct batch_id from waybill.output_part')).toEqual([{ batch_id: '3' }]);
  });

  test('have the columns of the ranges before, or the task fails there', async () => {
    const sql = (columns: string): string =>
      `select ${columns}, (select s.id from core.vehicle s where v.id = (select broken from core.settings)) as one
       from core.vehicle v where v.id >= :from and v.id < :to order by v.id`;
    world = await World.create(
      server,
      VEHICLES(30, { lanes: 1, sql: sql('v.id'), yaml: 'method: query\noutput: vehicles.csv' }),
    );
    await world.worker();
    await breakAt(world, 25);
    expect(await world.run(TASK)).toMatchObject({ ok: false, type: 'Database' });
    await breakAt(world, 0);
    await world.write('loads/task/vehicle.sql', sql('v.seen, v.id'));
    expect(await world.run(TASK)).toMatchObject({
      ok: false,
      message: 'chunk 3: the query gives the columns seen,id,one, and in chunk 1 it gave id,one',
      next: expect.stringContaining('--force') as string,
    });
    await world.write('loads/task/vehicle.sql', sql('v.id'));
    expect(await world.run(TASK)).toMatchObject({ ok: true });
    expect((await file(world, 'vehicles.csv')).split('\n').slice(0, 3)).toEqual(['id,one', '1,', '2,']);
  });

  test('go into the ledger in pieces, of a row that is longer than what MariaDB takes at once, too', async () => {
    const sql = "select repeat('😀', 2000000) as a, repeat('y', 9000000) as b";
    world = await World.create(server, {
      files: {
        'loads/task/big.yaml': `{ kind: task, connection: warehouse, method: query, output: big.csv, max_attempts: 1, sql: "${sql}" }`,
      },
      warehouse: 'create schema core;',
    });
    await world.worker();
    expect(await world.run('task.big')).toMatchObject({ ok: true });
    const text = await file(world, 'big.csv');
    expect(text === `a,b\n${'😀'.repeat(2_000_000)},${'y'.repeat(9_000_000)}\n`).toBe(true);
  });

  test('keep times as the server writes them', async () => {
    world = await World.create(
      server,
      VEHICLES(1, {
        sql: 'select seen_at, id from core.vehicle where id >= :from and id < :to',
        yaml: 'method: query\noutput: t.csv',
      }),
    );
    await world.warehouse.query(
      "alter table core.vehicle add column seen_at timestamptz default '2026-01-02 03:04:05.123456'",
    );
    await world.worker();
    expect(await world.run(TASK)).toMatchObject({ ok: true });
    expect(await file(world, 't.csv')).toMatch(/^seen_at,id\n2026-01-02 03:04:05\.123456(\+\d\d)?,1\n$/);
  });

  test('stand on standard output alone, as CSV, when the run has ended; of query_one the first of each range', async () => {
    world = await World.create(
      server,
      VEHICLES(15, {
        sql: QUERY,
        warehouse: WORDS,
        files: {
          'loads/task/first.yaml': `
kind: task
connection: warehouse
range: { of: core.vehicle.id, step: 10 }
sql: [ "update core.vehicle set seen = 7 where id >= :from and id < :to", "select id, seen from core.vehicle where id >= :from and id < :to order by id" ]
method: query_one`,
        },
        yaml: 'method: query',
      }),
    );
    await waybill(world, 'migrate');
    await world.worker();
    const answer = await waybill(world, 'run', TASK);
    const others = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15].map((id) => `${id},${id === 11 ? 'é' : ''}`);
    expect(answer.stdout.replaceAll(/,$/gm, '')).toBe(
      ['id,word,one', '1,"a ""b"""', '2,""', '3,"c,d"', '4,"e\nf"', ...others, ''].join('\n'),
    );
    expect(answer.stderr).toMatch(/task\.vehicle +1 +published +15/);
    const first = await waybill(world, 'run', 'task.first', '--json');
    expect(first.stdout.split('\n').slice(0, 3)).toEqual(['id,seen', '1,7', '11,7']);
    expect(document(first)).toMatchObject({ state: 'published', rows_written: 17 });
  });

  test('go to no place outside the project, whatever link leads there', async () => {
    world = await World.create(
      server,
      VEHICLES(5, { sql: QUERY, warehouse: WORDS, yaml: 'method: query\noutput: out/vehicles.csv' }),
    );
    const elsewhere = await mkdtemp(join(tmpdir(), 'elsewhere-'));
    await symlink(elsewhere, join(world.directory, 'out'));
    await world.worker();
    expect(await world.run(TASK)).toMatchObject({
      ...{ ok: false, type: 'Refused' },
      message: `out/vehicles.csv would lie outside the project's folder: a link on its way leads there`,
    });
    expect(await readdir(elsewhere)).toEqual([]);
    await rm(elsewhere, { recursive: true });
    await rm(join(world.directory, 'out'));
    // Nothing is asked again: the rows are in the ledger.
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { chunks: 0 } });
    expect((await file(world, 'out/vehicles.csv')).split('\n')).toHaveLength(8); // of five rows, one is of two lines
  });

  test('are kept in the ledger where their file cannot be written; it says why, and what to do', async () => {
    world = await World.create(
      server,
      VEHICLES(5, { sql: QUERY, warehouse: WORDS, yaml: 'method: query\noutput: out/vehicles.csv' }),
    );
    await mkdir(join(world.directory, 'out/vehicles.csv'), { recursive: true });
    await world.worker();
    expect(await world.run(TASK)).toMatchObject({
      ...{ ok: false, type: 'LoadFailed' },
      message: 'out/vehicles.csv cannot be written: a folder has its name (EISDIR)',
    });
    expect(await readdir(join(world.directory, 'out'))).toEqual(['vehicles.csv']);
    await rm(join(world.directory, 'out'), { recursive: true });
    await writeFile(join(world.directory, 'out'), '');
    expect(await world.run(TASK)).toMatchObject({
      ...{ ok: false, type: 'LoadFailed' },
      message: expect.stringMatching(/^out\/vehicles\.csv cannot be written: a folder of its path is a file/) as string,
    });
    await rm(join(world.directory, 'out'));
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { chunks: 0 } });
    expect((await file(world, 'out/vehicles.csv')).split('\n')).toHaveLength(8);
  });

  test('are asked again where the connection ends while they come', async () => {
    world = await World.create(
      server,
      VEHICLES(20, {
        sql: `select v.id from core.vehicle v cross join (${WAIT(1)}) held where v.id >= :from and v.id < :to order by v.id`,
        warehouse: LATCHES,
        yaml: 'method: query\noutput: out/vehicles.csv',
      }),
    );
    await world.worker();
    const release = await holdLatch(world, 1);
    const handle = await world.start(TASK);
    await waitsAtLatch(world);
    expect(await world.end(world.words.waiting)).toBeGreaterThan(0);
    await release();
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 20, chunks: 2 } });
    const ids = Array.from({ length: 20 }, (_, i) => `${i + 1}\n`);
    expect(await file(world, 'out/vehicles.csv')).toBe(`id\n${ids.join('')}`);
  });

  test('that a worker is still writing down when the batch is forced anew, and the new one fails, replace no earlier file', async () => {
    const sql = `select v.id, substring(repeat(v.id::text, 9000), 1, 9000) as long_text,
        (select s.id from core.vehicle s where v.id = (select broken from core.settings)) as one
      from core.vehicle v where v.id >= :from and v.id < :to order by v.id`;
    const range = '{ of: core.vehicle.id, step: 300 }';
    world = await World.create(server, VEHICLES(600, { range, sql, yaml: 'method: query\noutput: out/long.csv' }));
    const recording = join(world.directory, 'statements');
    const first = await world.workerProcess({ WAYBILL_RECORD_TO: recording });
    expect(await world.run(TASK)).toMatchObject({ ok: true });
    const sent = (await readRecording(recording)).filter(({ activity }) => activity === 'writeOutput');
    const looks = sent.filter(({ text }) => text.startsWith('with'));
    expect(looks.length).toBeGreaterThan(1);
    first.kill('SIGKILL');
    const published = await file(world, 'out/long.csv');
    // All rows are in its part by then, one fewer than before: nothing but the gate keeps it off the file.
    await world.warehouse.query('delete from core.vehicle where id = 600');
    const behind = sent[sent.indexOf(looks.at(-1)!) + 1]!;
    const zombie = world.spawnWorker({ WAYBILL_STOP_AT: pointName({ ...behind, moment: 'before' }) });
    const handle = await world.start(TASK);
    for await (const said of zombie.stdout) if (String(said).includes('stopped')) break;
    const parts = async (): Promise<string[]> =>
      (await readdir(join(world.directory, 'out'))).filter((name) => name.endsWith('.part'));
    expect(await parts()).toHaveLength(1);
    await breakAt(world, 25);
    await world.worker();
    await waybill(world, 'run', TASK, '--force');
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'Database' });
    expect(await world.count('select batch_id from waybill.output_part where batch_id <= 2')).toBe(0);
    zombie.kill('SIGCONT');
    await until(async () => (await parts()).length === 0);
    expect((await file(world, 'out/long.csv')) === published).toBe(true);
  });

  test('may be larger than what the ledger keeps in one piece: nothing is lost between two', async () => {
    const long = (id: number): string => String(id).repeat(9000).slice(0, 9000);
    world = await World.create(server, LONG_ROWS('method: query\noutput: out/long.csv'));
    await world.worker();
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { rowsWritten: 600 } });
    const parts = await world.rows<{ chunk: number; n: number; bytes: string }>(
      'select chunk, n, octet_length(body) as bytes from waybill.output_part where length(body) > 0 order by chunk, n',
    );
    const pieces = Math.ceil((300 * 9000) / 250_000);
    expect(parts.length).toBeGreaterThanOrEqual(2 * pieces);
    for (const chunk of [1, 2]) {
      const own = parts.filter((one) => Number(one.chunk) === chunk);
      expect(own.map(({ n }) => Number(n))).toEqual(own.map((_, i) => i));
    }
    expect(Math.max(...parts.map(({ bytes }) => Number(bytes)))).toBeLessThan(2 ** 20);
    const lines = (await file(world, 'out/long.csv')).split('\n');
    expect(lines.length).toBe(602);
    expect(lines.findIndex((line, i) => line !== (i === 0 ? 'id,long_text' : i > 600 ? '' : `${i},${long(i)}`))).toBe(
      -1,
    );
  });

  test('are printed whole, or it is said that a later start has removed them: before the first piece of them, or between two', async () => {
    const { files, warehouse } = LONG_ROWS('method: query');
    const none = 'kind: task\nconnection: warehouse\nmethod: query\nsql: select id from core.vehicle where id < 0\n';
    world = await World.create(server, { files: { ...files, 'loads/task/none.yaml': none }, warehouse: warehouse! });
    await waybill(world, 'migrate');
    await world.worker();
    const client = await Waybill.open({ project: world.directory, env: environment(world) });
    world.atClose(() => client.close());
    const end = await (await client.run(TASK)).result();
    let printed = '';
    const again = async (text: string): Promise<boolean> => {
      if (printed === '') expect(await world.run(TASK)).toMatchObject({ ok: true, result: { rowsWritten: 600 } });
      printed += text;
      return true;
    };
    const removed = {
      ...{ name: 'LoadFailedError', exitCode: 1, where: 'batch 1' },
      message: 'the rows of batch 1 were removed by a later start before all of them were read',
    };
    await expect(client.showOutput(end, again)).rejects.toMatchObject(removed);
    expect(printed).toMatch(/^id,long_text\n1,1{9000}\n2,2/);
    await expect(client.showOutput(end, () => Promise.reject(new Error('a row')))).rejects.toMatchObject(removed);

    const show = async (task: string): Promise<string> => {
      const answer = await waybill(world, 'run', task);
      expect(answer.exitCode).toBe(0);
      return answer.stdout;
    };
    expect((await show(TASK)).split('\n')).toHaveLength(602);
    expect(await show('task.none')).toBe('id\n');
  });

  test('that cannot be printed hide nothing of how their session ended', async () => {
    const { files, warehouse } = LONG_ROWS('method: query');
    const bad = 'kind: task\nconnection: warehouse\nsql: update core.vehicle set seen = 1 / (seen - seen)\n';
    const yaml = `
name: test
connections: { warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 10 } }
sessions: { nightly: { loads: [task.*] } }
`;
    world = await World.create(server, {
      files: { ...files, 'loads/task/bad.yaml': bad, 'waybill.yaml': yaml },
      warehouse: warehouse!,
    });
    await waybill(world, 'migrate');
    await world.worker();
    let [stdout, stderr] = ['', ''];
    // Somebody starts the task anew while its rows are read.
    const reader = new Writable({
      write: (text: Buffer, _, done) => {
        const first = stdout === '';
        stdout += text.toString();
        void (first ? world.run(TASK) : Promise.resolve()).then(() => done());
      },
    });
    const exitCode = await main(['run', 'nightly', '--json'], {
      stdout: reader,
      stderr: new PassThrough().on('data', (text: Buffer) => (stderr += text.toString())),
      env: environment(world),
      cwd: world.directory,
      onInterrupt: () => () => undefined,
    });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/waybill: the rows of batch \d were removed by a later start before all of them were read/);
    expect(stderr).toMatch(/waybill: .*task\.bad/);
    expect(JSON.parse(stdout.trimEnd().split('\n').at(-1)!)).toMatchObject({ session: 'nightly', status: 'error' });
  });

  test('of two tasks of a session stand on standard output one after the other, in the order of the session', async () => {
    const query = (of: string): string =>
      `kind: task\nconnection: warehouse\nmethod: query\nsql: select id, seen from core.vehicle where id ${of} order by id\n`;
    world = await World.create(
      server,
      VEHICLES(3, {
        files: {
          'loads/task/b.yaml': query('< 3'),
          'loads/task/a.yaml': query('= 3'),
          'waybill.yaml': `
name: test
connections: { warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 10 } }
sessions: { nightly: { loads: [task.b, ${TASK}, task.a], sequential: true } }
`,
        },
        sql: 'update core.vehicle set seen = id where id >= :from and id < :to',
      }),
    );
    await waybill(world, 'migrate');
    await world.worker();
    const answer = await waybill(world, 'run', 'nightly');
    expect(answer).toMatchObject({ exitCode: 0, stdout: 'id,seen\n1,0\n2,0\nid,seen\n3,3\n' });
    expect(answer.stderr).toMatch(/task\.a +\d+ +published/);
    const again = await waybill(world, 'run', 'nightly', '--json');
    const text = 'id,seen\n1,1\n2,2\nid,seen\n3,3\n';
    expect(again.stdout.startsWith(text)).toBe(true);
    expect(JSON.parse(again.stdout.slice(text.length))).toMatchObject({ session: 'nightly', loads: [{}, {}, {}] });

    // A session that is cancelled has no rows of a load that it never began, though an earlier night's session has.
    const other = await world.another('warehouse');
    await other.query('begin');
    await other.query('update core.vehicle set seen = 9 where id = 1');
    const running = waybill(world, 'run', 'nightly', '--json');
    await until(async () => (await world.states(TASK)).length === 3);
    await until(async () => (await world.count(world.words.waiting)) > 0); // not between its batch and its first range
    expect(await waybill(world, 'cancel', 'nightly')).toMatchObject({ exitCode: 0 });
    await other.query('rollback');
    const { exitCode, stdout } = await running;
    expect(exitCode).toBe(3);
    const own = 'id,seen\n1,1\n2,2\n';
    expect(stdout.startsWith(`${own}{`), stdout).toBe(true);
    expect(JSON.parse(stdout.slice(own.length))).toMatchObject({
      error: { message: `nightly was cancelled; what ${TASK} did stays; what task.b published stays` },
      loads: [
        { load: 'task.b', state: 'published' },
        { load: TASK, state: 'cancelled' },
        { load: 'task.a', status: 'skipped', batch_id: null },
      ],
    });
  });
});

/** A table of many types on each family, and its first row as it is written; of the second one only a number of single precision. */
const KINDS = {
  postgres: {
    columns: `exact numeric(8, 2), single real, twice float8, truth boolean, bytes bytea, bits bit(4), doc json, at time(3), day date,
      moment timestamp(6), stamped timestamptz(3), list int[], word varchar(9)`,
    first: `1.50, 0.1, 0.1, true, '\\x00ff', b'0101', '{"a": [1,
 9007199254740993]}', '13:04:05.500', '2026-01-02', '2026-01-02 03:04:05', '2026-01-02 03:04:05.120Z', '{1,2}', 'é'`,
    csv: `1.50,0.1,0.1,true,\\x00ff,0101,"{""a"": [1,
 9007199254740993]}",13:04:05.5,2026-01-02,2026-01-02 03:04:05,2026-01-02 03:04:05.12+00,"{1,2}",é`,
    json: `"exact":"1.50","single":"0.1","twice":"0.1","truth":true,"bytes":"\\\\x00ff","bits":"0101","doc":{"a": [1,  9007199254740993]},
"at":"13:04:05.5","day":"2026-01-02","moment":"2026-01-02 03:04:05","stamped":"2026-01-02 03:04:05.12+00","list":"{1,2}","word":"é"}`,
  },
  mysql: {
    columns: `exact decimal(8, 2), single float, twice double, truth boolean, bytes varbinary(9), bits bit(4), doc json, at time(3), day date,
      moment datetime(6), stamped timestamp(3) null, list point, word varchar(9)`,
    first: `1.50, 0.1, 0.1, true, x'00ff', b'0101', '{"a": [1, 9007199254740993]}', '-26:04:05.500', '2026-01-02', '2026-01-02 03:04:05',
      '2026-01-02 03:04:05.120', st_geomfromtext('point(1 2)'), 'é'`,
    csv: `1.50,0.1,0.1,1,\\x00ff,\\x05,"{""a"": [1, 9007199254740993]}",-26:04:05.500,2026-01-02,2026-01-02 03:04:05.000000,2026-01-02 03:04:05.120,\\x000000000101000000000000000000f03f0000000000000040,é`,
    json: `"exact":"1.50","single":0.1,"twice":0.1,"truth":1,"bytes":"\\\\x00ff","bits":"\\\\x05","doc":{"a": [1, 9007199254740993]},
"at":"-26:04:05.500","day":"2026-01-02","moment":"2026-01-02 03:04:05.000000","stamped":"2026-01-02 03:04:05.120","list":"\\\\x000000000101000000000000000000f03f0000000000000040","word":"é"}`,
  },
};

describe.each(oneOfEachFamily(import.meta.url))('values of all types in the rows of a task on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('are the same with bound values and without, and those of the server', async () => {
    const kinds = KINDS[server.url.startsWith('postgres') ? 'postgres' : 'mysql'];
    const once = (output: string): string =>
      `kind: task\nconnection: warehouse\nmethod: query\noutput: ${output}\nsql: select * from core.kinds order by id\n`;
    world = await World.create(
      server,
      VEHICLES(2, {
        sql: 'select * from core.kinds where id >= :from and id < :to order by id',
        yaml: 'method: query\noutput: ranged.csv',
        files: { 'loads/task/once.yaml': once('once.csv'), 'loads/task/lines.yaml': once('lines.jsonl') },
      }),
    );
    await world.warehouse.query(`create table core.kinds (id bigint primary key, ${kinds.columns})`);
    await world.warehouse.query(`insert into core.kinds values (1, ${kinds.first})`);
    await world.warehouse.query('insert into core.kinds (id, single) values (2, 16777217)');
    await world.worker();
    for (const load of [TASK, 'task.once', 'task.lines']) expect(await world.run(load)).toMatchObject({ ok: true });
    const [head, ...rows] = (await file(world, 'once.csv')).split(/\n(?=\d,|id|$)/);
    expect(head).toMatch(/^id,exact,single,/);
    const single = server.url.startsWith('postgres') ? '1.6777216e+07' : '16777216';
    expect(rows).toEqual([`1,${kinds.csv}`, `2,,${single}${','.repeat(11)}`, '']);
    expect(await file(world, 'ranged.csv')).toBe(await file(world, 'once.csv'));
    const [line] = (await file(world, 'lines.jsonl')).split('\n');
    expect(line).toBe(`{"id":"1",${kinds.json.replace('\n', '')}`);
  });

  // A type of MySQL 9 alone.
  if (server.name.startsWith('MySQL')) {
    test('are lists where they are vectors', async () => {
      const once = (output: string): string =>
        `kind: task\nconnection: warehouse\nmethod: query\noutput: ${output}\nsql: select string_to_vector('[0.1,2]') as v\n`;
      world = await World.create(
        server,
        VEHICLES(2, {
          files: { 'loads/task/once.yaml': once('once.csv'), 'loads/task/lines.yaml': once('lines.jsonl') },
        }),
      );
      await world.worker();
      for (const load of ['task.once', 'task.lines']) expect(await world.run(load)).toMatchObject({ ok: true });
      expect(await file(world, 'once.csv')).toBe('v\n"[0.1,2]"\n');
      expect(await file(world, 'lines.jsonl')).toBe('{"v":[0.1,2]}\n');
    });
  }
});
