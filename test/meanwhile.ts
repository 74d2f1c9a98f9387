/**
 * Does `work` over and over until `body` has ended, however it ends: what a failed test left at work would go on in the tests behind it.
 *
 * @returns how many times it was done. What the body failed with is thrown; else what the work failed with.
 */
export async function meanwhile(
  works: readonly ((n: number) => Promise<unknown>)[],
  body: () => Promise<void>,
): Promise<number[]> {
  let going = true;
  const working = works.map(async (work) => {
    let n = 0;
    for (; going; n += 1) await work(n);
    return n;
  });
  // A work that fails ends the others with the body; nobody waits for it until then.
  const ends = Promise.allSettled(working);
  try {
    await body();
  } finally {
    going = false;
    await ends;
  }
  return Promise.all(working);
}
