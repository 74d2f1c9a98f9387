/** The time in which faults happen, and the end: everything is let go, and run to its end by the command line alone. */
import { setTimeout as sleep } from 'node:timers/promises';
import { FAULTS, type Fault, type Scene } from './faults.ts';
import { comes } from './moments.ts';
import { SESSION } from './project.ts';
import { Random } from './random.ts';
import { Writer } from './writers.ts';

const WRITERS = 4;
/** So many faults may go on side by side, runs that somebody waits for among them. */
const AT_ONCE = 6;
/** Enough for a load that waits for its max_runtime to be over, a few times. */
const FINAL_RUNS = 40;

/** Faults, writers and runs for so long. Everything that was broken is whole again when it returns. */
export async function storm(scene: Scene, minutes: number, seed: string): Promise<Writer[]> {
  const over = Date.now() + minutes * 60_000;
  const writers = Array.from({ length: WRITERS }, (_, i) => {
    const random = new Random(seed, `writer ${i + 1}`);
    return new Writer(scene.site, scene.diary, random, i + 1);
  });
  const writing = writers.map((writer) => writer.work());
  const running = keepRunning(scene, over, new Random(seed, 'runs'));
  await faults(scene, over, await pace(scene));
  scene.diary.say('the faults are over');
  for (const writer of writers) writer.stop();
  await Promise.all([...writing, running]);
  return writers;
}

/** How much slower than usual this machine is at the moment: on a busy one faults as close as ever would let nothing ever begin. */
async function pace({ cli, diary }: Scene): Promise<number> {
  const { ms } = await cli.waybill('status');
  const times = Math.min(2, Math.max(1, ms / STATUS_MS));
  if (times > 1.5) diary.say(`this machine is busy: pauses between faults are ${times.toFixed(1)} times as long`);
  return times;
}

/** What `waybill status` takes on a machine that does nothing else, about. */
const STATUS_MS = 1_000;

/** One fault after the other, with pauses in which loads come to an end. */
async function faults(scene: Scene, over: number, times: number): Promise<void> {
  const now = new Map<Fault, Promise<void>>();
  while (Date.now() < over) {
    // Mostly close together, for faults that meet are the worst; now and then time for a load to get through.
    const pause = scene.random.chance(0.15) ? scene.random.between(5_000, 15_000) : scene.random.between(100, 4_000);
    await sleep(pause * times);
    const fault = scene.random.weighed(FAULTS);
    const random = new Random(String(scene.random.next()), fault.kind); // drawn whether or not it happens: the next ones stay the same
    const taken = [...now.keys()].some(({ part }) => part !== undefined && part === fault.part);
    if (taken || now.has(fault) || now.size >= AT_ONCE) continue;
    const happens = aimed(fault, { ...scene, random }).finally(() => now.delete(fault));
    now.set(fault, happens);
  }
  await Promise.all(now.values());
}

/** Half of them at a moment that chance would seldom hit. */
async function aimed(fault: Fault, scene: Scene): Promise<void> {
  const moment = scene.random.chance(0.5) ? await comes(scene.site, scene.random) : undefined;
  if (moment !== undefined) scene.diary.say(`  as ${moment}:`);
  await fault.happen(scene, fault.kind);
}

/** The session, again and again, as a schedule would. */
async function keepRunning({ cli }: Scene, over: number, random: Random): Promise<void> {
  while (Date.now() < over) {
    await cli.waybill('run', SESSION, ...(random.chance(0.3) ? ['--json'] : []));
    await sleep(random.between(200, 3_000));
  }
}

/** Plain runs until one has ended well: then everything has been loaded. False: it did not come to that. */
export async function runToTheEnd({ cli, diary }: Scene): Promise<boolean> {
  await sleep(LAG_MS);
  for (let n = 1; n <= FINAL_RUNS; n += 1) {
    const { exitCode, stderr } = await cli.waybill('run', SESSION);
    if (exitCode === 0) return true;
    diary.say(
      `waybill run ${SESSION} ended with ${String(exitCode)}: ${stderr.trim().split('\n').slice(-2).join(' ')}`,
    );
    await sleep(5_000);
  }
  return false;
}

/** What was written last is older than the `lag` of acquisition.reading. */
const LAG_MS = 3_000;
