/** The activities without a workflow around them: for states that no workflow can be made to stop in. */
import { asyncLocalStorage, type Context } from '@temporalio/activity';
import pino from 'pino';
import { createActivities, type Activities } from '../../src/activities/activities.ts';
import { loadProject } from '../../src/config/load-project.ts';
import type { World } from './world.ts';

/** Activities on the databases of a worker of this world. Those that look at their context go through `asActivity`. */
export async function activitiesOf(world: World): Promise<Activities> {
  const { databases } = await world.worker();
  return createActivities({
    databases,
    loadProject: () => loadProject(world.directory, { env: world.env }),
    client: world.client,
    worker: 'the test',
    stopping: () => false,
    searchAttributes: () => Promise.resolve([]),
    historyLimit: undefined,
    log: pino({ level: 'silent' }),
  });
}

/** What our activities ask of Temporal's context: a first attempt that nobody cancels. */
const CONTEXT = {
  info: { attempt: 1 },
  cancellationSignal: new AbortController().signal,
  heartbeat: () => undefined,
  sleep: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
} as unknown as Context;

/** Runs it as Temporal would, once. */
export function asActivity<Argument, Result>(
  activity: (argument: Argument) => Promise<Result>,
  argument: Argument,
): Promise<Result> {
  return asyncLocalStorage.run(CONTEXT, () => activity(argument));
}

/** What the workflow of core.order asks first. Temporal has never heard of that run. */
export const OPEN_ORDER = {
  load: 'core.order',
  attempt: 1,
  workflowId: 'load/core.order',
  firstRunId: 'a run',
  force: false,
  resume: false,
  adopt: false,
  params: {},
  requestedBy: undefined,
};
