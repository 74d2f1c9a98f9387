import type { LoadDefinition, Project } from '../config/definition.ts';
import { rereadProblem, rereadWords, type Reread } from '../config/reread.ts';
import { findLatest, findOpenedBy, findPublishedIn, findUnfinished, type Batch } from '../control/batch.ts';
import { requireProject } from '../control/project.ts';
import { renameHistory } from '../control/rename.ts';
import { settleFiles } from '../control/source-files.ts';
import { describeHolder } from '../database/describe-holder.ts';
import type { Database, LockWait } from '../database/dialect.ts';
import { errorFacts } from '../database/error-facts.ts';
import { LockWatch } from '../database/lock-watch.ts';
import { WaybillError } from '../errors.ts';
import { toldOfOthers } from '../control/take-back.ts';
import { isUnderWay } from '../control/states.ts';
import { nearest } from '../sql/names.ts';
import {
  FAILURE,
  type BatchReference,
  type OwnedBatch,
  type ParameterValue,
  type SharedWindow,
} from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { permanent, refused, toUntoldFailure } from './failures.ts';
import { findWork } from './find-work.ts';
import { insertBatch } from './insert-batch.ts';
import { leftovers, unrecovered } from './leftovers.ts';
import { describeOpened, type OpenedBatch } from './opened-batch.ts';
import { prepareLanding } from './prepare-landing.ts';
import { refuseNames } from './refuse-names.ts';
import { refuseOutputs } from './refuse-outputs.ts';
import { refuseSettings } from './refuse-settings.ts';
import { refuseSource } from './refuse-source.ts';
import { decideUnfinished } from './restart-rules.ts';
import { surveySnapshot } from './survey-snapshot.ts';
import { unmadeInput } from './unmade-input.ts';

export interface OpenRequest {
  load: string;
  /** Within the workflow: a forced reload opens the next one. */
  attempt: number;
  workflowId: string;
  firstRunId: string;
  force: boolean;
  resume: boolean;
  adopt: boolean;
  /** What to read in place of what comes next. */
  reread?: Reread;
  params: Record<string, ParameterValue>;
  requestedBy: string | undefined;
  /** Of the session that asks, where all its loads share one. */
  window?: SharedWindow | undefined;
  /** As in `LoadInput`. */
  keepRowsOf?: string[] | undefined;
}

/** What a start finds, and so what the workflow does next. `project`: of which project (workflows/project-interceptor.ts). */
export type OpenOutcome = OpenStep & { project?: string };

type OpenStep =
  | { kind: 'opened'; batch: OpenedBatch }
  | { kind: 'nothing'; reason: string }
  /** An acquisition whose landing table a core load wants first. `historyLimit`: as in `OpenedBatch`. */
  | { kind: 'wait'; batch: BatchReference; load: string; historyLimit: number | null }
  /** Somebody has a table locked that a start looks at, of the source or of the warehouse. Nothing is held meanwhile. */
  | { kind: 'busy'; waitingFor: string; heldBy: string[]; historyLimit: number | null }
  /** An unfinished batch whose workflow is gone: fence it, roll it back, ask again. */
  | { kind: 'redo'; batch: OwnedBatch; why: string; errorClass: string }
  /** A published batch with its snapshot or `after` steps left: finish it, ask again. */
  | { kind: 'finish'; batch: BatchReference; after: boolean }
  /** A failed batch whose `on_error` steps are not done: do them, ask again. */
  | { kind: 'recover'; batch: BatchReference };

/**
 * Opens a batch, or says what has to be done first: the restart rules (DESIGN §3). Idempotent on the workflow's first run
 * and the attempt. Changes nothing unless it opens, but for the name of a renamed load's history.
 */
export const openBatch =
  (engine: Engine) =>
  async (request: OpenRequest): Promise<OpenOutcome> => {
    let database: Database | undefined;
    const watch = new LockWatch();
    try {
      const project = await engine.loadProject();
      const load = project.loads[request.load];
      if (!load) {
        const near = nearest(request.load, Object.keys(project.loads));
        throw permanent(FAILURE.configuration, `there is no load ${request.load}`, {
          where: `${project.name}, loads/`,
          next: near ? `did you mean ${near}?` : `loads: ${Object.keys(project.loads).sort().join(', ')}`,
        });
      }
      const misasked = rereadProblem(load, request.reread ?? {});
      if (misasked) {
        throw permanent(FAILURE.configuration, misasked.message, { where: load.file, next: misasked.next });
      }
      if (request.resume) refuseWindow(load, request.reread ?? {});
      const databases = watch.over(engine.databases);
      database = databases.get(load.connection);
      await requireProject(database, project.name);
      const asked = { ...request, params: declaredOf(load, request.params) };
      return { ...(await open({ ...engine, databases }, database, project, load, asked)), project: project.name };
    } catch (error) {
      if (isLocked(error, database))
        return { ...heldUp(await watch.seen()), historyLimit: engine.historyLimit ?? null };
      throw toUntoldFailure(error, database, `load ${request.load}`);
    } finally {
      watch.stop();
    }
  };

/** What names its holders itself (adoption, which a person asks for) fails after a few attempts. */
const isLocked = (error: unknown, database: Database | undefined): boolean =>
  !(error instanceof WaybillError) && errorFacts(error, database)?.locked === true;

function heldUp(wait: LockWait | undefined): Omit<Extract<OpenStep, { kind: 'busy' }>, 'historyLimit'> {
  const heldBy = (wait?.holders ?? []).map((holder) => describeHolder(holder));
  return { kind: 'busy', waitingFor: wait?.waitingFor ?? 'what somebody has locked', heldBy };
}

/** A session gives its parameters to all its loads: one that does not declare a parameter does not differ by it from a run before. */
const declaredOf = (load: LoadDefinition, given: Record<string, ParameterValue>): Record<string, ParameterValue> =>
  Object.fromEntries(Object.entries(given).filter(([name]) => Object.hasOwn(load.params, name)));

async function open(
  engine: Engine,
  database: Database,
  project: Project,
  load: LoadDefinition,
  asked: OpenRequest,
): Promise<OpenStep> {
  const mine = await findOpenedBy(database, asked.firstRunId, asked.attempt);
  if (mine && isUnderWay(mine.state)) return opened(engine, database, mine);
  // Cron and retried workflows keep the id of their first run: what an earlier run of the chain has ended, or held, is not ours.
  const request = mine ? { ...asked, attempt: mine.attempt + 1 } : asked;

  // A batch that is under way goes on where it began; what begins now must not go where nobody means it to.
  engine.databases.refuseMoved([load.connection, load.from?.connection ?? load.connection], project.connections);

  const unfinished =
    (await findUnfinished(database, load.name)) ??
    (load.renamedFrom ? await findUnfinished(database, load.renamedFrom) : undefined);
  if (unfinished) {
    if (unfinished.state === 'held') refuseDisabled(load); // its work is kept, and not undone for a start that does nothing
    const decision = await decideUnfinished(engine, database, unfinished, load, request);
    if (decision.kind === 'resumed') return opened(engine, database, decision.batch);
    return decision;
  }
  if (request.resume) {
    throw refused(`${load.name} has no held batch to resume`, {
      where: `load ${load.name}`,
      next: `start it: waybill run ${load.name}`,
    });
  }

  // First of all: what was consumed and which windows were read is found by the load's name.
  if (load.renamedFrom) await renameHistory(database, load.renamedFrom, load.name);
  const latest = await findLatest(database, load.name);
  if (latest?.state === 'published') {
    const left = await leftovers(database, latest, request);
    if (left) return { kind: 'finish', batch: referenceOf(database, latest), after: left.after };
  }
  const done = await doneInWindow(database, load, request.window);
  if (done !== undefined) {
    return { kind: 'nothing', reason: `batch ${done} did it in this window of session ${request.window!.session}` };
  }
  if (latest && (await unrecovered(database, latest, request))) {
    return { kind: 'recover', batch: referenceOf(database, latest) };
  }
  refuseDisabled(load); // by now nothing of the batches before is left to be done
  await refuseSettings(database, load);
  await refuseNames(engine.databases, load);
  await refuseSource(engine.databases, load);
  await refuseOutputs(database, load, {
    takesOver: latest !== undefined || request.force,
    loads: Object.values(project.loads),
  });
  const unmade = latest ? undefined : await unmadeInput(database, load, Object.values(project.loads));
  if (unmade !== undefined) return { kind: 'nothing', reason: unmade };
  try {
    const snapshot = await surveySnapshot(database, load, latest, request);
    const wait = await prepareLanding(engine, database, load, request);
    const { historyLimit = null } = engine;
    if (wait) return { ...wait, historyLimit };
    const work = await findWork(engine, database, load, latest, snapshot, request);
    if (work.kind === 'wait') return { ...work, historyLimit };
    if (work.settled) await settleFiles(database, work.settled);
    if (work.kind !== 'work') return { kind: 'nothing', reason: work.reason };
    const warnings = await toldOfOthers(database, load);
    const batch = await insertBatch(database, load, request, {
      loads: Object.values(project.loads),
      latest,
      snapshot,
      work,
      warnings,
    });
    return batch.kind === 'wait' ? { ...batch, historyLimit } : await opened(engine, database, batch.batch);
  } catch (error) {
    // Two attempts of this activity at once (one that had lost its heartbeat): the ledger let one of them in, or this one came to its snapshot.
    const other = await findOpenedBy(database, request.firstRunId, request.attempt);
    if (other) return opened(engine, database, other);
    throw error;
  }
}

/**
 * The batch that did a task in a session's window: one that goes on in a window that broke off runs no task twice in it, also where
 * somebody ran the task alone since. Other kinds know by themselves what is new.
 */
async function doneInWindow(
  database: Database,
  load: LoadDefinition,
  window: SharedWindow | undefined,
): Promise<string | undefined> {
  return load.kind === 'task' && window ? findPublishedIn(database, load.name, window) : undefined;
}

async function opened(engine: Engine, database: Database, batch: Batch): Promise<OpenStep> {
  return { kind: 'opened', batch: await describeOpened(engine, database, batch) };
}

export const referenceOf = (database: Database, batch: Batch): BatchReference => ({
  connection: database.connection,
  batchId: batch.batchId,
});

function refuseDisabled({ name, enabled, file }: LoadDefinition): void {
  if (!enabled) throw refused(`${name} is disabled`, { where: file, next: 'set enabled: true' });
}

/** A held batch goes on in the window that it has. */
function refuseWindow(load: LoadDefinition, reread: Reread): void {
  const words = rereadWords(reread);
  if (words === '') return;
  throw permanent(FAILURE.configuration, `the held batch has its window, and ${words} asks for another`, {
    where: load.file,
    next: `resume it without; or start the load with ${words} and without resume: a new batch then`,
  });
}
