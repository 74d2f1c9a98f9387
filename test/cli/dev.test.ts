import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { batches, BREAKABLE, done } from '../engine/breakable-orders.ts';
import { ORDERS, World } from '../engine/orders.ts';
import { until } from '../engine/world.ts';
import { SCHEMA_ENDINGS, type DevServerKind } from '../../src/cli/dev-server-kind.ts';
import { inTurns, oneOfEachFamily, someServers } from '../every-server.ts';
import { oneOf } from '../seed.ts';
import { compiledCli } from '../servers.ts';
import { document, run, waybill, type Spawned } from './command-line.ts';
import { FreshMachine } from './fresh-machine.ts';

let machine: FreshMachine;
beforeEach(async () => (machine = await FreshMachine.create(compiledCli())));
afterEach(() => machine.remove());

/** Inside this process: the first test has it as one of its own. */
const init = async (...argv: string[]): Promise<void> => {
  expect(await run(['init', ...argv], { cwd: machine.home })).toMatchObject({ exitCode: 0 });
};

const edit = async (file: string, from: string, to: string): Promise<void> => {
  const at = join(machine.home, file);
  const text = await readFile(at, 'utf8');
  expect(text).toContain(from);
  await writeFile(at, text.replace(from, to));
};

const RUN = ['dev', '--run', 'nightly', '--json'];

interface SessionDocument {
  session: string;
  status: string;
  loads: { load: string; status: string; rows_written: number | null }[];
}

const loadsOf = (answer: { stdout: string }): unknown[] =>
  (document(answer as never) as SessionDocument).loads.map(({ load, status, rows_written }) => [
    load,
    status,
    rows_written,
  ]);

/** What `init --on` takes, by what a server calls itself. */
const kindOf = (server: { name: string }) =>
  server.name.split(' ')[0]!.toLowerCase().replace('postgresql', 'postgres') as DevServerKind;

describe.each(someServers(import.meta.url))('a new project on a fresh machine, for $name', (server) => {
  const on = kindOf(server);
  const ending = SCHEMA_ENDINGS[on];

  test('validates against databases made by its schema files, runs its session, and leaves nothing behind', async () => {
    expect(await machine.waybill(['init', '--on', on])).toMatchObject({ exitCode: 0 });

    const validated = await machine.waybill(['validate', '--scratch']);
    expect(validated).toMatchObject({ exitCode: 0, stderr: '' });
    expect(validated.stdout).toBe(
      `warning: waybill.yaml:7:10: SOURCE_URL is not set: a database made by schema/source${ending} was asked in place of \`source\`\n` +
        '  Set it to check against the real one.\n' +
        `warning: waybill.yaml:9:10: WAREHOUSE_URL is not set: a database made by schema/warehouse${ending} was asked in place of \`warehouse\`\n` +
        '  Set it to check against the real one.\n' +
        'Files: 3 loads and 1 session are right.\n' +
        'Databases (source, warehouse): 4 tables and 5 SQL statements are right.\n',
    );
    await machine.expectNothingLeft();
    const forgotten = await machine.waybill(['validate', '--json']);
    expect(forgotten.exitCode).toBe(2);
    expect(forgotten.stdout).toContain('SOURCE_URL');

    const ran = await machine.waybill(RUN);
    expect(ran.exitCode).toBe(0);
    expect(loadsOf(ran)).toEqual([
      ['acquisition.sale', 'finished', 2000],
      ['core.sale', 'finished', 2000],
      ['services.sales_by_day', 'finished', 116],
    ]);
    await machine.expectNothingLeft();
  });

  test('reads SQL as the server that its schema file is for, and finds what it has wrong, without a database of anybody', async () => {
    await init('--on', on);
    // Read as another server would, a text or a name has no end.
    const own = on === 'postgres' ? String.raw`'\', $$it's$$` : String.raw`'\'', "it's" # isn't`;
    await writeFile(join(machine.home, 'loads/services/own.sql'), `select ${own}\n, :batch_id`);
    await edit('loads/services/sales_by_day.yaml', 'kind: services', 'kind: services\nbefore: own.sql');
    const read = await run(['validate', '--files-only'], { cwd: machine.home });
    expect(read).toMatchObject({ exitCode: 0, stderr: '' });
    // Files first, then the name: nothing is started.
    const named = await run(['dev', '--run', 'nightli'], { cwd: machine.home });
    expect(named).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('no load or session nightli') as string,
    });
    await edit('loads/services/sales_by_day.sql', 'sum(s.quantity)', 'sum(s.quantty)');
    const answer = await machine.waybill(['validate', '--scratch', '--json']);
    expect(answer.exitCode).toBe(2);
    expect(document(answer)).toMatchObject({
      error: {
        message: expect.stringMatching(/s\.quantty.*: did you mean `quantity`\?$/) as string,
        where: expect.stringMatching(/^loads\/services\/sales_by_day\.sql:4:/) as string,
      },
    });
    await machine.expectNothingLeft();
  });

  test('says where a schema file is wrong; once it is mended, --keep-data keeps what a run has done', async () => {
    await init('--on', on);
    await edit(`schema/warehouse${ending}`, 'quantity bigint', 'quantity bigintt');
    const answer = await machine.waybill([...RUN, '--keep-data']);
    expect(answer.exitCode).toBe(2);
    const text = await readFile(join(machine.home, `schema/warehouse${ending}`), 'utf8');
    const line = text.slice(0, text.indexOf('bigintt')).split('\n').length;
    expect(document(answer)).toEqual({
      error: {
        type: 'Configuration',
        message: expect.stringContaining('bigintt') as string,
        where: `schema/warehouse${ending}:${line}:12`,
        next: 'correct the file: it makes the tables of a new database for development',
      },
    });
    await machine.expectNothingLeft();
    await edit(`schema/warehouse${ending}`, 'bigintt', 'bigint');
    const ran = await machine.waybill([...RUN, '--keep-data']);
    expect(ran.exitCode).toBe(0);
    expect(loadsOf(ran)).toContainEqual(['core.sale', 'finished', 2000]);
    const again = await machine.waybill([...RUN, '--keep-data']);
    expect(again.exitCode).toBe(0);
    expect(loadsOf(again)).toEqual([
      ['acquisition.sale', 'nothing', 0],
      ['core.sale', 'nothing', 0],
      ['services.sales_by_day', 'nothing', 0],
    ]);
    expect(await machine.processes()).toEqual([]);
  });
});

describe('waybill dev with something wrong', () => {
  test('in a name ends with 2 before anything is started', async () => {
    await init();
    const answer = await machine.waybill(['dev', '--run', 'nightli', '--keep-data']);
    expect(answer).toMatchObject({ exitCode: 2, stdout: '' });
    expect(answer.stderr).toContain('there is no load or session nightli');
    expect(answer.stderr).toContain('did you mean nightly?');
    await machine.expectNothingLeft();
    await expect(readFile(join(machine.home, '.waybill/dev/postgres/password'))).rejects.toThrow('ENOENT');
  });

  test('in a file ends with 2 before anything is started', async () => {
    await init();
    await edit('loads/core/sale.sql', ', :batch_id\n', ', :batchid\n');
    const answer = await machine.waybill(['dev']);
    expect(answer).toMatchObject({ exitCode: 2, stdout: '' });
    expect(answer.stderr).toContain('unknown parameter `:batchid`');
    await machine.expectNothingLeft();
  });

  test.each([
    ['WAYBILL_LOG_LEVEL', 'verbose', 'WAYBILL_LOG_LEVEL is verbose, and must be one of '],
    ['WAYBILL_HISTORY_LIMIT', 'many', 'WAYBILL_HISTORY_LIMIT is many, and must be a whole number above 0'],
  ])('in %s ends with 2 before anything is started', async (variable, value, message) => {
    await init();
    const answer = await machine.waybill(['dev', '--keep-data'], { [variable]: value });
    expect(answer).toMatchObject({ exitCode: 2, stdout: '' });
    expect(answer.stderr).toContain(message);
    await machine.expectNothingLeft();
    await expect(readdir(join(machine.home, '.waybill/dev'))).rejects.toThrow('ENOENT');
  });

  test.each([
    ['in its profile, which there is not', '[profile.default]', { TEMPORAL_PROFILE: 'staging' }],
    ['in its profile file', '[profile.default', {}],
    [
      'in a path of it',
      '[profile.default]\naddress = "127.0.0.1:1"\n[profile.default.tls]\nclient_cert_path = "/nowhere.pem"',
      {},
    ],
  ])('in what Temporal is configured by, %s, ends with 2 before anything is started', async (_title, toml, more) => {
    await init();
    const file = join(machine.home, 'temporal.toml');
    await writeFile(file, toml);
    const answer = await machine.waybill(['dev', '--keep-data'], { TEMPORAL_CONFIG_FILE: file, ...more });
    expect(answer).toMatchObject({ exitCode: 2, stdout: '' });
    expect(answer.stderr).toMatch(/^waybill: Temporal's configuration cannot be read: \S/);
    expect(answer.stderr).not.toContain('This should not happen');
    await machine.expectNothingLeft();
    await expect(readdir(join(machine.home, '.waybill/dev'))).rejects.toThrow('ENOENT');
  });

  test('in a variable that two connections share, whose schema files are for two servers', async () => {
    await init();
    await edit('waybill.yaml', '${WAREHOUSE_URL}', '${SOURCE_URL}');
    await rename(join(machine.home, 'schema/warehouse.sql'), join(machine.home, 'schema/warehouse.mysql.sql'));
    const answer = await machine.waybill(['dev', '--run', 'nightly', '--json']);
    expect(answer.exitCode).toBe(2);
    expect(document(answer)).toMatchObject({
      error: {
        message: 'SOURCE_URL is one database, and the schema files of its connections are for PostgreSQL and MySQL',
        where: 'schema/source.sql, schema/warehouse.mysql.sql',
      },
    });
    await machine.expectNothingLeft();
  });

  test('in the schema files, one of which is missing, says what stands in', async () => {
    await init();
    await rm(join(machine.home, 'schema/warehouse.sql'));
    const answer = await machine.waybill(['dev'], { TEMPORAL_ADDRESS: '127.0.0.1:1' });
    expect(answer.exitCode).toBe(5);
    const said = answer.stderr.split('\n').filter((line) => line.includes('stands in'));
    expect(said).toEqual([
      'WAREHOUSE_URL is not set, and no schema/warehouse.sql makes its tables: an empty PostgreSQL stands in',
    ]);
    await machine.expectNothingLeft();
  });

  test('in a load ends with 1, as the load does', async () => {
    await init();
    await edit('loads/core/sale.sql', 's.quantity * s.price', '1 / (s.sale_id - 1000)');
    const answer = await machine.waybill(['dev', '--run', 'nightly']);
    expect(answer.exitCode).toBe(1);
    expect(answer.stderr).toContain('waybill: core.sale failed, and 1 that needs it skipped: ');
    expect(answer.stdout).toContain('division by zero');
    expect(answer.stdout).not.toContain('http'); // a link to a server that is gone
    await machine.expectNothingLeft();
  });

  const NOWHERE = [
    ['TEMPORAL_ADDRESS', '127.0.0.1:1', 'The Temporal server 127.0.0.1:1 (from TEMPORAL_ADDRESS) does not answer.'],
    ['WAREHOUSE_URL', 'postgres://me:hush@127.0.0.1:1/warehouse', 'cannot connect to warehouse'],
  ] as const;

  test.each(oneOf(NOWHERE, import.meta.url))(
    'where %s leads nowhere ends with 5, and stops what was started',
    async (variable, value, message) => {
      await init();
      const answer = await machine.waybill(RUN, { [variable]: value });
      expect(answer.exitCode).toBe(5);
      expect(document(answer)).toMatchObject({
        error: {
          type: 'Unreachable',
          message: expect.stringContaining(message) as string,
          next: expect.any(String) as string,
        },
      });
      await machine.expectNothingLeft();
    },
  );
});

describe('waybill dev and signals', () => {
  beforeEach(() => init());

  test('Ctrl-C before everything is up ends with 3 and leaves nothing', async () => {
    const { child, answer } = machine.spawn(['dev', '--run', 'nightly']);
    await until(async () => (await machine.processes()).some((command) => command.includes('start-dev')));
    child.kill('SIGINT');
    const ended = await answer;
    expect(ended.exitCode).toBe(3);
    expect(ended.stderr).toContain('Stopping everything …');
    await machine.expectNothingLeft();
  });

  test('SIGTERM, without --run, ends with 0: addresses were printed without passwords, ports are free again', async () => {
    const spawned = machine.spawn(['dev', '--json']);
    const { child, answer } = spawned;
    const { temporal, databases, environment_file } = JSON.parse(await addressesOf(spawned)) as {
      temporal: { address: string };
      databases: Record<string, string>;
      environment_file: string;
    };
    const port = Number(new URL(databases['WAREHOUSE_URL']!).port);
    expect(databases).toEqual({
      SOURCE_URL: `postgres://postgres@127.0.0.1:${port}/source`,
      WAREHOUSE_URL: `postgres://postgres@127.0.0.1:${port}/warehouse`,
    });
    expect(await listens(port)).toBe(true);
    expect(await readFile(environment_file, 'utf8')).toContain(`export TEMPORAL_ADDRESS='${temporal.address}'`);
    child.kill('SIGTERM');
    expect((await answer).exitCode).toBe(0);
    expect(await listens(port)).toBe(false);
    expect(await listens(Number(temporal.address.split(':').at(-1)))).toBe(false);
    await machine.expectNothingLeft();
  });

  test('killed outright, it leaves nothing either', async () => {
    const { child, said } = machine.spawn(['dev', '--json']);
    await until(() => Promise.resolve(said().includes('environment_file')));
    child.kill('SIGKILL');
    await until(async () => (await machine.processes()).length === 0, 20);
  });
});

test('a second waybill dev --keep-data of a project is refused, and the first goes on; one that was killed is no first', async () => {
  await init();
  const first = machine.spawn(['dev', '--keep-data', '--json']);
  const { databases } = JSON.parse(await addressesOf(first)) as { databases: Record<string, string> };
  const second = await machine.waybill([...RUN, '--keep-data']);
  expect(await listens(Number(new URL(databases['WAREHOUSE_URL']!).port))).toBe(true);
  expect(second.exitCode).toBe(2);
  expect(document(second)).toEqual({
    error: {
      type: 'Configuration',
      message: `waybill dev --keep-data runs in this project already (process ${first.child.pid})`,
      where: join(machine.home, '.waybill/dev'),
      next: 'run loads beside it as it says under "Elsewhere" (with --run: wait until it has ended), end it with Ctrl-C, or leave out --keep-data',
    },
  });
  first.child.kill('SIGKILL');
  await until(async () => (await machine.processes()).length === 0, 20);
  expect(await machine.waybill([...RUN, '--keep-data'])).toMatchObject({ exitCode: 0 });
  expect(await machine.processes()).toEqual([]);
});

describe.each(oneOfEachFamily(import.meta.url))('waybill dev beside servers that are there, on $name', (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  const inWorld = (...argv: string[]) => {
    const { SOURCE_URL, WAREHOUSE_URL } = world.env;
    const env = { SOURCE_URL, WAREHOUSE_URL, TEMPORAL_ADDRESS: world.address, TEMPORAL_NAMESPACE: world.namespace };
    return machine.spawn(['--project', world.directory, ...argv], env);
  };

  it('--run starts a worker only, and leaves the servers alone', async () => {
    world = await World.create(server, ORDERS(500));
    const answer = await inWorld('dev', '--run', 'core.order', '--json').answer;
    expect(answer.exitCode).toBe(0);
    expect(document(answer)).toMatchObject({ load: 'core.order', state: 'published', rows_written: 500 });
    expect(await world.value('select count(*) from core.orders')).toBe('500');
    await machine.expectNothingLeft();
  });

  const cancelledBy = async (...signals: NodeJS.Signals[]): Promise<void> => {
    world = await World.create(server, BREAKABLE(10_000, { broken: 0, pause: 0.4 }));
    const { child, answer } = inWorld('dev', '--run', 'core.order', '--json');
    await until(async () => (await done(world).catch(() => 0)) > 1);
    for (const signal of signals) {
      child.kill(signal);
      await sleep(200);
    }
    const ended = await answer;
    expect(ended.exitCode).toBe(3);
    expect(document(ended)).toMatchObject({ state: 'cancelled', error: { type: 'Cancelled' } });
    expect(await world.value('select count(*) from core.orders')).toBe('0');
    await machine.expectNothingLeft();
  };

  it('Ctrl-C during a run cancels it, waits until it is rolled back, and ends with 3', () => cancelledBy('SIGINT'));

  // The shell says so to its jobs, and the kernel once more when the shell has ended.
  it('a terminal that closes during a run does so, too, and no less where that is said twice', () =>
    cancelledBy('SIGHUP', 'SIGHUP'));

  it('--run of a load that somebody runs ends with 4, and that run goes on', async () => {
    world = await World.create(server, BREAKABLE(10_000, { broken: 0, pause: 0.4 }));
    await world.worker();
    expect(await waybill(world, 'run', 'core.order', '--detach')).toMatchObject({ exitCode: 0 });
    const answer = await inWorld('dev', '--run', 'core.order', '--json').answer;
    expect(answer.exitCode).toBe(4);
    expect(document(answer)).toMatchObject({
      error: { type: 'AlreadyRunning', message: expect.stringContaining('core.order is running already') as string },
    });
    expect(await batches(world)).toMatchObject([{ state: 'running' }]);
    await waybill(world, 'cancel', 'core.order');
  });
});

/** The document with which it says that it is up. */
const addressesOf = ({ said }: Spawned): Promise<string> =>
  until(() =>
    Promise.resolve(
      said()
        .split('\n')
        .find((text) => text.startsWith('{"temporal"')),
    ),
  );

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
