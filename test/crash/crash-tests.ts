/** "A worker is killed at this point, and nothing is lost": one test a point, for a sample of them or for all. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { describe, expect, inject, test } from 'vitest';
import { someServers } from '../every-server.ts';
import {
  sessionWorkflowId,
  TASK_QUEUE,
  type LoadInput,
  type LoadResult,
  type SessionResult,
} from '../../src/workflows/messages.ts';
import type { TestServer } from '../servers.ts';
import { ended, World } from '../engine/world.ts';
import { phaseOf, phasesAt } from './phase.ts';
import { pointName } from './points.ts';
import { comesPerhaps, pointsOf } from './recording.ts';
import type { Scenario } from './scenarios.ts';

/** Points a scenario and server, unless all are wanted; one where a scenario is of what few loads do. */
const SAMPLE = 2;
/** A dead worker is noticed after 10 s of silence, and the machine may be busy. */
const TIMEOUT_MS = 180_000;
/** Starts until nothing is left to do: finish a roll back, redo, find nothing. */
const MOST_STARTS = 5;

const seed = inject('seed');

/** Who heals: the workflow's own retry on another worker, or the next start after the workflow is gone. */
type Healer = 'the retry' | 'the next start';

/** Registers the scenario's tests on one server, which the seed chooses; on every one where all is wanted. */
export async function crashTests(scenario: Scenario, sample = SAMPLE): Promise<void> {
  const chosen = someServers(scenario.title);
  const recorded = await Promise.all(chosen.map((server) => record(server, scenario)));
  for (const [i, server] of chosen.entries()) {
    const points = pick(recorded[i]!, server, sample);
    // Side by side: half of the time a test waits for the dead worker's heartbeat to be missed.
    describe.concurrent(`a worker is killed in ${scenario.title} on ${server.name}`, { retry: 0 }, () => {
      test.for(points)('%s', { timeout: TIMEOUT_MS }, async ([, point, healer]) => {
        const world = await World.create(server, scenario.world);
        try {
          await killAndHeal(world, scenario, point, healer);
        } finally {
          await world.close();
        }
      });
    });
  }
}

/** The same for some of these scenarios, other ones with each run; for all of them where all is wanted. */
export async function someCrashTests(scenarios: readonly Scenario[], n: number): Promise<void> {
  const all = seed.all || process.env['WAYBILL_CRASH_POINT'] !== undefined;
  const order = (one: Scenario): string => createHash('sha256').update(`${seed.value} ${one.title}`).digest('hex');
  const chosen = [...scenarios].sort((a, b) => (order(a) < order(b) ? -1 : 1)).slice(0, all ? scenarios.length : n);
  await Promise.all(chosen.map((scenario) => crashTests(scenario, 1)));
}

type Point = Awaited<ReturnType<typeof pointsOf>>[number];
type Case = [title: string, point: Point, healer: Healer];

/** All points; or, for every run another, a sample that the seed decides. Each point gets one of the two healers. */
function pick(points: Point[], server: TestServer, sample: number): Case[] {
  const hash = (text: string): string =>
    createHash('sha256').update(`${seed.value} ${server.name} ${text}`).digest('hex');
  const wanted = process.env['WAYBILL_CRASH_POINT'];
  return points
    .map((point): Case => {
      const healer =
        Number.parseInt(hash(`healer ${pointName(point)}`).slice(0, 8), 16) % 2 === 0 ? 'the retry' : 'the next start';
      return [`${pointName(point)}: ${healer} heals it`, point, healer];
    })
    .filter(([title]) => wanted === undefined || title.includes(wanted))
    .sort(([a], [b]) => (hash(a) < hash(b) ? -1 : 1))
    .slice(0, seed.all || wanted !== undefined ? points.length : sample);
}

/** Runs the scenario once without a kill; its statements are the points. */
async function record(server: TestServer, scenario: Scenario): Promise<Point[]> {
  const directory = await mkdtemp(join(tmpdir(), 'waybill-recording-'));
  const world = await World.create(server, scenario.world);
  try {
    await prepare(world, scenario);
    const file = join(directory, 'statements');
    world.spawnWorker({ ...scenario.env, WAYBILL_RECORD_TO: file });
    const handle = await begin(world, scenario.start);
    await scenario.during?.(world, handle);
    await ended(handle);
    const points = await pointsOf(file, scenario.activities);
    for (const activity of scenario.activities) {
      if (!points.some((point) => point.activity === activity))
        throw new Error(`${scenario.title} never ran ${activity}`);
    }
    return points;
  } finally {
    await world.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function prepare(world: World, scenario: Scenario): Promise<void> {
  if (!scenario.prepare) return;
  const worker = await world.worker({ dropLimitMs: 500 }); // who reads a snapshot here lets go of it later
  await scenario.prepare(world);
  await worker.stop();
}

async function killAndHeal(world: World, scenario: Scenario, point: Point, healer: Healer): Promise<void> {
  await prepare(world, scenario);
  const victim = world.spawnWorker({ ...scenario.env, WAYBILL_CRASH_AT: pointName(point) });
  const died = exitOf(victim);
  const handle = await begin(world, scenario.start);
  const end = ended(handle);
  await scenario.during?.(world, handle);
  const killed = (await Promise.race([died, end.then(() => undefined)])) === 'SIGKILL';
  if (killed) expect(phasesAt(point, scenario)).toContain(await phaseOf(world, loadsOf(scenario)));
  else {
    victim.kill('SIGKILL');
    expect(comesPerhaps(point), `the run never came to: ${pointName(point)}`).toBe(true);
  }
  if (killed && healer === 'the next start') await handle.terminate('the test');
  await world.worker();
  await end;
  await scenario.mend?.(world);
  await startUntilDone(world, scenario);
  await scenario.expectRight(world);
  await expectNothingLeft(world);
}

const exitOf = (child: ChildProcess): Promise<NodeJS.Signals | null> =>
  new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));

/** A session is a workflow of another kind, and ends as a load does. */
const begin = (world: World, start: Scenario['start']): ReturnType<World['start']> =>
  'load' in start
    ? world.start(start)
    : world.client.workflow.start('session', {
        workflowId: sessionWorkflowId(start.session),
        taskQueue: TASK_QUEUE,
        args: [start],
      });

/** The loads whose newest batch says in which phase the worker died. */
const loadsOf = ({ start, loads }: Scenario): readonly string[] => loads ?? [(start as LoadInput).load];

/** Starts as a schedule makes them: none of them may need a person. */
async function startUntilDone(world: World, { start, again }: Scenario): Promise<void> {
  const plain = again ?? ('load' in start ? { load: start.load } : start);
  for (let starts = 0; starts < MOST_STARTS; starts += 1) {
    const end = await ended(await begin(world, plain));
    expect(end).toMatchObject({ ok: true });
    if (end.ok && foundNothing(end.result)) return;
  }
  throw new Error(`it still finds work after ${MOST_STARTS} starts`);
}

const foundNothing = (result: LoadResult | SessionResult): boolean =>
  'loads' in result ? result.loads.every(({ status }) => status === 'nothing') : result.status === 'nothing';

/** No snapshot, nothing that a swap made on its way, no unfinished batch, no half-done stage of a published batch. */
async function expectNothingLeft(world: World): Promise<void> {
  expect(
    await world.rows(`select table_name as name from information_schema.tables
                      where (table_name like '%processing%' or table_name like 'waybill_%')
                        and table_schema like '${world.names.prefix}%'
                      union all
                      select trigger_name from information_schema.triggers
                      where trigger_name like 'waybill%' and trigger_schema like '${world.names.prefix}%'`),
  ).toEqual([]);
  if (await world.exists('waybill.swap_intent')) {
    expect(await world.rows('select batch_id, table_name from waybill.swap_intent')).toEqual([]);
  }
  expect(
    await world.rows(
      `select batch_id, state from waybill.batch where state not in ('published', 'failed', 'cancelled')`,
    ),
  ).toEqual([]);
  expect(
    await world.rows(`select c.batch_id, c.n from waybill.chunk c join waybill.batch b using (batch_id)
                      where b.state = 'published' and c.state <> 'done'`),
  ).toEqual([]);
}
