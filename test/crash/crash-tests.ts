/** "A worker is killed at this point, and nothing is lost": one test a point, for a sample of them or for all. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, inject, test, type TestContext } from 'vitest';
import { cameTooLate } from '../came-too-late.ts';
import { someServers } from '../every-server.ts';
import { World } from '../engine/world.ts';
import type { TestServer } from '../servers.ts';
import { pointName } from './points.ts';
import { pointsOf, readRecording, type PlacedPoint, type Recorded } from './recording.ts';
import { killAndHeal, runUnkilled, type Kill } from './run-scenario.ts';
import type { Scenario } from './scenarios.ts';

/** Points a scenario and server, unless all are wanted; one where a scenario is of what few loads do. */
const SAMPLE = 2;
/** A dead worker is noticed after 10 s of silence, and the machine may be very busy. */
export const TIMEOUT_MS = 400_000;
/** Of one try: there is time for a second one. */
const TRY_MS = 180_000;

const seed = inject('seed');

/** Registers the scenario's tests on one server, which the seed chooses; on every one where all is wanted. */
export async function crashTests(scenario: Scenario, sample = SAMPLE): Promise<void> {
  const chosen = someServers(scenario.title);
  const recorded = await Promise.all(chosen.map((server) => record(server, scenario)));
  for (const [i, server] of chosen.entries()) {
    const points = pick(recorded[i]!, scenario, server, sample);
    // Side by side: half of the time a test waits for the dead worker's heartbeat to be missed.
    describe.concurrent(`a worker is killed in ${scenario.title} on ${server.name}`, { retry: 0 }, () => {
      test.for(points)('%s', { timeout: TIMEOUT_MS }, async ([, kill], { task }) => {
        const { killed } = await unlessTooSlow(
          () => inWorld(server, scenario, (world) => killAndHeal(world, scenario, kill)),
          task,
        );
        if (!killed) task.meta.withoutKill = true;
      });
    });
  }
}

/** The same for some of these scenarios, other ones with each run; for all of them where all is wanted. */
export async function someCrashTests(scenarios: readonly Scenario[], n: number): Promise<void> {
  const all = seed.all || process.env['WAYBILL_CRASH_POINT'] !== undefined;
  const chosen = shuffled(scenarios, ({ title }) => title).slice(0, all ? scenarios.length : n);
  await fewAtOnce(chosen, (scenario) => crashTests(scenario, 1));
}

/** Worlds at once, while what is sent without a kill is written down. */
const AT_ONCE = 4;

export async function fewAtOnce<One>(all: readonly One[], work: (one: One) => Promise<void>): Promise<void> {
  const left = [...all];
  const next = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await work(one);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

/** In an order of the seed's. */
export function shuffled<One>(all: readonly One[], name: (one: One) => string): One[] {
  return [...all].sort((a, b) => (hashOf(name(a)) < hashOf(name(b)) ? -1 : 1));
}

export const hashOf = (text: string): string => createHash('sha256').update(`${seed.value} ${text}`).digest('hex');

export type Case = [title: string, kill: Kill];

/** All points; or, for every run another, a sample that the seed decides. Each point gets one of the two healers. */
export function pick(
  points: readonly PlacedPoint[],
  { title: of }: Scenario,
  server: TestServer,
  sample: number,
): Case[] {
  const hash = (text: string): string => hashOf(`${server.name} ${of} ${text}`);
  const wanted = process.env['WAYBILL_CRASH_POINT'];
  return points
    .map((point): Case => {
      const healer =
        Number.parseInt(hash(`healer ${pointName(point)}`).slice(0, 8), 16) % 2 === 0 ? 'the retry' : 'the next start';
      return [`${pointName(point)}: ${healer} heals it`, { point, healer }];
    })
    .filter(([title]) => wanted === undefined || title.includes(wanted))
    .sort(([a], [b]) => (hash(a) < hash(b) ? -1 : 1))
    .slice(0, seed.all || wanted !== undefined ? points.length : sample);
}

/** Runs the scenario once without a kill; its statements are the points. */
export const record = (server: TestServer, scenario: Scenario): Promise<PlacedPoint[]> =>
  unlessTooSlow(() =>
    inWorld(server, scenario, async (world) => {
      const file = join(world.directory, 'statements');
      await runUnkilled(world, scenario, { WAYBILL_RECORD_TO: file });
      return pointsIn(scenario, await readRecording(file));
    }),
  );

export async function inWorld<T>(
  server: TestServer,
  { world: options }: Scenario,
  work: (world: World) => Promise<T>,
): Promise<T> {
  const world = await World.create(server, options);
  try {
    return await work(world);
  } finally {
    await world.close();
  }
}

/**
 * Once more where something did not come in time: the machine may be very busy. What was found wrong is wrong, once is enough. The last
 * lines of the run say so of `task`, where a test does the work.
 */
export async function unlessTooSlow<T>(work: () => Promise<T>, task?: TestContext['task']): Promise<T> {
  const inTime = async (): Promise<T> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done within ${TRY_MS / 1000} s`)), TRY_MS);
    });
    const done = work();
    done.catch(() => undefined); // one that was late may end badly, unheard
    try {
      return await Promise.race([done, late]);
    } finally {
      clearTimeout(timer);
    }
  };
  try {
    return await inTime();
  } catch (error) {
    if (!cameTooLate(error as Error)) throw error;
    const { message } = error as Error;
    console.warn(`Tried once more: ${message}`);
    if (task) task.meta.triedAgain = [...(task.meta.triedAgain ?? []), message];
    return inTime();
  }
}

export function pointsIn(scenario: Scenario, statements: Recorded[]): PlacedPoint[] {
  const points = pointsOf(statements, scenario.activities);
  for (const activity of scenario.activities) {
    if (!points.some((point) => point.activity === activity))
      throw new Error(`${scenario.title} never ran ${activity}`);
  }
  return points;
}
