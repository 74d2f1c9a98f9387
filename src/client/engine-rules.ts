/**
 * The rules by which a start decides (DESIGN §3, "Restart rules"), for `plan`, which must say what `openBatch` would do and
 * not what somebody once copied from it. They only read here: nothing is forced, resumed or adopted.
 *
 * The one place where the client knows activities (landing-rules.ts knows what acquisitions do with their tables): these functions
 * are about the ledger, and touch Temporal's activity context nowhere.
 */
/* eslint-disable @typescript-eslint/no-restricted-imports */
import type { Client } from '@temporalio/client';
import { findWork, type Work } from '../activities/find-work.ts';
import type { Engine } from '../activities/engine.ts';
import { leftovers, unrecovered } from '../activities/leftovers.ts';
import { cutAcquisition } from '../activities/plan-acquisition.ts';
import { refuseNames } from '../activities/refuse-names.ts';
import { refuseOutputs } from '../activities/refuse-outputs.ts';
import { refuseSettings } from '../activities/refuse-settings.ts';
import { refuseSource } from '../activities/refuse-source.ts';
import { decideUnfinished } from '../activities/restart-rules.ts';
import { surveySnapshot, type SnapshotSurvey } from '../activities/survey-snapshot.ts';
import { unmadeInput } from '../activities/unmade-input.ts';
import type { LoadDefinition, Project } from '../config/definition.ts';
import type { Batch } from '../control/batch.ts';
import type { ChunkRange, Database } from '../database/dialect.ts';
import type { Databases } from '../database/databases.ts';

export type { SnapshotSurvey, Work };

/** A plain start: what no flag and no person has said. */
const PLAIN_START = {
  attempt: 1,
  workflowId: '',
  firstRunId: '',
  force: false,
  resume: false,
  adopt: false,
  params: {},
  requestedBy: undefined,
};

/** The rules read databases and, for an unfinished batch, ask Temporal for its workflow; no more of the engine. */
function engineOf(databases: Databases, client?: Client, project?: Project): Engine {
  return {
    databases,
    client,
    worker: 'this machine',
    loadProject: () => Promise.resolve(project),
  } as unknown as Engine;
}

/** What a start does first about an unfinished batch. Throws `ApplicationFailure` of type `Refused`. */
export async function ruleForUnfinished(
  databases: Databases,
  client: Client,
  database: Database,
  batch: Batch,
  load: LoadDefinition,
): Promise<{ why: string }> {
  const decision = await decideUnfinished(engineOf(databases, client), database, batch, load, {
    ...PLAIN_START,
    load: batch.loadName,
  });
  return { why: decision.kind === 'redo' ? decision.why : 'it is resumed' };
}

/** Whether a published batch has something left to finish: its snapshot to drop, `after` to run. */
export function ruleForLeftovers(database: Database, published: Batch): Promise<{ after: boolean } | undefined> {
  return leftovers(database, published, PLAIN_START);
}

/** Whether a failed batch has `on_error` steps left to run. */
export function ruleForRecovery(database: Database, failed: Batch): Promise<boolean> {
  return unrecovered(database, failed, PLAIN_START);
}

/** Whether its server takes its settings. Throws `ApplicationFailure` of type `Refused`. */
export const ruleForSettings = refuseSettings;

/** Whether its tables are those of its SQL. Throws `ApplicationFailure` of type `Refused`. */
export const ruleForNames = refuseNames;

/** Whether its source can be read as its file says. Throws `ApplicationFailure` of type `Refused`. */
export const ruleForSource = refuseSource;

/** Whether a batch may write its outputs. Throws `ApplicationFailure` of type `Refused`. */
export const ruleForOutputs = refuseOutputs;

/** Why a load that has never run has nothing to do: an input is yet to be made. */
export const ruleForInputs = unmadeInput;

/** Which snapshots a new batch takes over. Throws `ApplicationFailure` of type `Refused`. */
export function ruleForSnapshots(
  database: Database,
  load: LoadDefinition,
  latest: Batch | undefined,
): Promise<SnapshotSurvey> {
  return surveySnapshot(database, load, latest, PLAIN_START);
}

/** Whether a new batch would have anything to do. */
export function ruleForWork(
  { databases, project }: { databases: Databases; project: Project },
  database: Database,
  load: LoadDefinition,
  latest: Batch | undefined,
  snapshot: SnapshotSurvey,
): Promise<Work> {
  return findWork(engineOf(databases, undefined, project), database, load, latest, snapshot, PLAIN_START);
}

/** The chunks that an acquisition would be cut into. */
export async function acquisitionRanges(
  databases: Databases,
  database: Database,
  load: LoadDefinition,
  window: { from: string | null; to: string | null } | undefined,
): Promise<ChunkRange[]> {
  const batch = {
    definition: load,
    loadName: load.name,
    windowFrom: window?.from ?? null,
    windowTo: window?.to ?? null,
  } as Batch;
  const context = { database, batch } as Parameters<typeof cutAcquisition>[1];
  return (await cutAcquisition(engineOf(databases), context)).ranges;
}
