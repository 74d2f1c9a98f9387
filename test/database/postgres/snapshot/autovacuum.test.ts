/** A real autovacuum at work on the table, on servers of the test's own: its settings are the server's. */
import { Client } from 'pg';
import { afterEach, describe, expect } from 'vitest';
import { startPostgres, type PostgresServer } from '../../../../src/dev/postgres-server.ts';
import { lockTables } from '../../../../src/database/postgres/snapshot/lock-tables.ts';
import { until } from '../../../engine/world.ts';
import { inTurns } from '../../../every-server.ts';
import { servers } from '../../../servers.ts';

/** It looks every second, and then takes minutes for a few hundred pages. */
const SETTINGS = { fsync: 'off', autovacuum_naptime: '1s' };
const SLOWLY = `autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 1,
  autovacuum_vacuum_scale_factor = 0`;

const AT_WORK = `select pid from pg_stat_activity
where backend_type = 'autovacuum worker' and query like 'autovacuum: VACUUM%acq.flight%'`;

describe.each(servers)('an autovacuum on $name', ({ name }) => {
  const turn = inTurns(import.meta.url, { name }, servers);
  let server: PostgresServer;
  const clients: Client[] = [];
  afterEach(async () => {
    await Promise.allSettled(clients.splice(0).map((client) => client.end()));
    await server.stop();
  });

  async function connect(): Promise<Client> {
    const client = new Client({ connectionString: server.url() });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  }

  for (const wait of ['500ms', '2s']) {
    turn(`gives way to the swap, however long the server waits before it asks (${wait})`, async () => {
      const version = name === 'PostgreSQL 15' ? '15' : 'embedded';
      server = await startPostgres({ version, settings: { ...SETTINGS, deadlock_timeout: wait } });
      const [swap, writer] = [await connect(), await connect()];
      await writer.query(`create schema acq; create table acq.flight (id int, filler text) with (${SLOWLY});
      insert into acq.flight select g, repeat('x', 900) from generate_series(1, 4000) g; delete from acq.flight where id % 2 = 0`);
      const atWork = async (): Promise<number | undefined> =>
        (await writer.query<{ pid: number }>(AT_WORK)).rows[0]?.pid;
      const worker = await until(atWork, 60);

      await swap.query('begin');
      // A setting that is shorter than the server's deadlock_timeout would never get past it.
      expect(await lockTables(swap, [{ schema: 'acq', name: 'flight' }], { lockTimeoutMs: 400 })).toEqual({
        locked: true,
      });
      expect(await atWork()).not.toBe(worker);
      await swap.query('rollback');
    });
  }
});
