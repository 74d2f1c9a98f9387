/** Places in a load's SQL where it stands still for as long as a test wants: it locks a row shared, which the test holds. */
import type { TestClient } from './test-client.ts';
import { until, type World } from './world.ts';

/** SQL that makes them: rows of core.latch, 1 to 3. */
export const LATCHES = 'create table core.latch (id int primary key); insert into core.latch values (1), (2), (3);';

/** A statement that waits while the test holds this latch; `(…) held` in a FROM clause does so, too. */
export const WAIT = (latch: number): string => `select l.id from core.latch l where l.id = ${latch} for share`;

/** From now on who comes to the latch waits there, until the answer is called. */
export async function holdLatch(world: World, latch: number): Promise<() => Promise<void>> {
  const holder = await world.another('warehouse');
  await holder.query(`begin; select id from core.latch where id = ${latch} for update`);
  return async () => {
    await holder.query('commit');
  };
}

/** Lanes that wait for a lock. What else waits for a moment, as for a row of the ledger, is not counted. */
export const waitingLanes = (world: World): Promise<number> =>
  world.count(`select w.id from (${world.words.waiting}) w where w.id in (${world.words.lanes})`);

export const lanesWait = (world: World, n: number): Promise<unknown> =>
  until(async () => (await waitingLanes(world)) === n, 90);

/** Somebody waits for a lock: in a test without other locks, at the latch. */
export const waitsAtLatch = (world: World): Promise<unknown> =>
  until(async () => (await world.count(world.words.waiting)) > 0, 90);

/** Somebody has the table to himself, until `letGo`. */
export async function lockAlone(world: World, side: 'warehouse' | 'source', table: string): Promise<TestClient> {
  const holder = await world.another(side, 'nightly job');
  await holder.query(
    (side === 'source' ? world.sourceWords : world.words).family === 'postgres'
      ? `begin; lock table ${table}`
      : `lock tables ${table} write`,
  );
  return holder;
}

export const letGo = (world: World, holder: TestClient) =>
  holder.query(world.words.family === 'postgres' ? 'commit' : 'unlock tables');
