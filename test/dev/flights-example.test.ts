import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import mysql from 'mysql2/promise';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addNewFlights, fillSource } from '../../examples/flights/fill-source.ts';
import { loadProject } from '../../src/config/load-project.ts';
import { startMysql } from '../../src/dev/mysql-server.ts';
import { describeOn, ownServers } from '../mysql-servers.ts';
import { oneOf } from '../seed.ts';
import { compiledCli, freshDatabase, servers } from '../servers.ts';
import { freshNamespace } from '../temporal-servers.ts';
import type { FreshDatabase } from '../servers.ts';
import { document, run, spawnCli } from '../cli/command-line.ts';
import { until } from '../engine/world.ts';

const EXAMPLE = new URL('../../examples/flights/', import.meta.url);

describe('the example project', () => {
  it.each(['postgres://u:p@localhost/warehouse', 'mysql://u:p@localhost/', 'mariadb://u:p@localhost/'])(
    'is without a fault at %s, and runs the loads in the order of their tables',
    async (url) => {
      const project = await loadProject(fileURLToPath(EXAMPLE), {
        env: { SOURCE_URL: 'postgres://u:p@localhost/source', WAREHOUSE_URL: url },
      });
      expect(project.warnings).toEqual([]);
      expect(Object.keys(project.loads).sort()).toEqual([
        'acquisition.airport',
        'acquisition.flight',
        'core.flight',
        'services.route_delay',
      ]);
      expect(project.sessions['nightly']?.dependencies).toMatchObject({
        'core.flight': ['acquisition.airport', 'acquisition.flight'],
        'services.route_delay': ['core.flight'],
      });
    },
  );
});

describe.each(servers)('the data of the example on $name', (server) => {
  let database: FreshDatabase;
  let client: Client;
  beforeAll(async () => {
    database = await freshDatabase(server);
    client = new Client({ connectionString: database.url });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await database.drop();
  });

  it('is the first flights of the file, each column as it stands there, and every airport', async () => {
    const progress: number[] = [];
    const filled = await fillSource(database.url, { flights: 60_000, onProgress: (flights) => progress.push(flights) });
    expect(filled).toEqual({ flights: 60_000, airports: 3_376 });
    expect(progress.at(-1)).toBe(60_000);

    const first = await client.query(
      'select flight_id, date::text, delay, distance, origin, destination from flight order by flight_id limit 2',
    );
    expect(first.rows).toEqual([
      { flight_id: '1', date: '2001-01-01 00:01:00', delay: 33, distance: 2176, origin: 'LAS', destination: 'PHL' },
      { flight_id: '2', date: '2001-01-01 00:01:00', delay: 19, distance: 215, origin: 'ATL', destination: 'SAV' },
    ]);
    const airport = await client.query(`select name, city, state, latitude from airport where iata = '53A'`);
    expect(airport.rows).toEqual([{ name: 'Dr. C.P. Savage, Sr.', city: 'Montezuma', state: 'GA', latitude: 32.302 }]);
    const unknown = await client.query('select from flight where origin not in (select iata from airport)');
    expect(unknown.rowCount).toBe(0);
  });

  it('grows by a new day, the same one for the same seed', async () => {
    const newDay = async (seed: number): Promise<unknown[]> => {
      expect((await addNewFlights(database.url, 500, seed)).flights).toBe(500);
      const { rows } = await client.query(
        'delete from flight where flight_id > 60000 returning date::text, delay, distance, origin, destination',
      );
      await client.query('alter table flight alter flight_id restart with 60001');
      return rows as unknown[];
    };
    const once = await newDay(1);
    expect(await newDay(1)).toEqual(once);
    expect(await newDay(2)).not.toEqual(once);
  });

  it('has its place in the warehouse, down to the views', async () => {
    const sql = (file: string): Promise<string> => readFile(new URL(`schema/${file}`, EXAMPLE), 'utf8');
    await client.query(await sql('warehouse.sql'));
    await client.query('create schema waybill; create table waybill.published_batch (batch_id bigint)');
    await client.query(await sql('views.sql'));
    await client.query(`
      insert into services.route_delay values (1, 'LAS', 'PHL', '2001-01-01', 2, 1, 30, 4352, 7),
        (2, 'LAS', 'PHL', '2001-01-01', 1, 1, 33, 2176, 8), (3, 'LAS', 'PHL', '2001-01-01', 1, 0, 0, 2176, 9)`);
    await client.query('insert into waybill.published_batch values (7), (8)');
    const { rows } = await client.query(
      'select flights, late_flights, average_delay_minutes from services.route_delay_by_day',
    );
    expect(rows).toEqual([{ flights: '3', late_flights: '2', average_delay_minutes: '21.0' }]);
  });
});

/** Validates the example for these databases, and has a worker for `work`. `nightly` runs the session; the rows that core.flight wrote. */
async function withWorker(
  urls: Record<'SOURCE_URL' | 'WAREHOUSE_URL', string>,
  work: (nightly: () => Promise<number | undefined>) => Promise<void>,
): Promise<void> {
  const { address, namespace, release } = await freshNamespace();
  const temporal = { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace };
  const at = { env: { ...process.env, ...urls, ...temporal }, cwd: fileURLToPath(EXAMPLE) };
  expect(await run(['validate'], at)).toMatchObject({ exitCode: 0, stderr: '' });
  const worker = spawnCli([compiledCli()], ['worker'], at);
  try {
    await until(() => Promise.resolve(worker.said().includes('the worker polls')));
    await work(async () => {
      const answer = await run(['run', 'nightly', '--json'], at);
      expect(answer).toMatchObject({ exitCode: 0 });
      const { loads } = document(answer) as { loads: { load: string; rows_written: number }[] };
      return loads.find(({ load }) => load === 'core.flight')?.rows_written;
    });
  } finally {
    worker.child.kill('SIGTERM');
    await worker.answer;
    await release();
  }
}

describe.each(servers.slice(-1))('the session of the example on $name', (server) => {
  it('runs with the rights of docs/postgresql.md, and no more', { timeout: 240_000 }, async () => {
    const text = await readFile(new URL('../../docs/postgresql.md', import.meta.url), 'utf8');
    const [, grants = ''] = /```sql\n([^]*?)```/.exec(text) ?? [];
    const [onSource = '', onWarehouse = ''] = grants.split('-- on the warehouse\n');
    const source = await freshDatabase(server);
    const warehouse = await freshDatabase(server);
    // Roles are the server's: names of this test's own.
    const own = (name: string): string => name.replaceAll('flights_', source.prefix);
    const as = (database: FreshDatabase, role: string): string => {
      const url = new URL(database.url);
      url.username = own(role);
      url.password = '…';
      return url.href;
    };
    const clients = await Promise.all(
      [source, warehouse].map(async ({ url }) => {
        const client = new Client({ connectionString: url });
        await client.connect();
        return client;
      }),
    );
    try {
      await fillSource(source.url, { flights: 1_000 });
      await clients[0]!.query(own(onSource));
      await clients[1]!.query(await readFile(new URL('schema/warehouse.sql', EXAMPLE), 'utf8'));
      await clients[1]!.query(own(onWarehouse));
      const urls = { SOURCE_URL: as(source, 'flights_reader'), WAREHOUSE_URL: as(warehouse, 'flights_loader') };
      await withWorker(urls, async (nightly) => expect(await nightly()).toBe(4_376));
    } finally {
      for (const client of clients) await client.end();
      await warehouse.drop();
      await source.drop();
    }
  });
});

// On a server of its own: the example's databases and accounts are called as they are called.
describeOn(oneOf(await ownServers(), import.meta.url), 'the session of the example on $name', ({ flavour }) => {
  it('runs with the rights of docs/mysql.md, and no more', { timeout: 240_000 }, async () => {
    const text = await readFile(new URL('../../docs/mysql.md', import.meta.url), 'utf8');
    const [, grants = ''] = /```sql\n([^]*?)```/.exec(text) ?? [];
    const [onMysql = '', onMariadb = '', onWarehouse = ''] = grants.split(/^-- on .*\n/m).slice(1);
    const server = await startMysql({ flavour, settings: { 'log-bin': 'binlog', 'server-id': '7' } });
    const client = await mysql.createConnection({
      uri: server.url().replace(/^mariadb:/, 'mysql:'),
      multipleStatements: true,
    });
    const as = (account: string, database: string): string => {
      const url = new URL(server.url(database));
      Object.assign(url, { username: account, password: '…' });
      return url.href;
    };
    try {
      await client.query(SOURCE_ON_MYSQL);
      await client.query(await readFile(new URL('schema/warehouse.mysql.sql', EXAMPLE), 'utf8'));
      await client.query(flavour === 'MySQL' ? onMysql : onMariadb);
      await client.query(onWarehouse);
      const urls = { SOURCE_URL: as('flights_reader', 'public'), WAREHOUSE_URL: as('flights_loader', 'acq') };
      await withWorker(urls, async (nightly) => {
        for (const written of [520, 20]) {
          expect(await nightly()).toBe(written);
          await client.query(MORE_ON_MYSQL);
        }
      });
    } finally {
      await client.end();
      await server.stop();
    }
  });
});

/** The tables of `schema/source.sql`: the example's loads read them as `public.flight` and `public.airport`. */
const SOURCE_ON_MYSQL = `
create database public character set utf8mb4;
create table public.flight (
  flight_id bigint not null auto_increment primary key, date datetime not null, delay int not null, distance int not null,
  origin varchar(10) not null, destination varchar(10) not null, recorded_at timestamp(6) not null default current_timestamp(6));
create table public.airport (
  iata varchar(10) primary key, name varchar(200) not null, city varchar(200), state varchar(10), country varchar(100) not null,
  latitude double not null, longitude double not null, updated_at timestamp(6) not null);
insert into public.airport
  with recursive n (n) as (select 1 union all select n + 1 from n where n < 20)
  select concat('A', n), 'An airport', null, 'NV', 'USA', n, n, '2001-01-01' from n;
insert into public.flight (date, delay, distance, origin, destination)
  with recursive n (n) as (select 1 union all select n + 1 from n where n < 500)
  select '2001-01-01 00:01:00', n % 60, 2176, concat('A', 1 + n % 20), concat('A', 1 + n % 7) from n`;
const MORE_ON_MYSQL = `
insert into public.flight (date, delay, distance, origin, destination)
  select '2001-01-02 00:01:00', delay, distance, origin, destination from public.flight limit 20`;
