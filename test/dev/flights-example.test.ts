import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addNewFlights, fillSource } from '../../examples/flights/fill-source.ts';
import { loadProject } from '../../src/config/load-project.ts';
import { compiledCli, freshDatabase, freshNamespace, servers, temporalAddress } from '../servers.ts';
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
      const env = {
        ...process.env,
        SOURCE_URL: as(source, 'flights_reader'),
        WAREHOUSE_URL: as(warehouse, 'flights_loader'),
        TEMPORAL_ADDRESS: temporalAddress(),
        TEMPORAL_NAMESPACE: await freshNamespace(),
      };
      const at = { env, cwd: fileURLToPath(EXAMPLE) };
      expect(await run(['validate'], at)).toMatchObject({ exitCode: 0, stderr: '' });
      const worker = spawnCli([compiledCli()], ['worker'], at);
      await until(() => Promise.resolve(worker.said().includes('the worker polls')));
      const answer = await run(['run', 'nightly', '--json'], at);
      worker.child.kill('SIGTERM');
      await worker.answer;
      expect(answer).toMatchObject({ exitCode: 0 });
      const { loads } = document(answer) as { loads: { load: string; rows_written: number }[] };
      expect(loads.find(({ load }) => load === 'core.flight')?.rows_written).toBe(4_376);
    } finally {
      for (const client of clients) await client.end();
      await warehouse.drop();
      await source.drop();
    }
  });
});
