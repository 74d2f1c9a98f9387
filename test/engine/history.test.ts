/** What a load leaves in Temporal: little, nothing secret, and no death of a worker that lives. */
import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { load } from '../../src/workflows/load.ts';
import { someServers } from '../every-server.ts';
import { BREAKABLE, mend } from './breakable-orders.ts';
import { attemptsAt, historyOf, textsIn } from './history.ts';
import { expectWhole, ORDERS, SLOW_SQL, World } from './orders.ts';
import { expectSeenOnce, TASK, VEHICLES } from './vehicles.ts';
import { ended } from './world.ts';

vi.setConfig({ testTimeout: 120_000 });

describe.each(someServers(import.meta.url))('the history of a load on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('has ids and counts: no SQL, no parameter of it, no credentials', async () => {
    const sql = (what: string): string => `insert into core.log select '${what}', :batch_id, :params.word`;
    const orders = ORDERS(300, {
      yaml: `
params: { word: hush }
before: "${sql('before')}"
after: "${sql('after')}"
checks: [ { name: some, sql: "select count(*) from core.log where batch_id = :batch_id and 'checked' <> :params.word", expect: 1 } ]`,
    });
    world = await World.create(server, {
      ...orders,
      warehouse: `${orders.warehouse} create table core.log (step varchar(20), batch_id bigint, word varchar(20))`,
    });
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 300 } });
    expect(await world.value('select count(*) from core.log where word is not null')).toBe('2');
    const said = textsIn(await historyOf(world, 'core.order'));
    expect(said).toContain('"batchId":"1"'); // what crosses the border is looked into
    const urls = ['SOURCE_URL', 'WAREHOUSE_URL'].map((name) => new URL(world.env[name]!));
    const secrets = urls.flatMap(({ href, host, password }) => [href, host, password]).filter((text) => text !== '');
    for (const secret of ['insert', 'select', 'core.log', 'hush', ...secrets]) {
      expect(said.toLowerCase().includes(secret.toLowerCase()), `"${secret}" in the history`).toBe(false);
    }
  });

  test('grows with time, not with chunks', async () => {
    world = await World.create(server, VEHICLES(1_000, { range: '{ of: core.vehicle.id, step: 1 }', lanes: 2 }));
    await world.worker({ mostShared: 64 });
    expect(await world.run(TASK)).toMatchObject({ ok: true, result: { chunks: 1_000 } });
    await expectSeenOnce(world);
    const [ran] = await world.rows<{ first: Date; last: Date }>(
      'select min(started_at) as first, max(finished_at) as last from waybill.chunk',
    );
    const seconds = (Number(ran!.last) - Number(ran!.first)) / 1000;
    // Open, plan, check and publish, and two lanes, of which each comes back after five seconds, then more seldom.
    expect((await historyOf(world, TASK)).length).toBeLessThan(80 + 4 * seconds);
  });

  test('tells of one attempt where a statement takes longer than a dead worker is waited for', async () => {
    world = await World.create(server, ORDERS(10, { sql: SLOW_SQL(13), lanes: 1 }));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 10, chunks: 1 } });
    const attempts = attemptsAt(await historyOf(world, 'core.order'), 'runLane');
    expect(attempts.length).toBeGreaterThan(0);
    expect(new Set(attempts)).toEqual(new Set([1]));
    expect(await world.value('select attempts from waybill.chunk')).toBe(0);
  });

  test('that somebody resets to before its stage, of which every chunk has failed, ends as the ledger says, and soon', async () => {
    world = await World.create(server, BREAKABLE(50, { broken: 20 }));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: false, type: 'Database' });
    const before = await world.rows('select * from waybill.batch');
    const handle = world.client.workflow.getHandle<typeof load>('load/core.order');
    const events = await historyOf(world, 'core.order');
    const plan = events.find(
      ({ activityTaskScheduledEventAttributes: at }) => at?.activityType?.name === 'planStage',
    )!.activityTaskScheduledEventAttributes!;
    await world.client.workflowService.resetWorkflowExecution({
      namespace: world.namespace,
      workflowExecution: { workflowId: handle.workflowId, runId: (await handle.describe()).runId },
      workflowTaskFinishEventId: plan.workflowTaskCompletedEventId!,
      requestId: randomUUID(),
      reason: 'the test',
    });
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'Fenced' });
    expect(await world.rows('select * from waybill.batch')).toEqual(before);
    await mend(world);
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await expectWhole(world);
  });
});
