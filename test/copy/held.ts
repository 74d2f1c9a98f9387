/** How much memory a copy holds. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
/** Marks all that is alive, and frees the rest. */
export const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes in buffers and texts, and in garbage among them. */
function taken(): number {
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

/** Those that somebody still holds. */
function held(): number {
  collectGarbage();
  return taken();
}

/** The same once that of tests before is gone. */
async function heldAtRest(): Promise<number> {
  for (let last = held(); ;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const now = held();
    if (now >= last) return now;
    last = now;
  }
}

/**
 * Bytes that are held beyond what was before, at the most, while `work` is done. Garbage may be among them as long as they are less than
 * `limit`: to collect it takes a while, in which nothing is copied, and the longer the more files were tested before.
 */
export async function mostHeld(limit: number, work: () => Promise<void>): Promise<number> {
  const before = await heldAtRest();
  let most = 0;
  const look = (): void => {
    const began = performance.now();
    // Twice: a buffer's memory is given back some time after the buffer.
    most = Math.max(most, (taken() - before < limit ? taken() : (held(), held())) - before);
    timer = setTimeout(look, Math.max(250, 3 * (performance.now() - began)));
  };
  let timer = setTimeout(look, 250);
  try {
    await work();
  } finally {
    clearTimeout(timer);
  }
  return most;
}
