/** Temporal itself stops, and starts again with what it knew. The database goes on meanwhile; nothing happens twice. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { stopProcess } from '../../src/dev/server-process.ts';
import { startTemporal, type TemporalServer } from '../../src/dev/temporal-server.ts';
import { inTurns, someServers } from '../every-server.ts';
import type { TestServer } from '../servers.ts';
import { BREAKABLE, done, mend } from './breakable-orders.ts';
import { asleep } from './moments.ts';
import { expectWhole } from './orders.ts';
import type { ServerWords } from './server-words.ts';
import { ended, until, World } from './world.ts';

/** How it stops, and for how long: activities that stay silent for 10 s are given to somebody else. */
const OUTAGES = [
  { name: 'is stopped for ten seconds', signal: 'SIGTERM', seconds: 10 },
  { name: 'is killed, and away for longer than the heartbeat timeout', signal: 'SIGKILL', seconds: 25 },
] as const;

interface Moment {
  title: string;
  /** The chunk of this order fails for good. */
  broken: number;
  /** What takes a few seconds, so that Temporal can stop within it. */
  slow: Record<ServerWords['family'], string>;
  /** What the database has done when Temporal comes back. */
  meanwhile: (world: World) => Promise<void>;
}

/** @param of which row it sleeps at */
const slowTrigger = (event: string, table: string, of: string): Record<ServerWords['family'], string> => ({
  postgres: `
    create function core.slowly() returns trigger language plpgsql as $$ begin perform pg_sleep(4); return null; end $$;
    create trigger slowly after ${event} on ${table} for each row when (${of}) execute function core.slowly()`,
  mysql: `create trigger ${table.split('.')[0]}.slowly after ${event} on ${table} for each row
    if ${of} then do sleep(4); end if`,
});

const SLOW_CHUNKS = 'update core.settings set pause = 0.7';

const MOMENTS: Moment[] = [
  {
    title: 'in the middle of the chunks',
    broken: 0,
    slow: { postgres: SLOW_CHUNKS, mysql: SLOW_CHUNKS },
    meanwhile: async (world) => expect(await done(world)).toBeGreaterThan(5),
  },
  {
    title: 'while a batch is published',
    broken: 0,
    slow: slowTrigger('insert', 'waybill.event', `new.what = 'published'`),
    meanwhile: async (world) => expect(await world.states('core.order')).toEqual(['published']),
  },
  {
    title: 'in the middle of a roll back',
    broken: 250,
    slow: slowTrigger('delete', 'core.orders', 'old.id = 42'),
    meanwhile: async (world) => expect(await world.states('core.order')).toEqual(['failed']),
  },
];

describe.each(someServers(import.meta.url))('on $name', (server) => {
  for (const outage of OUTAGES) {
    // Side by side: each waits for its Temporal most of the time.
    describe.concurrent(`Temporal ${outage.name}`, { timeout: 240_000 }, () => {
      const it = inTurns(import.meta.url, outage, OUTAGES);

      const outageAt = (moment: Moment): Promise<void> =>
        withOwnTemporal(server, moment, async (world, temporal) => {
          await world.worker();
          await world.warehouse.query(moment.slow[world.words.family]);
          const handle = await world.start('core.order');
          await until(async () => (await asleep(world)) > 0 && (await done(world)) > 1, 90);
          await stopProcess(temporal.pid!, [{ signal: outage.signal, waitMs: 10_000 }]);
          await new Promise((resolve) => setTimeout(resolve, outage.seconds * 1000));
          await moment.meanwhile(world);
          await temporal.startAgain();
          const end = await ended(handle);
          if (moment.broken === 0) expect(end).toMatchObject({ ok: true, result: { chunks: 20 } });
          else {
            expect(end).toMatchObject({ ok: false, type: 'Database' });
            expect(await world.value('select count(*) from core.orders')).toBe('0');
            await mend(world);
            expect(await world.run('core.order')).toMatchObject({ ok: true });
          }
          await expectWhole(world);
          expect(await world.states('core.order')).toEqual(
            moment.broken === 0 ? ['published'] : ['failed', 'published'],
          );
        });

      for (const moment of MOMENTS) it(moment.title, () => outageAt(moment));
    });
  }
});

interface OwnTemporal {
  pid: number | undefined;
  /** The same port, the same file. */
  startAgain(): Promise<void>;
}

async function withOwnTemporal(
  server: TestServer,
  { broken }: Moment,
  work: (world: World, temporal: OwnTemporal) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'waybill-test-temporal-'));
  const dbFilename = join(directory, 'temporal.db');
  let temporal: TemporalServer = await startTemporal({ external: false, dbFilename });
  const { address, pid } = temporal;
  const orders = BREAKABLE(2000, { broken, lanes: broken === 0 ? 2 : 1 });
  const world = await World.create(server, {
    ...orders,
    temporal: { address, namespace: 'default' },
  });
  try {
    await work(world, {
      pid,
      startAgain: async () => {
        temporal = await startTemporal({ external: false, dbFilename, port: Number(address.split(':')[1]) });
      },
    });
  } finally {
    await world.close();
    await temporal.stop();
    await rm(directory, { recursive: true, force: true });
  }
}
