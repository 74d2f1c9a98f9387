/** Dumps beside the swap: what has locked its tables already, and what has yet to. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { lockTables } from '../../../../src/database/postgres/snapshot/lock-tables.ts';
import { until } from '../../../engine/world.ts';
import { inTurns } from '../../../every-server.ts';
import { servers } from '../../../servers.ts';
import { before, FLIGHT, Scene } from './scene.ts';

/** The server's own; that of another version refuses a newer server. */
const PG_DUMP = '/usr/lib/postgresql/15/bin/pg_dump';
const NOWAIT = 'begin; lock table acq.flight in access share mode nowait; rollback';
/** Whether somebody stands in line for the table to have it for himself. */
const IN_LINE = `select from pg_locks where not granted and relation = 'acq.flight'::regclass and mode = 'AccessExclusiveLock'`;

describe.each(servers)('a dump beside the swap on $name', (server) => {
  const turn = inTurns(import.meta.url, server, servers);
  let scene: Scene;
  afterEach(() => scene.close());

  const busy = {
    kind: 'busy',
    waitingFor: 'acq.flight',
    holders: [expect.objectContaining({ application: 'pg_dump' })],
  };

  turn('one that holds the table is waited for without standing in line: its workers lock it with NOWAIT', async () => {
    scene = await Scene.open(server);
    const [leader, worker] = [await scene.connect('pg_dump'), await scene.connect('another')];
    await leader.query('begin; lock table acq.flight in access share mode');
    await scene.client.query('begin');
    const locked = lockTables(scene.client, [FLIGHT], { lockTimeoutMs: 700 });
    for (let look = 0; look < 10; look += 1) {
      await worker.query(NOWAIT);
      await sleep(50);
    }
    expect(await locked).toMatchObject({ waitingFor: FLIGHT, holders: [{ application: 'pg_dump' }] });
    const next = lockTables(scene.client, [FLIGHT], { lockTimeoutMs: 20_000 });
    await sleep(200);
    await leader.end();
    expect(await next).toEqual({ locked: true });
    await scene.client.query('rollback');
  });

  turn('one that gets the table while we stand in line for it has us leave the line', async () => {
    scene = await Scene.open(server);
    const [writer, leader] = [await scene.connect('a writer'), await scene.connect('a tool')];
    await writer.query('begin; insert into acq.flight values (1)');
    await scene.withEngine(async (swap) => {
      const swapped = swap();
      await until(async () => ((await scene.client.query(IN_LINE)).rowCount === 1 ? true : undefined), 20);
      await leader.query(`set application_name = 'pg_dump'`);
      await leader.query('begin; lock table acq.flight in access share mode');
      await scene.client.query(NOWAIT);
      expect(await swapped).toEqual(busy);
      await scene.client.query(NOWAIT);
      await writer.query('commit');
      await leader.end();
      expect(await swap()).toEqual({ kind: 'swapped' });
    });
  });

  turn(
    'one that has yet to lock the table is waited for: it has seen it, and would dump the new one, empty',
    async () => {
      scene = await Scene.open(server);
      const holder = await scene.connect('a migration');
      const dump = await scene.connect('pg_dump');
      await scene.client.query('create table acq.airport ()');
      await dump.query('begin isolation level repeatable read; select count(*) from pg_class');
      await scene.withEngine(async (swap) => {
        expect(await swap()).toEqual(busy);
        // It stands in line for another of its tables.
        await holder.query('begin; lock table acq.airport in access exclusive mode');
        const locked = dump.query('lock table acq.airport, acq.flight in access share mode');
        expect(await swap()).toEqual(busy);
        await holder.query('rollback');
        await locked;
        expect(await swap()).toEqual(busy);
        await dump.end();
        expect(await swap()).toEqual({ kind: 'swapped' });
      });
    },
  );

  turn('one that comes while the table is being swapped undoes the swap', async () => {
    scene = await Scene.open(server);
    await scene.withEngine(async (swap, client) => {
      const dump = await scene.connect('a tool');
      before(client, /refuse_snapshot_write/, () => dump.query(`set application_name = 'pg_dump'`));
      expect(await swap()).toEqual(busy);
      expect((await scene.client.query(`select to_regclass('acq.flight_processing') as t`)).rows).toEqual([
        { t: null },
      ]);
      await dump.end();
      expect(await swap()).toEqual({ kind: 'swapped' });
    });
  });

  if (server.name === 'PostgreSQL 15' && existsSync(PG_DUMP)) {
    for (const workers of [0, 2]) {
      test(`a real one${workers > 0 ? ' with workers' : ''} that begins while the swap stands in line has every row`, async () => {
        scene = await Scene.open(server);
        const writer = await scene.connect('a writer');
        await scene.client.query('insert into acq.flight select generate_series(1, 100)');
        await writer.query('begin; insert into acq.flight values (101)');
        const folder = await mkdtemp(join(tmpdir(), 'dump-'));
        const dumped = join(folder, 'dump');
        await scene.withEngine(async (swap) => {
          const swapped = swap();
          await until(async () => ((await scene.client.query(IN_LINE)).rowCount === 1 ? true : undefined), 20);
          const how = workers > 0 ? ['-Fd', '-j', String(workers)] : ['-Fc'];
          const dump = promisify(execFile)(PG_DUMP, ['-d', scene.url, ...how, '-f', dumped]);
          await sleep(500);
          await writer.query('commit');
          let result = await swapped;
          while ((result as { kind: string }).kind !== 'swapped') result = await swap();
          await dump;
        });
        const { stdout } = await promisify(execFile)(PG_DUMP.replace('pg_dump', 'pg_restore'), [
          '-a',
          '-f',
          '-',
          dumped,
        ]);
        await rm(folder, { recursive: true });
        expect(stdout.split('\n').filter((line) => /^\d+\t/.test(line)).length).toBeGreaterThanOrEqual(100);
      });
    }
  }
});
