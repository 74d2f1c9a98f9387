import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, inject } from 'vitest';
import {
  lockTables,
  mayTryAgain,
  type LockOptions,
  type LockResult,
} from '../../../../src/database/postgres/snapshot/lock-tables.ts';
import { holdersOf } from '../../../../src/database/postgres/snapshot/lock-holders.ts';
import { snapshotRefusals } from '../../../../src/database/postgres/snapshot/refusals.ts';
import { swapTable } from '../../../../src/database/postgres/snapshot/swap.ts';
import { LoadFailedError } from '../../../../src/errors.ts';
import { inTurns } from '../../../every-server.ts';
import { servers } from '../../../servers.ts';
import { FLIGHT, Scene } from './scene.ts';

const AIRPORT = { schema: 'acq', name: 'airport' };
const BOTH = [AIRPORT, FLIGHT];

/** Each takes two seconds, in which nothing is done but to wait. */
const ROUNDS = inject('seed').all ? 3 : 1;

const LOCKS = `
select relation::regclass::text || ' ' || mode as lock from pg_locks
where pid = $1 and locktype = 'relation' and relation >= 16384 and mode <> 'AccessShareLock' order by 1`;

describe.each(servers)('locking tables on $name', (server) => {
  const turn = inTurns(import.meta.url, server, servers);
  let scene: Scene;
  let writer: Client;

  beforeEach(async () => {
    scene = await Scene.open(server);
    writer = await scene.connect('the writer');
    await scene.client.query('create table acq.airport (iata text)');
  });
  afterEach(() => scene.close());

  const locksOf = async (client: Client) => {
    const pid = (client as unknown as { processID: number }).processID;
    return (await writer.query<{ lock: string }>(LOCKS, [pid])).rows.map((row) => row.lock);
  };

  /** As the caller does: again and again, each time first for what was busy. */
  async function lockPatiently(options: LockOptions, tables = BOTH): Promise<{ attempts: number }> {
    let waitFirst: LockOptions['waitFirst'];
    for (let attempts = 1; attempts <= 40; attempts += 1) {
      const result = await lockTables(scene.client, tables, { ...options, waitFirst });
      if (result.locked) return { attempts };
      waitFirst = result.waitingFor;
    }
    throw new Error('never got the locks');
  }

  const busy = (result: LockResult) => {
    if (result.locked) throw new Error('locked');
    return result;
  };

  turn('takes all tables, their views, sequences and referenced tables, and keeps them until the end', async () => {
    await scene.client.query(`create table acq.country (id int primary key);
      alter table acq.flight add s serial, add k int generated always as identity, add foreign key (id) references acq.country;
      create view acq.v as select id from acq.flight; create view acq.vv as select * from acq.v`);
    await scene.client.query(`begin; set local lock_timeout = '7s'; set local search_path = acq`);
    expect(await lockTables(scene.client, BOTH, { lockTimeoutMs: 1000 })).toEqual({ locked: true });
    expect(await locksOf(scene.client)).toEqual([
      'acq.airport AccessExclusiveLock',
      'acq.country ShareRowExclusiveLock',
      'acq.flight AccessExclusiveLock',
      'acq.flight_k_seq AccessExclusiveLock',
      'acq.flight_s_seq AccessExclusiveLock',
      'acq.v AccessExclusiveLock',
    ]);
    const settings = await scene.client.query(
      `select current_setting('lock_timeout') as t, current_setting('search_path') as p`,
    );
    expect(settings.rows).toEqual([{ t: '7s', p: 'acq' }]);
    await scene.client.query('rollback');
  });

  turn('a reader that stays: says whom it waits for, holds nothing, and the transaction goes on', async () => {
    const reader = await scene.connect('a long report');
    await reader.query('begin; select * from acq.flight');
    await scene.client.query('begin; create table acq.mine (id int)');
    const started = Date.now();
    const result = busy(await lockTables(scene.client, [FLIGHT, AIRPORT], { lockTimeoutMs: 700 }));
    expect(Date.now() - started).toBeGreaterThanOrEqual(690);
    expect(Date.now() - started).toBeLessThan(2500);
    expect(result.waitingFor).toEqual(FLIGHT);
    expect(result.holders).toEqual([
      {
        pid: (reader as unknown as { processID: number }).processID,
        user: 'postgres',
        application: 'a long report',
        queryAgeSeconds: expect.any(Number) as number,
        waitsForUs: false,
      },
    ]);
    expect(result.holders[0]!.queryAgeSeconds).toBeGreaterThan(0.6);
    await writer.query(`insert into acq.flight values (1); insert into acq.airport values ('LHR')`);
    expect(await locksOf(scene.client)).toHaveLength(1); // acq.mine, which others cannot name yet
    await scene.client.query('commit');
    expect((await writer.query('select from acq.mine')).rowCount).toBe(0);
  });

  turn('busy further on: lets go of the first, and waits for the busy one next time', async () => {
    await writer.query('begin; insert into acq.flight values (1)');
    await scene.client.query('begin');
    const result = busy(await lockTables(scene.client, BOTH, { lockTimeoutMs: 5000 }));
    expect(result.waitingFor).toEqual(FLIGHT);
    expect(result.holders).toHaveLength(1);
    expect(await locksOf(scene.client)).toEqual([]);
    const next = lockTables(scene.client, BOTH, { lockTimeoutMs: 5000, waitFirst: result.waitingFor });
    await sleep(300);
    await writer.query(`insert into acq.airport values ('free, while we wait for flight'); commit`);
    expect(await next).toEqual({ locked: true });
    await scene.client.query('rollback');
  });

  const CROSSING: { title: string; setUp: string; first: string; second: string }[] = [
    {
      title: 'both tables, in the opposite order',
      setUp: '',
      first: `insert into acq.flight values (1)`,
      second: `insert into acq.airport values ('a')`,
    },
    {
      title: 'both tables, in our order',
      setUp: '',
      first: `insert into acq.airport values ('a')`,
      second: `insert into acq.flight values (1)`,
    },
    {
      title: 'a view, then the table',
      setUp: `create view acq.v as select id from acq.flight where id = 0; create view acq.w as select 1 from acq.v`,
      first: `select * from acq.w`,
      second: `insert into acq.flight values (1)`,
    },
    {
      title: 'the table, then a view',
      setUp: `create view acq.v as select id from acq.flight`,
      first: `insert into acq.flight values (1)`,
      second: `select * from acq.v`,
    },
    {
      title: 'nextval, then the table',
      setUp: `alter table acq.flight add s serial`,
      first: `select nextval('acq.flight_s_seq')`,
      second: `insert into acq.flight values (1)`,
    },
    {
      title: 'nextval of an identity, then the table',
      setUp: `alter table acq.flight add s int generated by default as identity`,
      first: `select nextval('acq.flight_s_seq')`,
      second: `insert into acq.flight values (1)`,
    },
    {
      title: 'a referenced table, then the table',
      setUp: `create table acq.country (id int primary key); alter table acq.flight add c int references acq.country`,
      first: `insert into acq.country select count(*) + 1 from acq.country`,
      second: `insert into acq.flight (c) values (null)`,
    },
  ];

  for (const { title, setUp, first, second } of CROSSING) {
    turn(`a transaction over ${title}, is not killed`, async () => {
      await scene.client.query(setUp);
      for (let round = 0; round < ROUNDS; round += 1) {
        await writer.query('begin');
        await writer.query(first);
        await scene.client.query('begin');
        const locked = lockPatiently({ lockTimeoutMs: 1500 });
        await sleep(200);
        // Longer than deadlock_timeout (500 ms here): a deadlock would be found, and somebody killed.
        await writer.query(second);
        await sleep(600);
        await writer.query('commit');
        await locked;
        // And whoever comes while we hold all waits for the end, and no longer.
        await writer.query('begin');
        const waiting = [writer.query(first), writer.query(second)];
        await sleep(700);
        await swapTable(scene.client, FLIGHT, { processingName: 'flight_processing', controlSchema: 'waybill' });
        await scene.client.query('commit');
        await Promise.all(waiting);
        await writer.query('rollback');
        await scene.client.query('drop table acq.flight_processing');
      }
    });
  }

  turn('maintenance that holds SHARE UPDATE EXCLUSIVE, as VACUUM and ANALYZE do, is waited for', async () => {
    await writer.query('begin; lock table acq.flight in share update exclusive mode');
    await scene.client.query('begin');
    expect(busy(await lockTables(scene.client, [FLIGHT], { lockTimeoutMs: 300 })).holders).toHaveLength(1);
    const locked = lockPatiently({ lockTimeoutMs: 300 }, [FLIGHT]);
    await sleep(1200); // each try takes 750 ms: longer than the server's deadlock_timeout of 500 ms
    await writer.query('commit');
    expect((await locked).attempts).toBeGreaterThan(1);
    await scene.client.query('rollback');
  });

  turn('the temporary view of a session is waited for, though it holds no lock, and its session is named', async () => {
    const analyst = await scene.connect('an analyst');
    await analyst.query('create temporary view peek as select id from acq.flight');
    expect(await snapshotRefusals(scene.client, FLIGHT)).toEqual([]);
    await scene.client.query('begin');
    const result = busy(await lockTables(scene.client, BOTH, { lockTimeoutMs: 300 }));
    expect(result.waitingFor).toMatchObject({ name: 'peek', schema: expect.stringMatching(/^pg_temp_\d+$/) as string });
    // Before PostgreSQL 16 it may be any session of the view's owner.
    const sure = server.name !== 'PostgreSQL 15';
    const one = [(analyst as unknown as { processID: number }).processID, `${sure ? '' : 'perhaps; '}an analyst`];
    for (const holders of [result.holders, await holdersOf(scene.client, FLIGHT)]) {
      const named = holders.map(({ pid, application }) => [pid, application]);
      expect(sure ? named : named.filter(([pid]) => pid === one[0])).toEqual([one]);
    }
    await writer.query('insert into acq.flight values (1)');

    const locked = lockTables(scene.client, BOTH, { lockTimeoutMs: 5000 });
    await sleep(300);
    await writer.query('insert into acq.flight values (2)');
    await analyst.query('drop view peek');
    expect(await locked).toEqual({ locked: true });
    await scene.client.query('rollback');
  });

  turn('an index that is rebuilt CONCURRENTLY is waited for, named, and not broken off by our wait', async () => {
    await scene.client.query('create index i on acq.flight (id)');
    const maintenance = await scene.connect('maintenance');
    await writer.query('begin; insert into acq.flight values (1)');
    const rebuilt = maintenance.query('reindex index concurrently acq.i');
    rebuilt.catch(() => undefined);
    const invalid = `select from pg_index where indrelid = 'acq.flight'::regclass and not indisvalid`;
    while ((await scene.client.query(invalid)).rowCount === 0) await sleep(20);
    expect(await snapshotRefusals(scene.client, FLIGHT)).toEqual([]);

    // It waits for the writer, then for all that began before, and so for us: 500 ms later it would be ended for a deadlock.
    await scene.client.query('begin');
    const locked = lockTables(scene.client, [FLIGHT], { lockTimeoutMs: 3000 });
    await sleep(600);
    await writer.query('commit');
    const result = busy(await locked);
    expect(result.holders).toMatchObject([{ application: 'maintenance', waitsForUs: true }]);
    expect(mayTryAgain(result)).toBe(false);
    await scene.client.query('rollback');
    await rebuilt;
    await scene.swap();
  });

  turn('what a broken-off REINDEX CONCURRENTLY has left is refused, with advice to drop it', async () => {
    await scene.client.query('create index i on acq.flight (id)');
    await writer.query('begin; insert into acq.flight values (1)');
    await scene.client.query(`set statement_timeout = '300ms'`);
    await expect(scene.client.query('reindex index concurrently acq.i')).rejects.toThrow('statement timeout');
    await scene.client.query('reset statement_timeout');
    const next = 'A reindex concurrently that broke off has left it: drop index acq.i_ccnew';
    expect(await snapshotRefusals(scene.client, FLIGHT)).toEqual([{ reason: 'index acq.i_ccnew is not valid', next }]);
    await writer.query('rollback');
  });

  turn('a view that is made while we wait is locked too', async () => {
    await writer.query('begin; create view acq.late as select id from acq.flight');
    await scene.client.query('begin');
    const locked = lockTables(scene.client, BOTH, { lockTimeoutMs: 3000, waitFirst: FLIGHT });
    await sleep(300);
    await scene.connect('x').then((other) => other.query('select 1'));
    await writer.query('commit');
    // The wait is for AccessShareLock of the view's maker; the second look finds the view.
    expect(await locked).toEqual({ locked: true });
    expect(await locksOf(scene.client)).toContain('acq.late AccessExclusiveLock');
    await scene.client.query('rollback');
  });

  turn('a table that is not there: says so, and the transaction goes on', async () => {
    await scene.client.query('begin');
    const missing = { schema: 'acq', name: 'nowhere' };
    await expect(lockTables(scene.client, [FLIGHT, missing], { lockTimeoutMs: 100 })).rejects.toThrow(LoadFailedError);
    await scene.client.query('select 1');
    expect(await locksOf(scene.client)).toEqual([]);
    // It goes while we wait for it.
    await writer.query('begin; drop table acq.airport');
    const locked = lockTables(scene.client, [AIRPORT], { lockTimeoutMs: 3000 });
    const refused = expect(locked).rejects.toThrow('a table went away');
    await sleep(200);
    await writer.query('commit');
    await refused;
    await scene.client.query('commit');
  });
});
