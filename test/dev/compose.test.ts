/** No Docker engine runs here: what can be checked without one is checked against the code that the files must fit. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadProject } from '../../src/config/load-project.ts';
import { startPostgres, type PostgresServer } from '../../src/dev/postgres-server.ts';
import { systemPostgres15 } from '../../src/dev/postgres-binaries.ts';
import { SEARCH_ATTRIBUTES } from '../../src/workflows/messages.ts';
import { document, run, spawnCli, type Spawned } from '../cli/command-line.ts';
import { until } from '../engine/world.ts';
import { compiledCli } from '../servers.ts';
import { freshNamespace, type FreshNamespace } from '../temporal-servers.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const text = (file: string): Promise<string> => readFile(join(ROOT, file), 'utf8');

interface Service {
  image?: string;
  build?: string;
  command?: string[];
  profiles?: string[];
  ports?: string[];
  volumes?: string[];
  environment?: Record<string, string>;
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string; required?: boolean }>;
}

/** The commands that its comments name, as a shell reads their words. */
async function commands(): Promise<string[][]> {
  const lines = [...(await text('docker-compose.yml')).matchAll(/^# {3}(\S.*)$/gm)];
  return lines.map(([, line = '']) =>
    [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? ''),
  );
}

/** The file as compose reads it: `${NAME:-default}`, also one in another, is its default where the variable is not set. */
async function compose(
  env: Record<string, string> = {},
): Promise<{ services: Record<string, Service>; volumes: Record<string, null> }> {
  let filled = await text('docker-compose.yml');
  for (let from = ''; from !== filled;) {
    from = filled;
    filled = from.replace(/\$\{(\w+):-([^${}]*)\}/g, (_, name: string, given: string) => env[name] ?? given);
  }
  expect(filled, 'variables without a default').not.toMatch(/\$\{|\$[A-Z]/);
  return parse(filled) as { services: Record<string, Service>; volumes: Record<string, null> };
}

describe('docker-compose.yml', () => {
  it('has Temporal, PostgreSQL, a worker, and MySQL only for those who ask for it', async () => {
    const { services } = await compose();
    expect(Object.keys(services).sort()).toEqual(['mysql', 'postgres', 'temporal', 'worker']);
    expect(services['mysql']!.profiles).toEqual(['mysql']);
    expect(Object.values(services).filter(({ profiles }) => profiles !== undefined)).toHaveLength(1);
  });

  it('pins every image, opens ports on loopback only, and names volumes that there are', async () => {
    const { services, volumes } = await compose();
    for (const [name, { image, build, ports = [], volumes: mounted = [] }] of Object.entries(services)) {
      if (build === undefined) expect(image, name).toMatch(/^[a-z/]+:\d+\.\d+(\.\d+)?$/);
      for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
      for (const volume of mounted) {
        const [from = ''] = volume.split(':');
        expect(from.startsWith('./') ? existsSync(join(ROOT, from)) : from in volumes, volume).toBe(true);
      }
    }
  });

  it('holds no secret but passwords for development, which .env can change', async () => {
    const settings = (await text('docker-compose.yml')).replace(/^ *#.*$/gm, '');
    const passwords = [...settings.matchAll(/PASSWORD: *(.*)|\/\/[^:\s]+:(.*)@/g)];
    expect(passwords.map(([, variable, inUrl]) => variable ?? inUrl)).toEqual([
      '${POSTGRES_PASSWORD:-waybill}',
      '${MYSQL_ROOT_PASSWORD:-waybill}',
      '${POSTGRES_PASSWORD:-waybill}',
      '${POSTGRES_PASSWORD:-waybill}',
    ]);
  });

  it('starts Temporal with the search attributes of Waybill, open to the other services', async () => {
    const { command = [] } = (await compose()).services['temporal']!;
    expect(command.slice(0, 2)).toEqual(['server', 'start-dev']);
    expect(command).toContain('--ip=0.0.0.0');
    expect(command.flatMap((word) => /^--search-attribute=(.*)/.exec(word)?.[1] ?? [])).toEqual(
      Object.entries(SEARCH_ATTRIBUTES).map(([name, type]) => `${name}=${type}`),
    );
  });

  it('waits for healthy services, each by a check of its own', async () => {
    const { services } = await compose();
    expect(services['worker']!.depends_on).toEqual({
      temporal: { condition: 'service_healthy' },
      postgres: { condition: 'service_healthy' },
      mysql: { condition: 'service_healthy', required: false },
    });
    const ups = (await commands()).filter((words) => words.includes('up'));
    expect(ups.length).toBeGreaterThan(0);
    for (const words of ups) expect(words).toEqual(expect.arrayContaining(['-d', '--build', '--wait']));
    expect(await text('README.md')).toContain(ups[0]!.join(' '));
    for (const name of ['temporal', 'postgres', 'mysql']) expect(services[name]!.healthcheck?.test[0]).toBe('CMD');
  });

  it('gives the worker a command that there is, and the variables that its project reads, on services that are there', async () => {
    const { services } = await compose();
    const { command = [], environment = {}, volumes = [] } = services['worker']!;
    expect((await run([...command, '--help'])).stdout).toContain('Usage: waybill worker');
    expect(volumes).toContain('./examples/flights:/project:ro');
    // Every variable of the project is here: loadProject refuses one that is not set.
    const project = await loadProject(join(ROOT, 'examples/flights'), { env: environment });
    const hosts = Object.values(project.connections).map(({ url }) => new URL(url).hostname);
    expect([...hosts, environment['TEMPORAL_ADDRESS']!.split(':')[0]!].every((host) => host in services)).toBe(true);
    for (const { url } of Object.values(project.connections)) {
      expect(new URL(url).password).toBe(services['postgres']!.environment!['POSTGRES_PASSWORD']);
    }
  });

  it('gives the worker MySQL for a warehouse, where the variables say so that its comments name', async () => {
    const [set = []] = (await commands()).filter(([first]) => first === 'export');
    const env = Object.fromEntries(set.slice(1).map((word) => /^(\w+)=(.*)$/.exec(word)!.slice(1, 3))) as Record<
      string,
      string
    >;
    const { services } = await compose(env);
    expect(services['mysql']!.profiles).toContain(env['COMPOSE_PROFILES']);
    const url = new URL(services['worker']!.environment!['WAREHOUSE_URL']!);
    expect(url.protocol).toBe('mysql:');
    expect(url.hostname in services).toBe(true);
    expect(url.password).toBe(services['mysql']!.environment!['MYSQL_ROOT_PASSWORD']);
  });
});

describe('Dockerfile', () => {
  it('copies what there is and what the package ships, and runs the program that the package names', async () => {
    const dockerfile = await text('Dockerfile');
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, files = '']) =>
      files.split(' '),
    );
    for (const file of copied) expect(existsSync(join(ROOT, file)), file).toBe(true);
    const { files, bin, engines } = JSON.parse(await text('package.json')) as {
      files: string[];
      bin: { waybill: string };
      engines: { node: string };
    };
    // dist comes from the stage before; documentation and the changelog are for people.
    const needed = files.filter((file) => !['dist', 'docs', 'CHANGELOG.md'].includes(file));
    expect(copied).toEqual(expect.arrayContaining(needed));
    expect(dockerfile).toContain(`/waybill/${bin.waybill} /usr/local/bin/waybill`);
    const versions = [...dockerfile.matchAll(/^FROM node:(\d+)\.\d+\.\d+-bookworm-slim/gm)].map(([, major]) =>
      Number(major),
    );
    expect(versions).toHaveLength(dockerfile.match(/^FROM /gm)!.length);
    for (const major of versions) expect(major).toBeGreaterThan(Number(/\d+/.exec(engines.node)![0]));
    const [, command = '[]'] = /^CMD (.*)$/m.exec(dockerfile) ?? [];
    expect((await run([...(JSON.parse(command) as string[]), '--help'])).exitCode).toBe(0);
  });
});

// psql comes with the system's PostgreSQL 15 only; in CI it must be there.
describe.skipIf(systemPostgres15() === undefined)('the commands of docker-compose.yml on PostgreSQL 15', () => {
  let server: PostgresServer;
  let temporal: FreshNamespace;
  const spawned: Spawned[] = [];
  beforeAll(async () => (server = await startPostgres({ version: '15', settings: { fsync: 'off' } })));
  afterAll(async () => {
    for (const { child, answer } of spawned) {
      child.kill('SIGTERM');
      await answer;
    }
    await temporal?.release();
    await server.stop();
  });

  const inContainer = (given: string): string => given.replaceAll('/schema/', join(ROOT, 'examples/flights/schema/'));
  const psql = async (database: string, ...args: string[]): Promise<string> => {
    const always = [server.url(database), '-X', '-q', '-v', 'ON_ERROR_STOP=1'];
    return (await promisify(execFile)(join(systemPostgres15()!, 'psql'), [...always, ...args.map(inContainer)])).stdout;
  };

  it('load what docker/postgres.sql puts into the source, and what a day adds', { timeout: 240_000 }, async () => {
    const file = join(server.directory, 'script.sql');
    await writeFile(file, inContainer(await text('docker/postgres.sql')));
    await psql('postgres', '-f', file);

    const urls = { SOURCE_URL: server.url('source'), WAREHOUSE_URL: server.url('warehouse') };
    temporal = await freshNamespace();
    const { address, namespace } = temporal;
    const env = { ...process.env, ...urls, TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace };
    const at = { env, cwd: join(ROOT, 'examples/flights') };
    const worker = spawnCli([compiledCli()], ['worker'], at);
    spawned.push(worker);
    await until(() => Promise.resolve(worker.said().includes('the worker polls')));

    /** One of its commands, without Docker; of a run the rows of each load. */
    const act = async (words: string[]): Promise<unknown> => {
      const line = words.join(' ');
      if (line.startsWith('docker compose run --rm worker ')) {
        const answer = await run([...words.slice(5), '--json'], at);
        expect(answer).toMatchObject({ exitCode: 0 });
        const { loads } = document(answer) as { loads: { load: string; rows_written: number }[] };
        return Object.fromEntries(loads.map(({ load, rows_written }) => [load, rows_written]));
      }
      const [, database] = /^docker compose exec postgres psql -U postgres (\w+) /.exec(line) ?? [];
      return database === undefined ? line : psql(database, ...words.slice(7));
    };

    const [up, first, views, look, day, second, ...mysql] = await commands();
    expect(await act(up!)).toBe('docker compose up --build -d --wait');
    expect(await act(first!)).toMatchObject({ 'acquisition.flight': 20_000, 'acquisition.airport': 16 });
    await act(views!);
    expect(await act(look!)).toMatch(/ average_delay_minutes[^]*\(20 rows\)/);
    await act(day!);
    expect(await act(second!)).toMatchObject({ 'acquisition.flight': 1_000, 'core.flight': 1_000 });
    expect(mysql.map(([word]) => word)).toEqual(['export', 'docker', 'docker']);

    const counts = `select count(*), count(distinct flight_id), min(origin_state) is not null, max(flight_day) from core.flight`;
    expect(await psql('warehouse', '-Atc', counts)).toBe('21000|21000|t|2026-01-21\n');
    const odd =
      'select from flight where origin = destination or distance not between 90 and 2800 or delay not between -20 and 180';
    expect(await psql('source', '-Atc', `select count(*) from (${odd}) f`)).toBe('0\n');
  });
});
