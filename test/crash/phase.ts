import type { BatchState } from '../../src/workflows/messages.ts';
import { exists } from '../engine/breakable-orders.ts';
import type { World } from '../engine/world.ts';
import type { Point } from './points.ts';
import type { Scenario } from './scenarios.ts';

type Found = BatchState | 'none' | 'no control tables';

/** What the ledger may say of the load's newest batch when its worker dies in this activity. */
const STATES: Record<string, readonly Found[]> = {
  openBatch: ['running'],
  runSteps: ['running', 'published', 'failed'],
  settleSource: ['running'],
  takeSnapshot: ['running'],
  planStage: ['running'],
  runLane: ['running'],
  steerLanes: ['running'],
  describeBatch: ['running'],
  runChecks: ['running', 'checking'],
  writeOutput: ['checking'],
  publish: ['checking', 'published'],
  dropSnapshot: ['published'],
  fenceBatch: ['running', 'checking', 'held', 'rolling_back'],
  rollBack: ['rolling_back', 'failed', 'cancelled'],
};

/** Before and after its commit: the activity that opens a batch also finds none, or the one before. */
export function statesAt({ activity }: Point, { before, states: own }: Scenario): readonly Found[] {
  if (activity === 'start') return ['no control tables', before];
  const states = own?.[activity] ?? STATES[activity];
  if (!states) throw new Error(`say in phase.ts in which states a batch may be while ${activity} runs`);
  return activity === 'openBatch' ? [before, ...states] : states;
}

/** The state of the load's newest batch, from the ledger. */
export async function stateOf(world: World, load: string): Promise<Found> {
  if (!(await exists(world, 'waybill.batch'))) return 'no control tables';
  return ((await world.states(load)).at(-1) as BatchState | undefined) ?? 'none';
}
