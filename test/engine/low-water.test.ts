/** Claims stay cheap though nothing can be cleaned up behind them: somebody's old snapshot is open elsewhere. */
import { afterEach, describe, expect, test } from 'vitest';
import { describeOn, mysqlServers } from '../mysql-servers.ts';
import { oneOf } from '../seed.ts';
import { servers } from '../servers.ts';
import { TASK, VEHICLES } from './vehicles.ts';
import { ended, until, World } from './world.ts';

const DONE = 20_000;
const PENDING = 1_000;

describe.each(oneOf(servers, import.meta.url))('claims on $name', { timeout: 180_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('do not walk over the chunks that are done, however many an old snapshot keeps vacuum from', async () => {
    world = await World.create(
      server,
      VEHICLES(DONE + PENDING, {
        range: '{ of: core.vehicle.id, step: 1 }',
        lanes: 1,
        sql: `select pg_advisory_xact_lock_shared(42) where :from = 1;
              update core.vehicle set seen = seen + 1 where id >= :from and id < :to`,
      }),
    );
    const { warehouse } = world;
    await warehouse.query('select pg_advisory_lock(42)');
    await world.worker();
    const handle = await world.start(TASK);
    const waits = `select from pg_locks where locktype = 'advisory' and not granted
      and database = (select oid from pg_database where datname = current_database())`;
    await until(async () => (await warehouse.query(waits)).rowCount === 1, 90);
    // All but the first of them are done by somebody else, as if by other lanes, and their entries in the index stay.
    const old = await world.another('warehouse');
    await old.query('begin isolation level repeatable read; select count(*) from waybill.chunk');
    const { rowCount } = await warehouse.query(`
      update waybill.chunk set state = 'done', row_count = 1, worker = 'w', started_at = now(), finished_at = now()
      where n between 2 and ${DONE}`);
    expect(rowCount).toBe(DONE - 1);
    const before = await blocksOfChunk(world);
    await warehouse.query('select pg_advisory_unlock(42)');
    expect(await ended(handle)).toMatchObject({ ok: true, result: { chunks: DONE + PENDING } });
    // What a lane has looked at is told when its connection ends, at the latest.
    const lanes = `select from pg_stat_activity where application_name like 'waybill% lane %' and datname = current_database()`;
    await until(async () => (await warehouse.query(lanes)).rowCount === 0);
    const claims = PENDING + 1;
    expect(((await blocksOfChunk(world)) - before) / claims, 'blocks a chunk').toBeLessThan(200);
    await old.query('commit');
  });
});

// MariaDB does not count them by default.
const counting = (await mysqlServers()).filter(({ flavour }) => flavour === 'MySQL');

describeOn(counting, 'claims on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test(
    'of many lanes do not walk over all that the others have done since they looked',
    { timeout: 180_000 },
    async () => {
      const chunks = 3_000;
      world = await World.create(server, VEHICLES(chunks, { range: '{ of: core.vehicle.id, step: 1 }', lanes: 8 }));
      // The server keeps the first 10,000 statements that it sees, and counts all later ones as one: in a whole run they are used up.
      await world.rows('truncate table performance_schema.events_statements_summary_by_digest');
      await world.worker({ mostShared: 64 });
      expect(await world.run(TASK)).toMatchObject({ ok: true, result: { chunks } });
      const [claims] = await world.rows<{ n: number; examined: number }>(
        `select sum(count_star) as n, sum(sum_rows_examined) as examined
       from performance_schema.events_statements_summary_by_digest
       where digest_text like '%SKIP LOCKED' and digest_text like '%${world.names.prefix}waybill%'`,
      );
      expect(Number(claims!.n)).toBeGreaterThan(chunks / 64);
      expect(Number(claims!.examined) / Number(claims!.n), 'rows a claim').toBeLessThan(250);
    },
  );
});

/** Blocks that were looked at for the table and its indexes so far. */
async function blocksOfChunk(world: World): Promise<number> {
  await world.warehouse.query('select pg_stat_force_next_flush()');
  return Number(
    await world.value(`
      select heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit from pg_statio_user_tables
      where relid = 'waybill.chunk'::regclass`),
  );
}
