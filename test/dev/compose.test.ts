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
import { run } from '../cli/command-line.ts';

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
  depends_on?: Record<string, { condition: string }>;
}

/** The file as compose reads it where no variable is set: `${NAME:-default}` is its default. */
async function compose(): Promise<{ services: Record<string, Service>; volumes: Record<string, null> }> {
  const filled = (await text('docker-compose.yml')).replace(/\$\{\w+:-([^}]*)\}/g, '$1');
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
    });
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
describe.skipIf(systemPostgres15() === undefined)('docker/postgres.sql on PostgreSQL 15', () => {
  let server: PostgresServer;
  beforeAll(async () => (server = await startPostgres({ version: '15', settings: { fsync: 'off' } })));
  afterAll(() => server.stop());

  it('makes the databases of the example, with its tables', async () => {
    const psql = async (url: string, ...args: string[]): Promise<string> =>
      (
        await promisify(execFile)(join(systemPostgres15()!, 'psql'), [
          url,
          '-X',
          '-q',
          '-v',
          'ON_ERROR_STOP=1',
          ...args,
        ])
      ).stdout;
    const script = (await text('docker/postgres.sql')).replaceAll('/schema/', join(ROOT, 'examples/flights/schema/'));
    const file = join(server.directory, 'script.sql');
    await writeFile(file, script);
    await psql(server.url(), '-f', file);
    expect(await psql(server.url('warehouse'), '-Atc', `select count(*) from core.flight`)).toBe('0\n');
    expect(await psql(server.url('source'), '-Atc', `select count(*) from flight`)).toBe('0\n');
  });
});
