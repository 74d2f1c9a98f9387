import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addNewFlights, fillSource } from '../../examples/flights/fill-source.ts';
import { loadProject } from '../../src/config/load-project.ts';
import { freshDatabase, servers } from '../servers.ts';
import type { FreshDatabase } from '../servers.ts';

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
