/** How much memory a copy holds. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes in buffers and texts that somebody still holds. */
function held(): number {
  collectGarbage();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

/** The same once that of tests before is gone: a buffer's memory is given back some time after the buffer. */
async function heldAtRest(): Promise<number> {
  for (let last = held(); ;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const now = held();
    if (now >= last) return now;
    last = now;
  }
}

/** Bytes that are held beyond what was before, at the most, while `work` is done. */
export async function mostHeld(work: () => Promise<void>): Promise<number> {
  const before = await heldAtRest();
  let most = 0;
  // Not more often: to collect garbage takes a while, in which nothing is copied.
  const watch = setInterval(() => (most = Math.max(most, held() - before)), 250);
  try {
    await work();
  } finally {
    clearInterval(watch);
  }
  return most;
}
