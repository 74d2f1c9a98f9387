import { withClient } from '../connect.ts';
import { number } from './terminal.ts';

/** One claim about the tables, checked with plain SQL. */
export interface Proof {
  claim: string;
  holds: boolean;
  found: string;
}

/** The same text for a flight on both sides: any lost, doubled or changed value changes the sum. */
const checksum = (delay: string, date: string, distance: string): string =>
  `sum(hashtextextended(concat_ws('|', flight_id, ${date}, ${delay}, ${distance}, origin, destination), 0)::numeric)::text`;

const SOURCE = `
  select count(*)::text as flights, count(distinct flight_id)::text as ids, ${checksum('delay', 'date', 'distance')} as checksum
  from flight`;

const CORE = `
  select count(*)::text as flights, count(distinct flight_id)::text as ids,
         ${checksum('delay_minutes', 'departs_at', 'distance_miles')} as checksum
  from core.flight`;

/** Proves with plain SQL, asking neither Waybill nor Temporal, that every flight of the source is in core exactly once. */
export async function prove(sourceUrl: string, warehouseUrl: string): Promise<Proof[]> {
  type Sums = Record<'flights' | 'ids' | 'checksum', string>;
  const [[source], [core], [rest]] = await Promise.all([
    ask<Sums>(sourceUrl, SOURCE),
    ask<Sums>(warehouseUrl, CORE),
    ask<Record<'landed' | 'snapshots' | 'counted', string>>(
      warehouseUrl,
      `select (select count(*) from acq.flight)::text as landed,
              (select count(*) from pg_class where relname like '%\\_processing')::text as snapshots,
              (select coalesce(sum(flights), 0) from services.route_delay_by_day)::text as counted`,
    ),
  ]);
  const n = (text: string | undefined): string => number(BigInt(text ?? 0));
  return [
    {
      claim: 'every flight of the source is in core.flight',
      holds: source!.flights === core!.flights,
      found: `${n(source!.flights)} and ${n(core!.flights)}`,
    },
    {
      claim: 'none is there twice',
      holds: core!.ids === core!.flights,
      found: `${n(core!.ids)} different`,
    },
    {
      claim: 'each with the values of the source',
      holds: source!.checksum === core!.checksum,
      found: `checksums ${source!.checksum} and ${core!.checksum}`,
    },
    {
      claim: 'each is counted once in services.route_delay_by_day',
      holds: rest!.counted === core!.flights,
      found: n(rest!.counted),
    },
    {
      claim: 'nothing is left in the landing table, and no snapshot',
      holds: rest!.landed === '0' && rest!.snapshots === '0',
      found: `${n(rest!.landed)} and ${n(rest!.snapshots)}`,
    },
  ];
}

/** The rows of one query. */
export function ask<T>(url: string, sql: string): Promise<T[]> {
  return withClient(url, async (client) => {
    await client.query(`set max_parallel_workers_per_gather = 2; set work_mem = '128MB'; set datestyle = 'ISO'`);
    return (await client.query(sql)).rows as T[];
  });
}
