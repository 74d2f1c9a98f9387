import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { withClient } from './connect.ts';
import { AIRPORTS_CSV, FLIGHT_COLUMNS, flightCopyData } from './flight-rows.ts';

export interface FillOptions {
  /** How many flights, from the first of January 2001 on. Default: all 3,000,000. */
  flights?: number;
  onProgress?: (flights: number) => void;
}

/**
 * Makes the tables of `schema/source.sql` in an empty database and fills them: real flights of 2001 and the airports of the
 * United States. One transaction; 3,000,000 flights take about 4 s (2 cores, fsync on): the rows are written frozen, and the
 * primary key is made when they are there.
 */
export async function fillSource(
  url: string,
  options: FillOptions = {},
): Promise<{ flights: number; airports: number }> {
  const schema = await readFile(new URL('schema/source.sql', import.meta.url), 'utf8');
  return transaction(url, async (client) => {
    await client.query(schema);
    const copied = client.query(copyFrom(`copy flight (${FLIGHT_COLUMNS}) from stdin with (format binary, freeze)`));
    let flights = 0;
    const pieces = async function* (): AsyncGenerator<Buffer> {
      for await (const { bytes, rows } of flightCopyData(options.flights)) {
        yield bytes;
        flights += rows;
        options.onProgress?.(flights);
      }
    };
    await pipeline(Readable.from(pieces(), { objectMode: false, highWaterMark: 4 * 1024 * 1024 }), copied);
    await client.query('alter table flight add primary key (flight_id)');
    const airports = await fillAirports(client);
    await client.query('analyze flight, airport');
    return { flights, airports };
  });
}

/**
 * A new day in the source: `count` flights on the day after the last one, each on the route, at the time of day and with
 * the delay of a flight that was there. The same source, count and seed give the same flights.
 */
export async function addNewFlights(
  url: string,
  count: number,
  seed: number,
): Promise<{ flights: number; day: string }> {
  return transaction(url, async (client) => {
    const { rows } = await client.query<{ day: string; highest: string }>(
      'select (max(date)::date + 1)::text as day, max(flight_id) as highest from flight',
    );
    const { day, highest } = rows[0]!;
    const { rowCount } = await client.query(
      `insert into flight (date, delay, distance, origin, destination)
       select $1::date + f.date::time, f.delay, f.distance, f.origin, f.destination
       from generate_series(1, $2::bigint) as n
       join flight f on f.flight_id = 1 + abs(hashint8extended(n, $3::bigint) % $4::bigint)
       order by f.date::time, n`,
      [day, count, seed, highest],
    );
    return { flights: rowCount ?? 0, day };
  });
}

/** The file knows no time of change: every airport was last changed long before today's load. */
async function fillAirports(client: Client): Promise<number> {
  await client.query(`alter table airport alter column updated_at set default '2001-01-01 00:00:00+00'`);
  await pipeline(
    createReadStream(AIRPORTS_CSV),
    client.query(
      copyFrom('copy airport (iata, name, city, state, country, latitude, longitude) from stdin (format csv, header)'),
    ),
  );
  await client.query('alter table airport alter column updated_at set default now()');
  const { rows } = await client.query<{ count: number }>('select count(*)::int as count from airport');
  return rows[0]!.count;
}

function transaction<T>(url: string, body: (client: Client) => Promise<T>): Promise<T> {
  return withClient(url, async (client) => {
    await client.query('begin');
    const result = await body(client);
    await client.query('commit');
    return result;
  });
}
