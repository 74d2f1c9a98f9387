import { isMysql } from './database.ts';
import { number } from './terminal.ts';
import { ask } from './warehouse.ts';

/** One claim about the tables, checked with plain SQL. */
export interface Proof {
  claim: string;
  holds: boolean;
  found: string;
}

/** A flight as the source has it, and as core does. */
const SOURCE = { table: 'flight', date: 'date', delay: 'delay', distance: 'distance' };
const CORE = { table: 'core.flight', date: 'departs_at', delay: 'delay_minutes', distance: 'distance_miles' };

/** The same text for a flight on both sides: any lost, doubled or changed value changes the sum of their hashes. */
function sums({ table, date, delay, distance }: typeof SOURCE, url: string, warehouseUrl: string): string {
  const time = isMysql(url) ? `date_format(${date}, '%Y-%m-%d %H:%i:%s')` : `to_char(${date}, 'YYYY-MM-DD HH24:MI:SS')`;
  const text = `concat_ws('|', flight_id, ${time}, ${delay}, ${distance}, origin, destination)`;
  return `select count(*) as flights, count(distinct flight_id) as ids, sum(${hash(text, url, warehouseUrl)}) as checksum
          from ${table}`;
}

/** Both servers must know it: PostgreSQL's own is faster, where it is on both sides. */
function hash(text: string, url: string, warehouseUrl: string): string {
  if (isMysql(url)) return `cast(conv(left(sha2(${text}, 256), 15), 16, 10) as unsigned)`;
  if (isMysql(warehouseUrl))
    return `('x' || left(encode(sha256(convert_to(${text}, 'UTF8')), 'hex'), 15))::bit(60)::bigint::numeric`;
  return `hashtextextended(${text}, 0)::numeric`;
}

/** Proves with plain SQL, asking neither Waybill nor Temporal, that every flight of the source is in core exactly once. */
export async function prove(sourceUrl: string, warehouseUrl: string): Promise<Proof[]> {
  type Sums = Record<'flights' | 'ids' | 'checksum', string>;
  const [[source], [core], [rest]] = await Promise.all([
    ask<Sums>(sourceUrl, sums(SOURCE, sourceUrl, warehouseUrl)),
    ask<Sums>(warehouseUrl, sums(CORE, warehouseUrl, warehouseUrl)),
    ask<Record<'landed' | 'snapshots' | 'counted', string>>(
      warehouseUrl,
      `select (select count(*) from acq.flight) as landed,
              (select count(*) from information_schema.tables
               where table_schema = 'acq' and right(table_name, 11) = '_processing') as snapshots,
              (select coalesce(sum(flights), 0) from services.route_delay_by_day) as counted`,
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
      holds: BigInt(rest!.landed) === 0n && BigInt(rest!.snapshots) === 0n,
      found: `${n(rest!.landed)} and ${n(rest!.snapshots)}`,
    },
  ];
}
