/** A start that meets a table which somebody has to himself: it says so, waits holding nothing, can be cancelled, and goes on. */
import type { WorkflowHandle } from '@temporalio/client';
import { afterEach, describe, expect } from 'vitest';
import type { BatchView } from '../../src/client/views.ts';
import { cancelSignal, progressQuery } from '../../src/workflows/message-definitions.ts';
import { document, spawnWaybill, waybill } from '../cli/command-line.ts';
import { everyServer, inTurns } from '../every-server.ts';
import { COLUMNS, expectAcquired, ITEM, ITEMS, PLAIN_SOURCE } from './items.ts';
import { letGo, lockAlone } from './latch.ts';
import { expectWhole, ORDERS } from './orders.ts';
import { ended, until, World } from './world.ts';

/** Somebody reads the table and stays, and somebody else wants to alter it: whoever comes now waits behind him. */
async function lockBehindReader(world: World, side: 'warehouse' | 'source', table: string) {
  const [reader, alters] = [await world.another(side, 'reader'), await world.another(side, 'alters')];
  await reader.query('begin');
  await reader.query(`select count(*) from ${table}`);
  const altering = alters.query(`alter table ${table} add column later int`);
  altering.catch(() => undefined); // where the test fails, its connection is closed
  const words = side === 'source' ? world.sourceWords : world.words;
  const on = side === 'source' ? world.source : world.warehouse;
  await until(async () => (await on.query(words.waiting)).rows.length > 0);
  return async () => {
    await reader.query('commit');
    await altering;
  };
}

const waitingOf = (world: World, handle: WorkflowHandle) => async () =>
  world.names.outOf((await handle.query(progressQuery)).waiting);

const text = (pattern: RegExp) => expect.stringMatching(pattern) as string;

describe.each(everyServer)('a start on $name that meets', { timeout: 120_000 }, (server) => {
  const it = inTurns(import.meta.url, server, everyServer);
  /** MariaDB tells of no one who only holds a lock. */
  const tellsHolders = !server.url.startsWith('mariadb');
  let world: World;
  afterEach(() => world.close());

  it('an input that somebody has locked says for whom it waits, in its progress and the status, and goes on', async () => {
    world = await World.create(server, ORDERS(50));
    await world.worker();
    const holder = await lockAlone(world, 'warehouse', 'acq.orders');
    const handle = await world.start('core.order');
    const { what, heldBy } = await until(waitingOf(world, handle));
    expect(what).toBe('acq.orders');
    if (tellsHolders) expect(heldBy).toEqual([text(new RegExp(`^${world.words.holder('nightly job')}$`))]);
    // Whoever has a transaction open may be the one, other tests' too.
    else for (const holder of heldBy) expect(holder).toContain('perhaps');
    const [view] = document(await waybill(world, 'status', '--json')) as BatchView[];
    expect(view).toMatchObject({
      ...{ load: 'core.order', batch_id: null, status: 'running' },
      waiting: text(
        tellsHolders ? /^its start waits for .*acq.orders.*, in use by / : /^its start waits for .*acq.orders/,
      ),
    });
    expect(await waybill(world, 'status')).toMatchObject({
      stdout: text(/core.order: its start waits for .*acq.orders/),
    });
    await letGo(world, holder);
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 50 } });
    await expectWhole(world);
  });

  it('a source that somebody has locked waits on another connection than its own, and is cancelled meanwhile', async () => {
    world = await World.create(server, ITEMS({ source: PLAIN_SOURCE(10), columns: COLUMNS }));
    await world.worker();
    const holder = await lockAlone(world, 'source', 'item');
    const signalled = await world.start(ITEM);
    expect((await until(waitingOf(world, signalled))).what).toMatch(/\bitem$/);
    await signalled.signal(cancelSignal, { reason: 'the test' });
    expect(await ended(signalled)).toMatchObject({ ok: false, type: 'Cancelled' });
    const cancelled = await world.start(ITEM);
    await until(waitingOf(world, cancelled));
    expect(await waybill(world, 'cancel', ITEM)).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/item +– +cancelled/) as unknown,
    });
    expect(await ended(cancelled)).toMatchObject({ ok: false, type: 'Canceled' });
    expect(await world.states(ITEM)).toEqual([]);
    const handle = await world.start(ITEM);
    await until(waitingOf(world, handle));
    await letGo(world, holder);
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 10 } });
    await expectAcquired(world);
  });

  it('one that somebody waits to alter, behind a reader, names both, and is followed by who began it', async () => {
    world = await World.create(server, ORDERS(50));
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    await world.warehouse.query(`insert into acq.orders values (51, 'late', 1)`);
    const free = await lockBehindReader(world, 'warehouse', 'acq.orders');
    const running = spawnWaybill(world, ['run', 'core.order']);
    const handle = world.client.workflow.getHandle('load/core.order');
    await until(() => Promise.resolve(/waits for .*orders.*, in use by connection/.test(running.said())), 90);
    const { what, heldBy } = await until(waitingOf(world, handle));
    expect(what).toBe('acq.orders');
    expect(heldBy.join()).toMatch(tellsHolders ? /alters/ : /perhaps/);
    const status = async () => {
      const [view] = document(await waybill(world, 'status', 'core.order', '--json')) as BatchView[];
      return view?.waiting;
    };
    expect(await until(status)).toMatch(/^its next start waits for .*acq.orders.*, in use by connection/);
    await free();
    expect(await running.answer).toMatchObject({ exitCode: 0 });
    expect(await world.value('select count(*) from core.orders')).toBe('51');
  });

  it('in a query of its own, of a session: whoever follows the session is told', async () => {
    world = await World.create(server, {
      files: {
        'waybill.yaml': `
name: test
connections: { warehouse: { url: "\${WAREHOUSE_URL}" } }
sessions: { nightly: { loads: [task.sweep] } }
`,
        'loads/task/sweep.yaml': `
kind: task
connection: warehouse
range: { min: 1, max: "select max(id) from acq.tempo", step: 10 }
sql: insert into core.swept select :from, :to
`,
      },
      warehouse: `
        create schema acq; create schema core;
        create table acq.tempo (id int); insert into acq.tempo values (20);
        create table core.swept (low int, high int);`,
    });
    await world.worker();
    const holder = await lockAlone(world, 'warehouse', 'acq.tempo');
    const running = spawnWaybill(world, ['run', 'nightly']);
    const told = tellsHolders ? /waits for .*tempo, in use by connection/ : /waits for .*tempo/;
    await until(() => Promise.resolve(told.test(running.said())), 90);
    await letGo(world, holder);
    expect(await running.answer).toMatchObject({ exitCode: 0 });
    expect(await world.value('select count(*) from core.swept')).toBe('2');
  });
});
