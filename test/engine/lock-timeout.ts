/** A chunk of two statements, the second of which waits for a lock for longer than the load may. */
import { expect } from 'vitest';
import { holdLatch, LATCHES, WAIT } from './latch.ts';
import { expectWhole, ORDERS, PLAIN_SQL } from './orders.ts';
import type { TestServer } from '../servers.ts';
import { ended, until, type World, type WorldOptions } from './world.ts';

export function STATEMENT_WAITS({ name }: Pick<TestServer, 'name'>): WorldOptions {
  const limit = name.startsWith('PostgreSQL') ? 'lock_timeout: 2s' : 'innodb_lock_wait_timeout: 2';
  const orders = ORDERS(100, { sql: `${PLAIN_SQL};\n${WAIT(1)}`, yaml: `session_params: { ${limit} }` });
  return { ...orders, warehouse: `${orders.warehouse!} ${LATCHES}` };
}

/** The first statement's rows go with the attempt that failed, and come once with the next one. */
export async function expectStatementOnce(world: World): Promise<void> {
  await world.worker();
  const release = await holdLatch(world, 1);
  const handle = await world.start('core.order');
  await until(() => world.value('select error from waybill.chunk where attempts = 1'));
  await release();
  expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 100, chunks: 1 } });
  await expectWhole(world);
  expect(await world.rows('select state, attempts from waybill.chunk')).toEqual([{ state: 'done', attempts: 1 }]);
}
