/** `window: shared` for tasks, which nothing but the ledger tells what they have done: pupdate's own case. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { waybill } from '../cli/command-line.ts';
import { someServers } from '../every-server.ts';
import { runSession } from './session-run.ts';
import { World, type WorldOptions } from './world.ts';

vi.setConfig({ testTimeout: 120_000 });

/** Notes what it saw as its window, once a number; the third fails while `broken` says so. */
const task = (name: string, { connection, schema }: { connection: string; schema: string }): string => `
kind: task
connection: ${connection}
lanes: 1
range: { min: 1, max: 4, step: 1 }
sql: |
  insert into ${schema}${name} (id, last_at, load_at, batch_id)
  select v.id / (1 - case when v.id = 3 then t.broken else 0 end), :last_load_at, :load_at, :batch_id
  from ${schema}numbers v cross join ${schema}${name}_tempo t where v.id >= :from and v.id < :to
`;

const TABLES = (schema: string, names: string[]): string => `
  create table ${schema}numbers (id bigint primary key); insert into ${schema}numbers values (1), (2), (3), (4);
  ${names
    .map(
      (name) => `
  create table ${schema}${name}_tempo (broken int); insert into ${schema}${name}_tempo values (0);
  create table ${schema}${name} (id bigint, last_at timestamp(3) null, load_at timestamp(3) null, batch_id bigint);`,
    )
    .join('')}`;

/** `control`: of the control tables of the source, where they are not those of the warehouse. */
const YAML = (control = ''): string => `
name: test
connections:
  source: { url: "\${SOURCE_URL}", max_connections: 10${control} }
  warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 10 }
sessions:
  nightly: { loads: [task.one, task.two], sequential: true, window: shared }
`;

/** One after the other: both on the warehouse, or the second on the source. */
const PROJECT = (second: 'warehouse' | 'source' = 'warehouse'): WorldOptions => ({
  files: {
    'waybill.yaml': YAML(),
    'loads/task/one.yaml': task('one', { connection: 'warehouse', schema: 'core.' }),
    'loads/task/two.yaml': task('two', { connection: second, schema: second === 'source' ? '' : 'core.' }),
  },
  warehouse: `create schema core; ${TABLES('core.', second === 'source' ? ['one'] : ['one', 'two'])}`,
  source: second === 'source' ? TABLES('', ['two']) : '',
});

describe.each(someServers(import.meta.url))('the window that tasks of a session share, on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  /** What a task did: numbers of each batch, and its window, in milliseconds since 1970. */
  const did = async (table: string, side: 'warehouse' | 'source' = 'warehouse') => {
    const { rows } = await world[side].query<{ batch_id: string; last_at: unknown; load_at: unknown; n: string }>(
      `select batch_id, last_at, load_at, count(*) as n from ${table} group by batch_id, last_at, load_at order by batch_id`,
    );
    const ms = (value: unknown): number | null => (value === null ? null : new Date(value as string).getTime());
    return rows.map(({ last_at, load_at, n }) => ({ last: ms(last_at), at: ms(load_at), n: Number(n) }));
  };
  const breakTwo = (broken: 0 | 1): Promise<unknown> =>
    world.warehouse.query(`update core.two_tempo set broken = ${broken}`);

  test('a task that is done in the window that broke off is not done again in it, and the next one goes on', async () => {
    world = await World.create(server, PROJECT());
    await world.worker();
    await breakTwo(1);
    expect(await runSession(world)).toMatchObject({
      ok: false,
      message: expect.stringMatching(/^task\.two failed: /) as string,
    });
    const [first] = await did('core.one');
    expect(first).toEqual({ last: null, at: first!.at, n: 4 });
    expect(await did('core.two')).toEqual([{ ...first, n: 2 }]);
    await breakTwo(0);
    expect(await runSession(world)).toMatchObject({ ok: true });
    // First what was left of the window, then all that is new since.
    const [one, two] = [await did('core.one'), await did('core.two')];
    const second = { last: first!.at, at: one.at(-1)!.at, n: 4 };
    expect(second.at).toBeGreaterThan(first!.at!);
    expect(one).toEqual([first, second]);
    expect(two).toEqual([{ ...first, n: 2 }, { ...first, n: 2 }, second]);
    // A session that ended well begins another window, in which everything is to be done.
    expect(await runSession(world)).toMatchObject({ ok: true });
    expect((await did('core.one')).at(-1)).toMatchObject({ last: second.at, n: 4 });
    expect(await did('core.one')).toHaveLength(3);
  });

  test('the run that ends a window and begins the next one tells of both, and shows the rows of both', async () => {
    const { files, ...rest } = PROJECT();
    const report = 'kind: task\nconnection: warehouse\nmethod: query\nsql: select id from core.numbers where id > 2\n';
    const yaml = YAML().replace('[task.one, task.two]', '[task.one, task.report, task.two]');
    world = await World.create(server, {
      ...rest,
      files: { ...files, 'waybill.yaml': yaml, 'loads/task/report.yaml': report },
    });
    await world.worker();
    // The report is not done either when the window breaks off.
    await world.warehouse.query('update core.one_tempo set broken = 1');
    expect(await runSession(world)).toMatchObject({ ok: false });
    await world.warehouse.query('update core.one_tempo set broken = 0');
    const answer = await waybill(world, 'run', 'nightly');
    expect(answer).toMatchObject({ exitCode: 0, stdout: 'id\n3\n4\nid\n3\n4\n' });
    const told = [...answer.stderr.matchAll(/^(task\.\w+) +(\d+) +published +(\d+)/gm)].map(([, ...one]) => one);
    expect(told).toEqual([
      ['task.one', '2', '2'],
      ['task.one', '5', '4'],
      ['task.report', '3', '2'],
      ['task.report', '6', '2'],
      ['task.two', '4', '4'],
      ['task.two', '7', '4'],
    ]);
    // The next run's rows are its own.
    expect(await waybill(world, 'run', 'nightly')).toMatchObject({ exitCode: 0, stdout: 'id\n3\n4\n' });
    expect(await world.value('select count(distinct batch_id) from waybill.output_part')).toBe('1');
  });

  test('a task that is done in the window is not done again in it either where somebody has run it alone since', async () => {
    world = await World.create(server, PROJECT());
    await world.worker();
    await breakTwo(1);
    expect(await runSession(world)).toMatchObject({ ok: false });
    expect(await world.run('task.one')).toMatchObject({ ok: true, result: { chunks: 4 } });
    expect(await runSession(world)).toMatchObject({ ok: false });
    const [first, alone, ...more] = await did('core.one');
    expect(alone).toMatchObject({ last: first!.at, n: 4 });
    expect(more).toEqual([]);
    await breakTwo(0);
    expect(await runSession(world)).toMatchObject({ ok: true });
    const windows = (await did('core.two')).map(({ at }) => at);
    expect((await did('core.one')).filter(({ at }) => at === first!.at)).toEqual([first]);
    expect(windows.slice(0, 2)).toEqual([first!.at, first!.at]);
  });

  test('keeps the parameters that it was begun with: the next run finishes it with them, and does what is new with its own', async () => {
    const project = PROJECT();
    const declared = Object.entries(project.files).map(([path, text]) => [
      path,
      path.startsWith('loads/') ? `params: { region: home }\n${text.replace('v.id = 3', 'v.id = 1')}` : text,
    ]);
    world = await World.create(server, { ...project, files: Object.fromEntries(declared) as Record<string, string> });
    await world.worker();
    const regions = async (): Promise<[string, unknown][]> =>
      (
        await world.rows<{ load_name: string; params: string }>(
          'select load_name, params from waybill.batch order by batch_id',
        )
      ).map(({ load_name, params }) => [load_name, (JSON.parse(params) as Record<string, unknown>)['region']]);
    await breakTwo(1);
    expect(await runSession(world, 'nightly', { region: 'EU' })).toMatchObject({ ok: false });
    await breakTwo(0);
    expect(await runSession(world, 'nightly', { region: 'US' })).toMatchObject({
      ok: false,
      type: 'Refused',
      message: 'task.one is done in the window that is open, with region = EU, and this run is given region = US',
      where: 'session nightly, batch 1',
      next: expect.stringContaining('leave --param region out') as string,
    });
    expect(await runSession(world)).toMatchObject({ ok: true });
    const begun = [
      ['task.one', 'EU'],
      ['task.two', 'EU'],
      ['task.two', 'EU'],
    ];
    expect(await regions()).toEqual([...begun, ['task.one', 'home'], ['task.two', 'home']]);
  });

  test('is one by itself where a task builds on another: what empties a table is not done again before what fills it', async () => {
    const project = PROJECT();
    world = await World.create(server, {
      ...project,
      files: {
        ...project.files,
        'waybill.yaml': YAML().replace(', window: shared', ''),
        'loads/task/one.yaml': `kind: task\nconnection: warehouse\nsql: delete from core.two\n`,
      },
    });
    await world.worker();
    await breakTwo(1);
    expect(await runSession(world)).toMatchObject({ ok: false });
    await breakTwo(0);
    // What was left is done first; the whole session follows, over what is new since.
    expect(await runSession(world)).toMatchObject({ ok: true });
    const batches = await world.rows<{ load_name: string; state: string; rows_written: string }>(
      'select load_name, state, rows_written from waybill.batch order by batch_id',
    );
    expect(batches.map(({ load_name, state, rows_written }) => [load_name, state, Number(rows_written)])).toEqual([
      ['task.one', 'published', 0],
      ['task.two', 'failed', 0],
      ['task.two', 'published', 2],
      ['task.one', 'published', 4],
      ['task.two', 'published', 4],
    ]);
    expect(await world.value('select count(distinct id) from core.two')).toBe('4');
  });

  test('a task that broke off by itself is no part of the window: it is finished by itself first', async () => {
    world = await World.create(server, PROJECT());
    await world.worker();
    await breakTwo(1);
    expect(await world.run('task.two')).toMatchObject({ ok: false, type: 'Database' });
    await breakTwo(0);
    const refused = await runSession(world);
    expect(refused).toMatchObject({ ok: false, message: expect.stringMatching(/^task\.two failed: /) as string });
    expect(!refused.ok && refused.loads[1]!.error).toMatchObject({
      type: 'Refused',
      message:
        ':load_at of session nightly is not what it was in batch 1, which ended with 2 chunks done: what is left cannot be told from what is done',
      next: expect.stringContaining('finish what is left first, by itself (waybill run task.two)') as string,
    });
    expect(await world.run('task.two')).toMatchObject({ ok: true, result: { chunks: 2 } });
    expect(await runSession(world)).toMatchObject({ ok: true });
    const two = await did('core.two');
    expect(two.map(({ n }) => n)).toEqual([2, 2, 4, 4]); // by itself, in the window that was open, and since then
    expect(two.slice(2)).toEqual(await did('core.one'));
  });

  test('is one on two connections: the ledger of the first load keeps it for both', async () => {
    world = await World.create(server, PROJECT('source'));
    // On MySQL and MariaDB both are databases of one server: the second has control tables of its own, too.
    const control = world.words.family === 'mysql' ? `, control_schema: ${world.names.prefix}second` : '';
    await world.write('waybill.yaml', YAML(control));
    await world.worker();
    await world.source.query('update two_tempo set broken = 1');
    expect(await runSession(world)).toMatchObject({
      ok: false,
      message: expect.stringMatching(/^task\.two failed: /) as string,
    });
    await world.source.query('update two_tempo set broken = 0');
    expect(await runSession(world)).toMatchObject({ ok: true });
    const [one, two] = [await did('core.one'), await did('two', 'source')];
    expect(one).toHaveLength(2);
    expect(one[1]!.last).toBe(one[0]!.at);
    expect(two).toEqual([{ ...one[0], n: 2 }, { ...one[0], n: 2 }, one[1]]);
    expect(await world.rows('select session_name, load_at from waybill.session_window')).toEqual([
      { session_name: 'nightly', load_at: null },
    ]);
  });
});
