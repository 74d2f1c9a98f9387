/** Far more lanes than connections: what ends a load waits for none of them. */
import { setTimeout as pause } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { afterEach, describe, expect, test } from 'vitest';
import { setLanesUpdate } from '../../src/workflows/message-definitions.ts';
import { someServers } from '../every-server.ts';
import { ALL, idsOf, startThree, THREE_LOADS } from './three-loads.ts';
import { ended, until, World } from './world.ts';

/** Activities that a worker does at once where nobody says how many. */
const SDK_DEFAULT = 100;

/** Lanes of a load that a worker has begun. */
const begun = async (handle: WorkflowHandle): Promise<number> =>
  ((await handle.describe()).raw.pendingActivities ?? []).filter(({ lastStartedTime }) => lastStartedTime).length;

describe.each(someServers(import.meta.url))(
  'lanes that wait for a connection on $name',
  { timeout: 240_000 },
  (server) => {
    let world: World;
    afterEach(() => world.close());

    test('keep neither a fence nor a roll back waiting, however many they are', async () => {
      world = await World.create(server, THREE_LOADS());
      await world.worker();
      const { handles, handle, holder, waiting, third } = await startThree(world);
      await Promise.all(handles.map((one) => one.executeUpdate(setLanesUpdate, { args: [64] })));
      await until(async () => (await Promise.all(handles.map(begun))).reduce((sum, n) => sum + n) >= SDK_DEFAULT, 90);
      await pause(3_000); // nobody else takes a place of theirs

      await handle(waiting).cancel();
      await until(async () => (await world.states(`core.${waiting}`))[0] === 'rolling_back', 30);
      await world.warehouse.query(`update core.pause set pause = 4 where of_load = '${third}'`);
      await handle(holder).cancel();
      expect(await ended(handle(waiting))).toMatchObject({ ok: false, type: 'Canceled' });
      expect(await ended(handle(holder))).toMatchObject({ ok: false, type: 'Canceled' });
      // All lanes of this one have wanted the connection for longer than the roll backs.
      expect(await world.states(`core.${third}`)).toEqual(['running']);
      await world.warehouse.query('update core.pause set pause = 0');
      expect(await ended(handle(third))).toMatchObject({ ok: true, result: { chunks: 10 } });
      expect(await idsOf(world, third!)).toMatchObject(ALL);
    });
  },
);
