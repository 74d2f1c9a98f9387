import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** So that what is alive of it hardly grows with the number of lanes. */
const EVERY_BYTES = 8 << 20;

let passed = 0;

// How much a heap may grow until V8 marks all of it again: in a process that makes few old objects, such as a worker, by a tenth if we did
// not say so. That is less than the pieces under way, which are counted with it: some fifteen times it marked all for two million rows.
setFlagsFromString('--heap-growing-percent=150');

/**
 * Frees the pieces of a copy that have been passed on, once there are some megabytes of them. Each read of a socket is a buffer of its own
 * outside of V8's heap, with next to nothing in it: V8 counts them for its whole heap, and marks all of that again and again, for
 * more of the processor's time than the copy itself needs, where a look at its young objects frees them within a millisecond.
 */
export function passedOn(bytes: number): void {
  passed += bytes;
  if (passed < EVERY_BYTES) return;
  passed = 0;
  collect?.({ type: 'minor' });
}

/** V8 hands it out by a flag alone; off again, so that no workflow's context has it. Undefined where there is no such flag. */
const collect = ((): ((how: { type: 'minor' }) => void) | undefined => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('globalThis.gc') as ((how: { type: 'minor' }) => void) | undefined;
  setFlagsFromString('--no-expose-gc');
  return gc;
})();
