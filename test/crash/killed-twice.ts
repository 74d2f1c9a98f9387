/**
 * "The worker that heals is killed, too": at what a run without a kill never sends. A worker is killed; what the one after it sends,
 * while it heals, is written down; then both are killed, the second at one of these statements, and a third heals.
 */
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { someServers } from '../every-server.ts';
import type { TestServer } from '../servers.ts';
import {
  fewAtOnce,
  hashOf,
  inWorld,
  pick,
  pointsIn,
  shuffled,
  TIMEOUT_MS,
  unlessTooSlow,
  type Case,
} from './crash-tests.ts';
import { statementName, pointName, type Point } from './points.ts';
import { comesPerhaps, momentsOf, readRecording, type Recorded } from './recording.ts';
import { killAndHeal, runUnkilled, type Healer, type Kill } from './run-scenario.ts';
import type { Scenario } from './scenarios.ts';

/**
 * First kills of a scenario, and second ones for each of them, where all is wanted: all pairs would be as many as there are points,
 * squared. A second point that one pair has had is left out in the next.
 */
const FIRST = 12;
const SECONDS = 4;

const wantedSecond = process.env['WAYBILL_SECOND_CRASH_POINT'];
const all = inject('seed').all || (wantedSecond ?? process.env['WAYBILL_CRASH_POINT']) !== undefined;
const seconds = all ? SECONDS : 1;

/** Registers the tests of some of these scenarios, other ones with each run, each with one pair; of all where all is wanted. */
export async function killedTwiceTests(scenarios: readonly Scenario[], n: number): Promise<void> {
  const chosen = shuffled(scenarios, ({ title }) => title).slice(0, all ? scenarios.length : n);
  await fewAtOnce(chosen, testsOf);
}

async function testsOf(scenario: Scenario): Promise<void> {
  const servers = someServers(scenario.title);
  const server = servers[Number.parseInt(hashOf(scenario.title).slice(0, 8), 16) % servers.length]!;
  const { points, names } = await record(server, scenario);
  const writing = points.filter(({ writes, place }) => writes && place.written !== 'nothing');
  const had = new Set<string>();
  describe.concurrent(`two workers are killed in ${scenario.title} on ${server.name}`, { retry: 0 }, () => {
    const timeout = TIMEOUT_MS * (1 + seconds);
    test.for(inTurns(pick(writing, scenario, server, writing.length)).slice(0, all ? FIRST : 1))(
      '%s',
      { timeout },
      async ([, kill], { task }) => {
        for (const second of take(
          await unlessTooSlow(() => pointsAfter(server, scenario, kill, names), task),
          had,
          seconds,
        )) {
          try {
            await unlessTooSlow(() => killTwice(server, scenario, kill, second), task);
          } catch (error) {
            throw new Error(`killed again, ${pointName(second)}: ${(error as Error).message}`, { cause: error });
          }
        }
      },
    );
  });
}

/** One of each activity, then the next of each: every activity is killed. */
const inTurns = (cases: readonly Case[]): Case[] => {
  const turn = ([, { point }]: Case, i: number): number =>
    cases.slice(0, i).filter(([, { point: other }]) => other.activity === point.activity).length;
  return cases
    .map((one, i) => ({ one, turn: turn(one, i) }))
    .sort((a, b) => a.turn - b.turn)
    .map(({ one }) => one);
};

/** The first of these points that no pair before has had. */
function take(points: readonly Point[], had: Set<string>, n: number): Point[] {
  const taken: Point[] = [];
  for (const point of points) {
    const key = `${point.moment} ${statementName(point)}`;
    if (taken.length === n || had.has(key) || !pointName(point).includes(wantedSecond ?? '')) continue;
    had.add(key);
    taken.push(point);
  }
  return taken;
}

/** Names of all that is sent without a kill, until nothing is left to do. */
const record = (
  server: TestServer,
  scenario: Scenario,
): Promise<{ points: ReturnType<typeof pointsIn>; names: Set<string> }> =>
  unlessTooSlow(() =>
    inWorld(server, scenario, async (world) => {
      const file = join(world.directory, 'statements');
      const starts = await runUnkilled(world, scenario, { WAYBILL_RECORD_TO: file });
      const points = pointsIn(scenario, await readRecording(file));
      await starts.untilDone();
      return { points, names: new Set((await readRecording(file)).map(statementName)) };
    }),
  );

/** What is written after this kill only; then what the activity that was killed writes in its next attempt, or another run of it. */
const pointsAfter = (
  server: TestServer,
  scenario: Scenario,
  kill: Kill,
  names: ReadonlySet<string>,
): Promise<Point[]> =>
  inWorld(server, scenario, async (world) => {
    const file = join(world.directory, 'statements');
    await killAndHeal(world, scenario, kill, { env: { WAYBILL_RECORD_TO: file }, healer: 'the retry' });
    const writing = (await readRecording(file)).filter(({ writes }) => writes);
    const isNew = (one: Recorded): boolean => !names.has(statementName(one));
    const again = writing.filter((one) => !isNew(one) && one.activity === kill.point.activity);
    const nameHere = (point: Point): string => `${scenario.title} ${pointName(point)}`;
    return [writing.filter(isNew), again].flatMap((some) => shuffled(some.flatMap(pointsAt), nameHere));
  });

const pointsAt = (statement: Recorded): Point[] => momentsOf(statement).map((moment) => ({ ...statement, moment }));

const killTwice = (server: TestServer, scenario: Scenario, kill: Kill, second: Point): Promise<void> =>
  inWorld(server, scenario, async (world) => {
    const healer: Healer = hashOf(`second healer ${pointName(second)}`) < '8' ? 'the retry' : 'the next start';
    const { twice } = await killAndHeal(world, scenario, kill, {
      env: { WAYBILL_CRASH_AT: pointName(second) },
      healer,
    });
    // What it finds hangs on how soon the server has noticed the death of the first: a run of a few pairs does not fail for that.
    if (all) expect(twice || comesPerhaps(second), 'the second worker never came to its point').toBe(true);
  });
