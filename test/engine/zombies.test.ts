/**
 * A worker freezes just before what an activity is there for, or in the middle of it, alone in its gate. Others finish its work, and
 * the next batch is under way when it wakes up and goes on as if nothing had happened: it does no harm.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import type { TestServer } from '../servers.ts';
import { BREAKABLE, exists, mend } from './breakable-orders.ts';
import { CuttableWay } from './cuttable-way.ts';
import { freeze, type Frozen, type Place } from './frozen.ts';
import { asleep, endSleepers } from './moments.ts';
import { expectWhole } from './orders.ts';
import { wordsAt, type ServerWords } from './server-words.ts';
import { ended, until, World, type Ended } from './world.ts';

/** Each chunk sleeps before it touches the snapshot: a drop finds nobody in its way. */
const SQL = `
  select pg_sleep(pause) from core.settings;
  insert into core.orders (id, customer, amount, batch_id)
  select o.id, o.customer, o.amount * 2 / (case when o.id = (select broken from core.settings) then 0 else 1 end), :batch_id
  from {{ acq.orders }} o`;

/** Of PostgreSQL, and of MySQL and MariaDB. */
const BEGIN = 'begin isolation level read committed read write';
/** What stands beside it where others may come to wait; as much as a recording has of it. */
const OTHERS_WAIT = 'select set_config(?, ?, true)';
const START = 'start transaction read write';
const ORDER = 'core.order';

interface Zombie {
  title: string;
  /** Where it stops, as in crash/points.ts; only servers that have such a place are tested. */
  at: Partial<Record<ServerWords['family'], Place>>;
  /** The batch fails at its third chunk. */
  breaks?: boolean;
  /** Seconds that each of its chunks sleeps. */
  pause?: number;
  yaml?: string;
  /** Its workflow is terminated while the worker is frozen: the next start fences the batch and redoes it. */
  terminated?: boolean;
  /** What the other worker makes of the batch. */
  end: Partial<Ended>;
  /** The next batch, or the same one resumed, is at a chunk of its own when the zombie wakes up. */
  next?: { resume: boolean };
  states: string[];
}

const FAILED = { end: { ok: false, type: 'Database' }, states: ['failed', 'published'] };
const TERMINATED = {
  terminated: true,
  end: { ok: false, type: 'TerminatedFailure' },
  states: ['failed', 'published'],
};

const FENCE: Zombie['at'] = {
  postgres: `before fenceBatch | waybill N fence | ${BEGIN} #1`,
  mysql: `before fenceBatch | waybill N fence | ${START} #1`,
};

/** As much as a recording has of them. */
const DELETE: Record<ServerWords['family'], string> = {
  postgres: 'delete from only core.orders where batch_id + N = $N and ctid >= ?::tid',
  mysql: 'delete from core.orders where batch_id = cast(? as signed) and true limit N',
};
const EVENT = 'insert into waybill.event (batch_id, load_name, what, requested_by, reason) select batch_i';

/** Whoever comes next ends it: its transaction is open, and the gate its own. */
const IN_THE_GATE: Zombie[] = [
  {
    title: 'a publish that is about to commit, of a batch that is redone meanwhile',
    at: {
      postgres: `before publish | waybill control | commit of ${EVENT} #1`,
      mysql: `before publish | waybill control | commit of ${EVENT} #1`,
    },
    ...TERMINATED,
  },
  {
    title: 'a roll back that is about to delete, of a batch that is redone meanwhile',
    at: {
      postgres: `before rollBack | waybill N roll back | ${DELETE.postgres} #1`,
      mysql: `before rollBack | waybill N roll back | ${DELETE.mysql} #1`,
    },
    breaks: true,
    ...TERMINATED,
  },
  {
    title: 'a roll back that has deleted and is about to commit, of a batch that is redone meanwhile',
    at: {
      postgres: `before rollBack | waybill N roll back | commit of ${DELETE.postgres} #1`,
      mysql: `before rollBack | waybill N roll back | commit of ${DELETE.mysql} #1`,
    },
    breaks: true,
    ...TERMINATED,
  },
];

const ZOMBIES: Zombie[] = [
  ...IN_THE_GATE,
  {
    title: 'an opening, which another worker does meanwhile',
    at: {
      postgres: 'before openBatch | waybill control | select last_batch_id from waybill.project for update #1',
      mysql: 'before openBatch | waybill control | select last_batch_id from waybill.project for update #1',
    },
    end: { ok: true },
    states: ['published', 'published'],
  },
  {
    // The server ends it after a minute: nobody else does.
    title: 'a publish that is about to commit',
    at: {
      postgres: `before publish | waybill control | commit of ${EVENT} #1`,
      mysql: `before publish | waybill control | commit of ${EVENT} #1`,
    },
    end: { ok: true },
    states: ['published', 'published'],
  },
  {
    title: 'a drop, before it looks at the catalog',
    at: {
      postgres: `before dropSnapshot | waybill N drop of the snapshot | ${BEGIN}; ${OTHERS_WAIT} #1`,
      mysql: 'before dropSnapshot | waybill N drop of the snapshot | select get_lock(?, N) as taken #1',
    },
    end: { ok: true },
    states: ['published', 'published'],
  },
  {
    title: 'a drop that has looked at the catalog',
    at: {
      postgres: 'before dropSnapshot | waybill N drop of the snapshot | savepoint waybill_lock_tables #1',
      // It holds the table's name and the table itself: whoever comes next ends it.
      mysql: 'before dropSnapshot | waybill N drop of the snapshot | drop table `acq`.`orders_processing` #1',
    },
    end: { ok: true },
    states: ['published', 'published'],
  },
  {
    title: 'a publish, of a batch that is redone meanwhile',
    at: {
      postgres: `before publish | waybill control | ${BEGIN} #1`,
      mysql: `before publish | waybill control | ${START} #1`,
    },
    ...TERMINATED,
  },
  { title: 'a fence', at: FENCE, breaks: true, ...FAILED },
  {
    title: 'a fence that is to hold a batch, which is resumed meanwhile',
    at: FENCE,
    breaks: true,
    yaml: 'on_failure: hold',
    end: { ok: false, type: 'Database' },
    next: { resume: true },
    states: ['published'],
  },
  {
    title: 'a roll back, before it deletes',
    at: {
      postgres: `before rollBack | waybill N roll back | ${BEGIN}; set local synchronous_commit = off #1`,
      mysql: `before rollBack | waybill N roll back | ${START} #1`,
    },
    breaks: true,
    ...FAILED,
  },
  {
    title: 'a roll back, before it ends the batch',
    at: {
      postgres: `before rollBack | waybill control | ${BEGIN} #1`,
      mysql: `before rollBack | waybill control | ${START} #1`,
    },
    breaks: true,
    ...FAILED,
  },
];

/** As far as a recording tells statements apart; the twin is called by a hash. */
const RENAME = 'rename table `acq`.`orders` to `acq`.`orders_processing`, `acq`.`waybill_twin_NcNadbNdNeNf';

const REDONE = { ...TERMINATED, states: ['failed', 'published', 'published'] };

const SNAPSHOTS: Zombie[] = [
  {
    title: 'a snapshot, of a batch that is redone meanwhile',
    at: {
      postgres: `before takeSnapshot | waybill N snapshot | ${BEGIN}; ${OTHERS_WAIT} #1`,
      mysql: 'before takeSnapshot | waybill N snapshot | select get_lock(?, N) as taken #1',
    },
    ...REDONE,
  },
  {
    title: 'a snapshot that is about to rename the tables, of a batch that is redone meanwhile',
    at: { mysql: `before takeSnapshot | waybill N snapshot | ${RENAME} #1` },
    ...REDONE,
  },
  {
    title: 'a snapshot that has renamed the tables, of a batch that is redone meanwhile',
    at: { mysql: 'before takeSnapshot | waybill N snapshot | alter table `acq`.`orders_processing` comment = ? #1' },
    ...REDONE,
  },
];

const WANTED: Zombie = {
  title: 'a mark that a snapshot is wanted, which another worker takes meanwhile',
  at: {
    postgres: `before takeSnapshot | waybill control | ${BEGIN} #1`,
    mysql: `before takeSnapshot | waybill control | ${START} #1`,
  },
  pause: 100,
  end: { ok: true },
  states: ['published'],
};

for (const server of oneOfEachFamily(import.meta.url)) {
  const { family } = wordsAt(server.url);

  // Side by side: most of the time a test waits for the frozen worker's heartbeat to be missed.
  describe.concurrent(`a worker of ${server.name} that sleeps at`, { timeout: 240_000, retry: 0 }, () => {
    const it = inTurns(import.meta.url, server);

    function sleeps(zombie: Zombie, meanwhile: Meanwhile, midway?: Meanwhile): void {
      const at = zombie.at[family];
      if (at === undefined) return;
      const everyFamilyHasIt = Object.keys(zombie.at).length > 1;
      (everyFamilyHasIt ? it : test)(zombie.title, () => inWorld(server, zombie, at, meanwhile, midway));
    }

    for (const zombie of ZOMBIES) {
      sleeps(zombie, async (world, frozen) => {
        if (zombie.breaks) await mend(world);
        if (zombie.end.ok) await landMore(world);
        await world.warehouse.query('update core.settings set pause = 100');
        const next = world.start({ load: ORDER, ...zombie.next });
        await until(async () => (await asleep(world)) > 0, 90);
        const before = await standing(world);
        await frozen.wake();
        expect(await standing(world)).toEqual(before);
        await mend(world);
        await endSleepers(world);
        expect(await ended(await next)).toMatchObject({ ok: true });
      });
    }

    for (const zombie of SNAPSHOTS) {
      sleeps(zombie, async (world, frozen) => {
        expect(await world.run(ORDER)).toMatchObject({ ok: true });
        await landMore(world);
        await frozen.wake();
        expect(await exists(world, 'acq.orders_processing')).toBe(false);
        expect(await world.value('select count(*) from acq.orders')).toBe('500');
        expect(await world.run(ORDER)).toMatchObject({ ok: true });
      });
    }

    sleeps(
      WANTED,
      () => Promise.resolve(),
      async (world, frozen) => {
        await until(async () => (await asleep(world)) > 0, 90);
        await frozen.wake();
        expect(await world.rows('select table_name, wanted_by from waybill.landing')).toEqual([
          { table_name: 'acq.orders', wanted_by: null },
        ]);
        await mend(world);
        await endSleepers(world);
      },
    );
  });
}

type Meanwhile = (world: World, frozen: Frozen) => Promise<void>;

/**
 * Freezes the worker at its point and has another one bring the batch to its end; then `meanwhile`, and all is as it should be.
 * `midway`: while that other worker is at it.
 */
async function inWorld(
  server: TestServer,
  zombie: Zombie,
  at: Place,
  meanwhile: Meanwhile,
  midway?: Meanwhile,
): Promise<void> {
  const { breaks = false, pause = 0, yaml = '' } = zombie;
  const world = await World.create(
    server,
    BREAKABLE(500, { broken: breaks ? 250 : 0, pause, lanes: 1, yaml, sql: SQL }),
  );
  const directory = await mkdtemp(join(tmpdir(), 'waybill-zombie-'));
  const way = await CuttableWay.to(world.address);
  try {
    const handle = await world.start(ORDER);
    const frozen = await freeze(world, way, at, join(directory, 'statements'));
    way.cut(); // else Temporal goes on giving it tasks, and waits for each until its heartbeat is missed
    if (zombie.terminated) await handle.terminate('the test');
    await world.worker();
    await midway?.(world, frozen);
    expect(await ended(handle)).toMatchObject(zombie.end);
    await meanwhile(world, frozen);
    await expectWhole(world);
    expect(await world.states(ORDER)).toEqual(zombie.states);
    expect(await exists(world, 'acq.orders_processing')).toBe(false);
  } finally {
    await world.close();
    await way.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** 500 more orders. */
async function landMore(world: World): Promise<void> {
  await world.warehouse.query(`
    insert into acq.orders select id + 500, customer, amount from kept.orders;
    insert into kept.orders table acq.orders`);
}

/** What a zombie must leave alone: rows, the snapshot, and what the ledger says of batches and chunks. */
const standing = async (world: World): Promise<unknown> => ({
  rows: await world.rows('select * from core.orders order by id'),
  snapshot: await world.identity('acq.orders_processing'),
  orders: await world.value('select count(*) from acq.orders_processing'),
  batches: await world.rows('select * from waybill.batch order by batch_id'),
  chunks: await world.rows('select * from waybill.chunk order by batch_id, n'),
});
