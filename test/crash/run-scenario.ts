/** A scenario from its start until nothing is left to do, through the deaths of its workers. */
import type { ChildProcess } from 'node:child_process';
import { inspect } from 'node:util';
import { WorkflowNotFoundError } from '@temporalio/client';
import { expect } from 'vitest';
import {
  sessionWorkflowId,
  TASK_QUEUE,
  type LoadInput,
  type LoadResult,
  type SessionResult,
} from '../../src/workflows/messages.ts';
import { ended, type World } from '../engine/world.ts';
import { phaseOf, phasesAt } from './phase.ts';
import { pointName } from './points.ts';
import { comesPerhaps, type PlacedPoint } from './recording.ts';
import type { Scenario } from './scenarios.ts';

/** Starts until nothing is left to do: finish a roll back, redo, find nothing. */
const MOST_STARTS = 5;

/** Who heals: the workflow's own retry on another worker, or the next start after the workflow is gone. */
export type Healer = 'the retry' | 'the next start';

/** Where a worker is killed, and who heals it. */
export interface Kill {
  point: PlacedPoint;
  healer: Healer;
}

/** The worker process that comes after the one that is killed; without it, one within the test. */
export interface Second {
  env: NodeJS.ProcessEnv;
  /** Who heals, should it be killed. */
  healer: Healer;
}

/** Runs the scenario with a worker that is killed, and perhaps with another one; then all must be right. Which of them came to its point. */
export async function killAndHeal(
  world: World,
  scenario: Scenario,
  { point, healer }: Kill,
  second?: Second,
): Promise<{ killed: boolean; twice: boolean }> {
  await prepare(world, scenario);
  const victim = world.spawnWorker({ ...scenario.env, WAYBILL_CRASH_AT: pointName(point) });
  const died = exitOf(victim);
  const starts = new Starts(world, scenario);
  await starts.first();
  const came = await Promise.race([died, starts.end]);
  const killed = came === 'SIGKILL';
  if (killed) expect(phasesAt(point, scenario)).toContain(await phaseOf(world, loadsOf(scenario)));
  else {
    victim.kill('SIGKILL');
    if (!comesPerhaps(point)) throw new Error(`the run never came to: ${pointName(point)}; it ended: ${inspect(came)}`);
  }
  if (killed && healer === 'the next start') await starts.terminate();
  let twice = false;
  if (second) {
    const next = world.spawnWorker({ ...scenario.env, ...second.env });
    next.once('exit', (_, signal) => {
      if (signal !== 'SIGKILL' || starts.done) return;
      twice = true;
      if (second.healer === 'the next start') void starts.terminate();
      void world.worker();
    });
    await starts.untilDone();
    // What the look at the end runs is no part of the healing: not written down by this process, and no place to kill it.
    if (!twice) {
      next.kill('SIGKILL');
      await world.worker();
    }
  } else {
    await world.worker();
    await starts.untilDone();
  }
  await scenario.expectRight(world);
  await expectNothingLeft(world);
  return { killed, twice };
}

/** Runs the scenario without a kill, to the end of its first run. */
export async function runUnkilled(world: World, scenario: Scenario, env: NodeJS.ProcessEnv): Promise<Starts> {
  await prepare(world, scenario);
  const died = exitOf(world.spawnWorker({ ...scenario.env, ...env }));
  const starts = new Starts(world, scenario);
  await starts.first();
  const code = await Promise.race([died, starts.end]);
  if (code === null || typeof code !== 'object') throw new Error(`the worker process ended with ${code}`);
  return starts;
}

/** The scenario's start, and those that follow it as a schedule makes them. */
export class Starts {
  /** Of the start that is under way. */
  end!: ReturnType<typeof ended>;
  done = false;
  private handle!: Awaited<ReturnType<World['start']>>;
  private terminated = false;

  constructor(
    private readonly world: World,
    private readonly scenario: Scenario,
  ) {}

  async first(): Promise<void> {
    await this.begin(this.scenario.start);
    await this.scenario.during?.(this.world, this.handle);
  }

  /** What is under way, if it is: a worker may die between two starts. */
  async terminate(): Promise<void> {
    this.terminated = true;
    await this.handle.terminate('the test').catch((error: unknown) => {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    });
  }

  /** None of those that follow the first one may need a person. */
  async untilDone(): Promise<void> {
    await this.end;
    await this.scenario.mend?.(this.world);
    const { start, again } = this.scenario;
    const plain = again ?? ('load' in start ? { load: start.load } : start);
    for (let starts = 0; starts < MOST_STARTS; starts += 1) {
      await this.begin(plain);
      const end = await this.end;
      if (!end.ok && this.terminated) continue;
      expect(end).toMatchObject({ ok: true });
      this.done = end.ok && foundNothing(end.result);
      if (this.done) return;
    }
    expect.fail(`it still finds work after ${MOST_STARTS} starts`);
  }

  /** A session is a workflow of another kind, and ends as a load does. */
  private async begin(start: Scenario['start']): Promise<void> {
    this.terminated = false;
    this.handle =
      'load' in start
        ? await this.world.start(start)
        : await this.world.client.workflow.start('session', {
            workflowId: sessionWorkflowId(start.session),
            taskQueue: TASK_QUEUE,
            args: [start],
          });
    this.end = ended(this.handle);
  }
}

async function prepare(world: World, scenario: Scenario): Promise<void> {
  if (!scenario.prepare) return;
  const worker = await world.worker({ dropLimitMs: 500 }); // who reads a snapshot here lets go of it later
  await scenario.prepare(world);
  await worker.stop();
}

/** The signal that it died of, or the code that it ended with. */
const exitOf = (child: ChildProcess): Promise<NodeJS.Signals | number | null> =>
  new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));

/** The loads whose newest batch says in which phase the worker died. */
const loadsOf = ({ start, loads }: Scenario): readonly string[] => loads ?? [(start as LoadInput).load];

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
