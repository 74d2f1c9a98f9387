/** Flights in a warehouse, and the example's own SQL without Waybill around it. */
import { readFile } from 'node:fs/promises';
import type { Client } from 'pg';
import { fillSource } from '../examples/flights/fill-source.ts';
import type { BenchDatabase } from './servers.ts';

/** A file of the example. */
export const read = (file: string): Promise<string> =>
  readFile(new URL(`../examples/flights/${file}`, import.meta.url), 'utf8');

/** As many as the data set has; more are the same again, years later. */
const DISTINCT_FLIGHTS = 3_000_000;

/** The columns of a flight that an acquisition copies. */
export const VALUES = 'flight_id, date, delay, distance, origin, destination, recorded_at';

/** The same, as servers without time zones take them. */
export const VALUES_IN_UTC = VALUES.replace('recorded_at', "recorded_at at time zone 'UTC'");

/** Fills `public.flight` and `public.airport`. */
export async function fillFlights(database: BenchDatabase, rows: number): Promise<void> {
  const { flights } = await fillSource(database.url, { flights: Math.min(rows, DISTINCT_FLIGHTS) });
  for (let filled = flights, years = 1; filled < rows; filled += flights, years += 1) {
    await database.client.query(
      `insert into flight (date, delay, distance, origin, destination)
       select date + make_interval(years => $1), delay, distance, origin, destination
       from flight where flight_id <= $2 order by flight_id limit $3`,
      [years, flights, rows - filled],
    );
  }
  await database.client.query('vacuum (freeze, analyze) flight, airport');
}

/** The example's warehouse, and the same tables once more in the schema `bare`, for the reference. */
export async function makeWarehouse({ client }: BenchDatabase): Promise<void> {
  await client.query(await read('schema/warehouse.sql'));
  await client.query(`
    create schema bare;
    create table bare.landed (like acq.flight including all);
    create table bare.landed_airport (like acq.airport including all);
    create table bare.flight (like core.flight including all);
    create table bare.airport (like core.airport including all);`);
}

/** Fills `bare.landed` and `bare.landed_airport`: what every round's landing tables are made of. */
export async function fillLanded(database: BenchDatabase, rows: number): Promise<void> {
  await fillFlights(database, rows);
  await database.client.query(`
    insert into bare.landed
    select flight_id, date, delay, distance, origin, destination, recorded_at, 1, flight_id from flight order by flight_id;
    insert into bare.landed_airport
    select iata, name, city, state, country, latitude, longitude, updated_at, 1, row_number() over () from airport;
    drop table flight, airport`);
  await settle(database.client, 'bare.landed', 'bare.landed_airport');
}

/** The pages of the tables as any later reader finds them, and nothing left to write for a checkpoint during a run. */
export async function settle(client: Client, ...tables: string[]): Promise<void> {
  if (tables.length > 0) await client.query(`vacuum (freeze, analyze) ${tables.join(', ')}`);
  await client.query('checkpoint');
}

/** Values of `core.flight` that both sides must have made alike: all but the batch. */
export const FLIGHT_VALUES =
  'flight_id, flight_day, departs_at, origin, origin_state, destination, destination_state, delay_minutes, distance_miles';

/**
 * The statements of the example's core load over the tables in `bare`, as a person without Waybill would run them. `variant`: of
 * which files, `.mysql` for those that stand beside the others.
 */
export async function bareCore(variant = ''): Promise<{ airports: string; flights: (where?: string) => string }> {
  const [airports, flights] = await Promise.all([
    read(`loads/core/airports${variant}.sql`),
    read(`loads/core/flights${variant}.sql`),
  ]);
  const bare = (text: string, from: [string, string][]): string => {
    for (const [name, table] of from) {
      if (!text.includes(name)) throw new Error(`the example's SQL has no ${name} any more: change bench/flights.ts`);
      text = text.replaceAll(name, table);
    }
    return text.replaceAll(':batch_id', '1').replaceAll('into core.', 'into bare.');
  };
  return {
    airports: bare(airports, [['{{ acq.airport }}', 'bare.landed_airport']]),
    flights: (where = 'true') =>
      bare(flights, [
        ['{{ acq.flight }}', `(select * from bare.landed where ${where})`],
        ['{{ core.airport }}', 'bare.airport'],
      ]),
  };
}
