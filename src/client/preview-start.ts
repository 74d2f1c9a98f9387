import { ApplicationFailure } from '@temporalio/client';
import type { LoadDefinition } from '../config/definition.ts';
import { findLatest, findUnfinished, type Batch } from '../control/batch.ts';
import { keepsItsWork } from '../config/keeps-its-work.ts';
import { historyNames } from '../control/rename.ts';
import type { Database } from '../database/dialect.ts';
import { temporalFailure } from './connect.ts';
import type { ClientContext } from './context.ts';
import {
  ruleForInputs,
  ruleForNames,
  ruleForOutputs,
  ruleForLeftovers,
  ruleForRecovery,
  ruleForSnapshots,
  ruleForSettings,
  ruleForSource,
  ruleForUnfinished,
  ruleForWork,
  type Work,
} from './engine-rules.ts';
import { describeRun } from './start-run.ts';
import { loadWorkflowId } from '../workflows/messages.ts';

/** What a plain start would do at this moment. */
export interface StartPreview {
  does: 'new batch' | 'redo' | 'goes on' | 'nothing' | 'waits' | 'refused' | 'running';
  /** What comes first, why there is nothing to do, or why it is refused: sentences. */
  because: string[];
  /** The unfinished batch whose rows leave the outputs first. */
  takesBack: Batch | undefined;
  /** The failed batch that the new one does again. */
  redoes: Batch | undefined;
  /** Landing tables whose snapshot is there already. */
  inherited: string[];
  work: Extract<Work, { kind: 'work' }> | undefined;
}

/** Goes through what `openBatch` goes through, and changes nothing. */
export async function previewStart(
  context: ClientContext,
  database: Database,
  load: LoadDefinition,
): Promise<StartPreview> {
  const start: StartPreview = {
    does: 'new batch',
    because: [],
    takesBack: undefined,
    redoes: undefined,
    inherited: [],
    work: undefined,
  };
  try {
    return await decide(context, database, load, start);
  } catch (error) {
    if (!(error instanceof ApplicationFailure)) throw temporalFailure(context.target, error);
    const { next } = (error.details?.[0] ?? {}) as { next?: string };
    return { ...start, does: 'refused', because: [error.message, ...(next === undefined ? [] : [next])] };
  }
}

async function decide(
  context: ClientContext,
  database: Database,
  load: LoadDefinition,
  start: StartPreview,
): Promise<StartPreview> {
  const disabled = (): StartPreview => ({
    ...start,
    does: 'refused',
    because: [`${load.name} is disabled`, 'set enabled: true', ...start.because.map((done) => `first, ${done}`)],
  });
  const names = historyNames(load);
  const unfinished = await firstOf(names, (name) => findUnfinished(database, name));
  if (unfinished) {
    const client = await context.temporal();
    const run = await describeRun(context, client, loadWorkflowId(load.name));
    if (run?.status === 'RUNNING' && run.firstRunId === unfinished.firstRunId) {
      return { ...start, does: 'running', because: [`batch ${unfinished.batchId} is ${unfinished.state}`] };
    }
    if (unfinished.state === 'held' && !load.enabled) return disabled();
    const { why } = await ruleForUnfinished(context.databases, client, database, unfinished, load);
    start.takesBack = unfinished;
    const keeps = keepsItsWork(unfinished.definition);
    start.because.push(`batch ${unfinished.batchId} is ${keeps ? 'ended' : 'rolled back'}: ${why}`);
  }
  const latest: Batch | undefined = unfinished
    ? { ...unfinished, state: 'failed' }
    : await firstOf(names, (name) => findLatest(database, name));
  if (latest?.state === 'published') {
    const left = await ruleForLeftovers(database, latest);
    if (left) {
      start.because.push(
        `batch ${latest.batchId} is finished: its snapshot is dropped${left.after ? ', `after` runs' : ''}`,
      );
      if (!load.enabled) return disabled();
      // What it left is gone by the time that the new batch looks.
      const found = await workOf(context, database, load, latest, []);
      return { ...start, ...found, because: [...start.because, ...found.because] };
    }
  }
  if (latest && (await ruleForRecovery(database, latest))) {
    start.because.push(`\`on_error\` of batch ${latest.batchId} runs`);
  }
  if (!load.enabled) return disabled();
  await ruleForSettings(database, load);
  await ruleForNames(context.databases, load);
  await ruleForSource(context.databases, load);
  await ruleForOutputs(database, load, {
    takesOver: latest !== undefined,
    loads: Object.values(context.project.loads),
  });
  const unmade = latest ? undefined : await ruleForInputs(database, load, Object.values(context.project.loads));
  if (unmade !== undefined) return { ...start, does: 'nothing', because: [...start.because, unmade] };
  const snapshot = await ruleForSnapshots(database, load, latest);
  const inherited = snapshot.inherited.map(({ table }) => table);
  const found = await workOf(context, database, load, latest, inherited, snapshot);
  const redoes = keepsItsWork(load) ? found.work?.continues : latest?.state === 'published' ? undefined : latest;
  return {
    ...start,
    ...found,
    does: found.does === 'new batch' && redoes ? (found.work?.continues ? 'goes on' : 'redo') : found.does,
    because: [...start.because, ...found.because],
    redoes,
    inherited,
  };
}

/** Is there anything to do? */
async function workOf(
  context: ClientContext,
  database: Database,
  load: LoadDefinition,
  latest: Batch | undefined,
  inherited: string[],
  snapshot: Parameters<typeof ruleForWork>[4] = { inherited: [], adopted: [], restored: false },
): Promise<Pick<StartPreview, 'does' | 'because' | 'work' | 'inherited'>> {
  const work = await ruleForWork(context, database, load, latest, snapshot);
  if (work.kind === 'work') return { does: 'new batch', because: [], work, inherited };
  const because = work.kind === 'nothing' ? work.reason : `waits for ${work.load}, which takes its snapshot`;
  return { does: work.kind === 'nothing' ? 'nothing' : 'waits', because: [because], work: undefined, inherited };
}

async function firstOf<T>(names: string[], find: (name: string) => Promise<T | undefined>): Promise<T | undefined> {
  for (const name of names) {
    const found = await find(name);
    if (found !== undefined) return found;
  }
  return undefined;
}
