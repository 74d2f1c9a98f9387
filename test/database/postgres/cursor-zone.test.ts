/** Where windows of a `timestamp` without zone end, by the zone of the role. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PostgresDatabase } from '../../../src/database/postgres/database.ts';
import type { Session } from '../../../src/database/dialect.ts';
import { raw, sql } from '../../../src/database/sql.ts';
import { freshDatabase, servers, type FreshDatabase } from '../../servers.ts';

const DAY_MS = 86_400_000;

describe.each(servers)('the clock of a role with a time zone of its own on $name', (server) => {
  let fresh: FreshDatabase;
  let database: PostgresDatabase;
  let session: Session;
  beforeEach(async () => {
    fresh = await freshDatabase(server);
    const at = { name: 'source', url: fresh.url, scheme: 'postgres', maxConnections: 4, controlSchema: 'waybill' };
    database = new PostgresDatabase(at as ConstructorParameters<typeof PostgresDatabase>[0]);
    session = await database.openSession('waybill read item');
    await session.query(sql`create table item (at timestamp, day date)`);
  });
  afterEach(async () => {
    await session.close();
    await database.close();
    await fresh.drop();
  });

  /** How far ahead of UTC, in minutes, a window ends. */
  async function ahead(zone: string, lagMs: number): Promise<number> {
    await session.query(sql`set timezone = ${raw(`'${zone}'`)}`);
    const [column] = (await database.dialect.describeTable(database, 'item'))!.columns;
    const end = await database.dialect.windowEnd(session, 'item', column!, 'time', { lagMs, until: null });
    const { rows } = await session.query<{ utc: string }>(sql`
      select (clock_timestamp() at time zone 'UTC')::text as utc`);
    return Math.round((Date.parse(`${end}Z`) + lagMs - Date.parse(`${rows[0]!.utc}Z`)) / 60_000) + 0; // no -0
  }

  test.each([
    { zone: 'UTC', minutes: 0 },
    { zone: 'Europe/Berlin', minutes: 60 },
    { zone: 'America/St_Johns', minutes: -210 },
    { zone: 'Australia/Sydney', minutes: 600 },
    { zone: 'Africa/Casablanca', minutes: 0 }, // an hour ahead, but in Ramadan
    { zone: 'AAA-1BBB-0,J45,J80', minutes: 0 }, // an hour ahead, but from the middle of February for five weeks
  ])('ends a window where no later clock of $zone will go back behind it', async ({ zone, minutes }) => {
    expect([await ahead(zone, 0), await ahead(zone, 3 * DAY_MS)]).toEqual([minutes, minutes]);
  });
});
