/** A batch runs on the text that stands in `batch.definition`, and on no other. */
import { afterEach, describe, expect, vi } from 'vitest';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { activitiesOf, asActivity, OPEN_ORDER } from './activities.ts';
import { expectWhole, ORDERS, World } from './orders.ts';

vi.setConfig({ testTimeout: 120_000 });

const BATCH = { connection: 'warehouse', batchId: '1', firstRunId: OPEN_ORDER.firstRunId };
const LANE = { ...BATCH, stage: 1, lane: 1, sliceMs: 60_000 };

describe.each(oneOfEachFamily(import.meta.url))('the definition of a batch on $name', (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  it('that somebody edits runs nothing and takes nothing back, until it is as it was', async () => {
    world = await World.create(server, ORDERS(200, { byKey: true }));
    const activities = await activitiesOf(world);
    expect(await activities.openBatch(OPEN_ORDER)).toMatchObject({ kind: 'opened' });
    const edit = (from: string, to: string) =>
      world.warehouse.query(`update waybill.batch set definition = replace(definition, '${from}', '${to}')`);
    const steps: [string, () => Promise<unknown>][] = [
      ['snapshot', () => asActivity(activities.takeSnapshot, BATCH)],
      ['plan', () => activities.planStage({ ...BATCH, stage: 1 })],
      ['lane', () => asActivity(activities.runLane, LANE)],
      ['checks', () => asActivity(activities.runChecks, BATCH)],
      ['publish', () => activities.publish(BATCH)],
    ];
    for (const [step, run] of steps) {
      await edit('o.amount * 2', 'o.amount * 3');
      await expect(run(), step).rejects.toMatchObject({
        nonRetryable: true,
        message: 'the stored definition of batch 1 does not match its hash',
      });
      await edit('o.amount * 3', 'o.amount * 2');
      await run();
    }
    await expectWhole(world);
    expect(await world.states('core.order')).toEqual(['published']);
  });

  it('is put back, and what was begun is finished by the next start', async () => {
    world = await World.create(server, ORDERS(200, { byKey: true }));
    const activities = await activitiesOf(world);
    await activities.openBatch(OPEN_ORDER);
    await asActivity(activities.takeSnapshot, BATCH);
    await world.warehouse.query(`update waybill.batch set definition = concat(definition, ' '),
      first_run_id = '00000000-0000-0000-0000-000000000000'`);
    const refused = await world.run({ load: 'core.order', force: true });
    expect(refused).toMatchObject({
      ok: false,
      message: 'the stored definition of batch 1 does not match its hash',
      where: 'batch 1',
    });
    expect(!refused.ok && refused.next).toMatch(/put it back/);
    expect(await world.states('core.order')).toEqual(['running']);
    await world.warehouse.query('update waybill.batch set definition = trim(definition)');
    expect(await world.run({ load: 'core.order', force: true })).toMatchObject({
      ok: true,
      result: { rowsWritten: 200, batch: { batchId: '2' } },
    });
    await expectWhole(world);
  });
});
