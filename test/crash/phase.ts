/** In which phase of a load its worker died: from ledger and catalog alone, as a person would tell it. */
import type { LoadDefinition } from '../../src/config/definition.ts';
import type { BatchState } from '../../src/workflows/messages.ts';
import type { World } from '../engine/world.ts';
import type { PlacedPoint, Written } from './recording.ts';
import type { Scenario } from './scenarios.ts';

/** What is to be done next for the newest batch of some loads; where nothing is, how that batch ended. */
export type Phase =
  | 'no control tables'
  | 'open' // there is no batch yet
  | 'before steps'
  | 'snapshot'
  | 'plan'
  | 'chunk'
  | 'check'
  | 'publish'
  | 'drop'
  | 'after steps'
  | 'fence' // it has failed, and its gate is open
  | 'roll back'
  | 'on_error steps'
  | Extract<BatchState, 'held' | 'published' | 'failed' | 'cancelled'>;

/**
 * The phases that an activity goes through, in order: where nothing is written yet the first one, when all is written the last. Of one
 * that runs several times: these of all runs together, or the first and the last of each run.
 */
type Passage = readonly [first: Phase, ...others: Phase[]];

/** Of a core load that has nothing but inputs and one stage; scenarios say where they go another way. */
const PASSAGES: Record<string, Passage> = {
  start: ['no control tables', 'open'],
  openBatch: ['open', 'snapshot'],
  settleSource: ['plan'],
  takeSnapshot: ['snapshot', 'plan'],
  planStage: ['plan', 'chunk'],
  runLane: ['chunk', 'check'],
  steerLanes: ['chunk', 'check'],
  describeBatch: ['chunk', 'check'],
  runChecks: ['check', 'publish'],
  writeOutput: ['publish'], // what it writes is a file
  publish: ['publish', 'drop'],
  dropSnapshot: ['drop', 'published'],
  fenceBatch: ['fence', 'roll back'],
  rollBack: ['roll back', 'failed'],
};

/** Exactly one before others can see anything of the activity and when they can see all; in between any that it goes through. */
export function phasesAt({ activity, place }: PlacedPoint, { phases }: Scenario): readonly Phase[] {
  const passage = phases?.[activity] ?? PASSAGES[activity];
  if (!passage) throw new Error(`say in phase.ts, or in the scenario, through which phases ${activity} goes`);
  const { run } = place;
  // Where a scenario tells the runs apart: the phases at whose beginning and end.
  if (run.of > 1 && passage.length === 2 * run.of) {
    return possible(passage.slice(2 * run.n, 2 * run.n + 2) as [Phase, Phase], run.written);
  }
  return possible(passage, place.written);
}

const possible = (passage: Passage, written: Written): readonly Phase[] =>
  ({ nothing: [passage[0]], some: passage, all: [passage.at(-1)!] })[written];

interface Newest {
  batch_id: string;
  state: BatchState;
  definition: string;
}

export async function phaseOf(world: World, loads: readonly string[]): Promise<Phase> {
  if (!(await world.exists('waybill.batch'))) return 'no control tables';
  const [batch] = await world.rows<Newest>(
    `select batch_id, state, definition from waybill.batch
     where load_name in (${loads.map((_, i) => `$${i + 1}`).join(', ')}) order by batch_id desc limit 1`,
    loads,
  );
  if (!batch) return 'open';
  switch (batch.state) {
    case 'running':
      return phaseOfRunning(world, batch);
    case 'checking':
      return phaseOfChecking(world, batch);
    case 'rolling_back':
      return 'roll back';
    case 'published':
      if ((await taken(world, batch)).some(({ undropped }) => undropped)) return 'drop';
      return (await hasStep(world, batch, 'after')) ? 'after steps' : 'published';
    case 'failed':
      return (await hasStep(world, batch, 'on_error')) ? 'on_error steps' : 'failed';
    case 'held':
    case 'cancelled':
      return batch.state;
    default:
      throw new Error(`no load ends as ${batch.state} by itself`);
  }
}

async function phaseOfRunning(world: World, batch: Newest): Promise<Phase> {
  const failed = await world.rows(
    `select c.n from waybill.chunk c where c.batch_id = $1 and c.state = 'failed'
     union all select s.n from waybill.step s where s.batch_id = $2 and s.state = 'failed'`,
    [batch.batch_id, batch.batch_id],
  );
  if (failed.length > 0) return 'fence';
  if (await hasStep(world, batch, 'before')) return 'before steps';
  if (!(await hasSnapshot(world, batch))) return 'snapshot';
  const stages = await world.rows<{ planned: number | null; done: string }>(
    `select s.planned_chunks as planned, count(case when c.state = 'done' then 1 end) as done
     from waybill.stage s left join waybill.chunk c on c.batch_id = s.batch_id and c.stage = s.n
     where s.batch_id = $1 group by s.n, s.planned_chunks order by s.n`,
    [batch.batch_id],
  );
  const open = stages.find(({ planned, done }) => planned === null || Number(done) < planned);
  return open === undefined ? 'check' : open.planned === null ? 'plan' : 'chunk';
}

async function phaseOfChecking(world: World, batch: Newest): Promise<Phase> {
  const { checks } = JSON.parse(batch.definition) as LoadDefinition;
  const results = await world.rows<{ failed: string }>(
    `select case when severity = 'error' and not passed then 'yes' else 'no' end as failed
     from waybill.check_result where batch_id = $1`,
    [batch.batch_id],
  );
  if (results.length < checks.length) return 'check';
  return results.some(({ failed }) => failed === 'yes') ? 'fence' : 'publish';
}

async function hasStep(world: World, { batch_id }: Newest, phase: 'before' | 'after' | 'on_error'): Promise<boolean> {
  const open = `select n from waybill.step where batch_id = $1 and phase = $2 and state not in ('done', 'skipped')`;
  return (await world.rows(open, [batch_id, phase])).length > 0;
}

/** Every input stands in the ledger as taken, and as `_processing` in the catalog. */
async function hasSnapshot(world: World, batch: Newest): Promise<boolean> {
  const { inputs } = JSON.parse(batch.definition) as LoadDefinition;
  const records = await taken(world, batch);
  if (!inputs.every(({ table }) => records.some(({ name }) => name === table))) return false;
  const there = await Promise.all(records.map(({ processing }) => world.exists(processing)));
  return there.every((one) => one);
}

async function taken(
  world: World,
  { batch_id }: Newest,
): Promise<{ name: string; processing: string; undropped: boolean }[]> {
  const rows = await world.rows<{ name: string; processing: string; dropped_at: Date | null }>(
    'select table_name as name, processing_name as processing, dropped_at from waybill.snapshot where batch_id = $1',
    [batch_id],
  );
  return rows.map(({ dropped_at, ...row }) => ({ ...row, undropped: dropped_at === null }));
}
