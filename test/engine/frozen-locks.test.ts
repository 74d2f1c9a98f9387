/** A worker freezes while it holds tables against everybody: others wait for seconds, not until somebody finds out. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { everyServer } from '../every-server.ts';
import { oneOf } from '../seed.ts';
import { servers, type TestServer } from '../servers.ts';
import { CuttableWay } from './cuttable-way.ts';
import { freeze, type Place } from './frozen.ts';
import { expectWhole, ORDERS } from './orders.ts';
import { ended, World } from './world.ts';

const ORDER = 'core.order';

type Kind = 'postgres' | 'mysql' | 'mariadb';
const kindOf = ({ url }: TestServer): Kind => new URL(url).protocol.slice(0, -1) as Kind;

interface Freeze {
  title: string;
  /** Where it stops; only servers on which a worker holds something there are tested. */
  at: Partial<Record<Kind, Place>>;
  /** What somebody does meanwhile, for which the worker's locks are in the way. */
  meanwhile: Partial<Record<Kind, string>>;
}

const WRITE = `insert into acq.orders values (501, 'later', 1)`;
const READ = 'select count(*) from acq.orders_processing';
const RENAME = 'rename table `acq`.`orders` to `acq`.`orders_processing`, `acq`.`waybill_twin_NcNadbNdNeNf';
const DROP = 'before dropSnapshot | waybill N drop of the snapshot | drop table';

const FREEZES: Freeze[] = [
  {
    title: 'a snapshot, of which the locks are taken and the tables not yet renamed',
    at: {
      postgres: 'before takeSnapshot | waybill N snapshot | release savepoint waybill_lock_tables #1',
      mysql: `before takeSnapshot | waybill N snapshot | ${RENAME} #1`, // MariaDB locks and renames at once
    },
    meanwhile: { postgres: WRITE, mysql: WRITE },
  },
  {
    title: 'a snapshot that is about to commit',
    at: {
      postgres:
        'before takeSnapshot | waybill N snapshot | commit of insert into waybill.event (batch_id, load_name, what, requested_by, reason) select batch_i #1',
    },
    meanwhile: { postgres: WRITE },
  },
  {
    title: 'a drop, which holds the table that the snapshot refers to, too',
    at: {
      postgres: `${DROP} "acq"."orders_processing" restrict #1`,
      mysql: `${DROP} \`acq\`.\`orders_processing\` #1`,
      mariadb: `${DROP} \`acq\`.\`orders_processing\` #1`,
    },
    meanwhile: { postgres: `insert into acq.customer values ('meanwhile')`, mysql: READ, mariadb: READ },
  },
];

/** An opening holds no table, but what all openings of a connection come to: its last number. */
const OPENING = (kind: Kind): Place => {
  const value = kind === 'postgres' ? '$N' : '?';
  return `before openBatch | waybill control | commit of update waybill.event set batch_id = ${value} where batch_id is null and load_name = ${value} #1`;
};

// Side by side: most of the time a test waits for the frozen worker's heartbeat to be missed.
describe.concurrent('a worker that freezes in', { timeout: 180_000 }, () => {
  interface Scene {
    world: World;
    /** Once the load has ended: the worker goes on, and does no harm. */
    wake: () => Promise<void>;
    /** Of the load in whose work it froze. */
    end: () => ReturnType<typeof ended>;
  }

  async function frozenAt(server: TestServer, at: Place, work: (scene: Scene) => Promise<void>): Promise<void> {
    const orders = ORDERS(500, { lanes: 1 });
    const world = await World.create(server, {
      files: {
        ...orders.files,
        'loads/task/other.yaml': 'kind: task\nconnection: warehouse\nsql: delete from acq.nothing\n',
      },
      warehouse: `${orders.warehouse}
        create table acq.nothing (id bigint);
        create table acq.customer (name text primary key);
        insert into acq.customer select distinct customer from acq.orders union select 'later';
        alter table acq.orders add foreign key (customer) references acq.customer (name)`,
    });
    const directory = await mkdtemp(join(tmpdir(), 'waybill-frozen-'));
    const way = await CuttableWay.to(world.address);
    try {
      const handle = await world.start(ORDER);
      const frozen = await freeze(world, way, at, join(directory, 'statements'));
      way.cut(); // else Temporal goes on giving it tasks, and waits for each until its heartbeat is missed
      await work({ world, wake: () => frozen.wake(), end: () => ended(handle) });
      expect(await world.states(ORDER)).toEqual(['published']);
      expect(await world.exists('acq.orders_processing')).toBe(false);
      expect(await world.value('select count(*) from acq.orders')).toBe('0');
      await expectWhole(world);
    } finally {
      await world.close();
      await way.close();
      await rm(directory, { recursive: true, force: true });
    }
  }

  /** Milliseconds for which `work` was in the worker's way. */
  async function waited(work: () => Promise<unknown>): Promise<number> {
    const began = Date.now();
    await work();
    return Date.now() - began;
  }

  for (const server of oneOf(everyServer, 'opening')) {
    test(`an opening that is about to commit, on ${server.name}: others wait for a minute`, () =>
      frozenAt(server, OPENING(kindOf(server)), async ({ world, wake, end }) => {
        const wait = await waited(async () => {
          await world.worker(); // the first thing that waits: it looks whose project this is
          expect(await world.run('task.other')).toMatchObject({ ok: true });
        });
        expect(wait).toBeGreaterThan(30_000);
        expect(wait).toBeLessThan(90_000);
        expect(await end()).toMatchObject({ ok: true });
        await wake();
      }));
  }

  for (const { title, at, meanwhile } of FREEZES) {
    const [ofPostgres, others] = [servers, everyServer.filter((server) => !servers.includes(server))].map((family) =>
      family.filter((server) => at[kindOf(server)] !== undefined),
    ) as [TestServer[], TestServer[]];
    for (const server of [...oneOf(ofPostgres, title), ...(others.length > 0 ? oneOf(others, title) : [])]) {
      const kind = kindOf(server);
      test(`${title}, on ${server.name}`, () =>
        frozenAt(server, at[kind]!, async ({ world, wake, end }) => {
          if (kind === 'postgres') {
            const held = await world.rows<{ mode: string }>(`
              select mode from pg_locks join pg_stat_activity using (pid)
              where mode = 'AccessExclusiveLock' and application_name like 'waybill%' and locktype = 'relation'`);
            expect(held.length).toBeGreaterThan(0);
          }
          const wait = await waited(() => world.warehouse.query(meanwhile[kind]!));
          expect(wait).toBeGreaterThan(500); // it was in the way
          expect(wait).toBeLessThan(10_000);
          if (meanwhile[kind] === WRITE) await world.warehouse.query(WRITE.replace('acq', 'kept'));
          await world.worker();
          expect(await end()).toMatchObject({ ok: true });
          await wake();
        }));
    }
  }
});
