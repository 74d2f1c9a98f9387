import { expect } from 'vitest';
import type { WorkerOptions } from '../../src/worker/worker.ts';
import type { LoadInput } from '../../src/workflows/messages.ts';
import { CommitProxy } from './commit-proxy.ts';
import { ended, type Ended, type World } from './world.ts';

/** A transaction, known by what is said in it, and whether it has not committed yet, as everybody else sees it. */
interface CutTransaction {
  name: string;
  said: RegExp;
  isBefore: () => Promise<boolean>;
  /** It is one statement, which commits by itself: what PostgreSQL answers to it. */
  answer?: string;
}

type Handle = Awaited<ReturnType<World['start']>>;

/** Runs the load on a worker behind a proxy of its own, which stays up as long as the world: each transaction in turn loses its COMMIT, and the next attempt at it the answer to COMMIT. */
export async function cutEachCommit(
  world: World,
  load: LoadInput | string | (() => Promise<Handle>),
  transactions: readonly CutTransaction[],
  options: Partial<WorkerOptions> = {},
): Promise<Ended> {
  const proxy = await CommitProxy.create(world.env['WAREHOUSE_URL']!);
  world.atClose(() => proxy.close());
  await world.worker({ env: { ...world.env, WAREHOUSE_URL: proxy.url }, ...options });
  let handle: Handle | undefined;
  for (const { name, said, isBefore, answer } of transactions) {
    for (const cut of ['lost', 'unanswered'] as const) {
      const done = proxy.cutAtCommit(cut, (text) => said.test(text), answer);
      proxy.resume();
      handle ??= await (typeof load === 'function' ? load() : world.start(load));
      await done;
      expect(await isBefore(), `${name}, ${cut}`).toBe(cut === 'lost');
    }
  }
  proxy.resume();
  return ended(handle!);
}
