/** A batch whose statement waits for a lock that somebody else has: `status` says for which table, and for whom. */
import { afterEach, describe, expect } from 'vitest';
import type { BatchView } from '../../src/client/views.ts';
import { document, waybill } from '../cli/command-line.ts';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { holdLatch, LATCHES, letGo, lockAlone, WAIT } from './latch.ts';
import { expectWhole, ORDERS, PLAIN_SQL } from './orders.ts';
import { ended, until, World } from './world.ts';

const status = async (world: World): Promise<BatchView | undefined> =>
  (document(await waybill(world, 'status', '--json')) as BatchView[])[0];

const waits = (world: World): Promise<string> =>
  until(async () => world.names.outOf((await status(world))?.waiting), 60);

describe.each(oneOfEachFamily(import.meta.url))('a batch on $name that waits for', { timeout: 180_000 }, (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  it('a row in a chunk says so until it has it', async () => {
    const orders = ORDERS(300, { rows: 100, byKey: true, lanes: 1, sql: `${PLAIN_SQL};\n${WAIT(1)}` });
    world = await World.create(server, { ...orders, warehouse: `${orders.warehouse!} ${LATCHES}` });
    await world.worker();
    const release = await holdLatch(world, 1);
    const handle = await world.start('core.order');
    expect(await waits(world)).toMatch(/^waits for core\.latch, in use by connection \d+ \(/);
    expect((await waybill(world, 'status')).stdout).toMatch(
      /core\.order, batch 1: waits for .*core\.latch, in use by connection \d+ \(/,
    );
    expect((await waybill(world, 'show', '1')).stdout).toMatch(
      /\n {2}now {6}waits for .*core\.latch, in use by connection \d+ \(/,
    );
    await release();
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
    expect((await status(world))?.waiting).toBeUndefined();
    await expectWhole(world);
  });

  it('a table in a step says so until it has it', async () => {
    const orders = ORDERS(50, { yaml: 'before: "update core.settings set broken = 0"' });
    const warehouse = `${orders.warehouse!} create table core.settings (broken int); insert into core.settings values (1);`;
    world = await World.create(server, { ...orders, warehouse });
    await world.worker();
    const holder = await lockAlone(world, 'warehouse', 'core.settings');
    const handle = await world.start('core.order');
    const by = server.url.startsWith('mariadb') ? '' : `, in use by ${world.words.holder('nightly job')}`;
    expect(await waits(world)).toMatch(new RegExp(`^waits for core\\.settings${by}`));
    await letGo(world, holder);
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 50 } });
    await expectWhole(world);
  });
});
