import { getBatch } from '../control/batch.ts';
import { fence } from '../control/fence.ts';
import { firstFailure } from '../control/chunks.ts';
import type { Database } from '../database/dialect.ts';
import { TEXT_IN_LEDGER } from '../database/hidden-text.ts';
import { sql } from '../database/sql.ts';
import { activityWords, type BatchState, type OwnedBatch } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { toUntoldFailure } from './failures.ts';
import { report } from './heartbeat.ts';
import { whyNeverResumed } from './resume-held.ts';
import { lastErrorOf } from './tell-ledger.ts';

export interface FenceRequest extends OwnedBatch {
  to: 'rolling_back' | 'held';
  /** `cancelled`, `timeout`, `forced`, `interrupted`, `check`, `database`, … : what `batch.error_class` says. */
  errorClass: string;
  error: string;
  requestedBy: string | undefined;
  /** The activity that failed, or did not come to an end. */
  activity?: string | undefined;
}

export interface Fenced {
  /** `published` means that the fence came too late. */
  state: BatchState;
  /** What the workflow says of it. */
  error: string;
  /** Of a held batch that can never be resumed: what to do instead. */
  next?: string;
}

/** Shuts the gate of a batch and ends its SQL. */
export const fenceBatch =
  (engine: Engine) =>
  async (request: FenceRequest): Promise<Fenced> => {
    const database = engine.databases.get(request.connection);
    try {
      const { error, told } = await wordsOf(engine, request);
      const change = {
        errorClass: request.errorClass,
        error,
        firstRunId: request.firstRunId,
        requestedBy: request.requestedBy,
        reason: request.errorClass,
      };
      const state = await fence(database, request.batchId, request.to, change, sayOnce(engine, database, request));
      const never =
        state === 'held' ? await whyNeverResumed(database, await getBatch(database, request.batchId)) : undefined;
      return { state, error: told, ...(never && { next: never.next }) };
    } catch (error) {
      throw toUntoldFailure(error, database, `batch ${request.batchId}, fence`);
    }
  };

/**
 * What keeps a fence from ending those who hold its gate: in the heartbeat while it lasts, and in the log once. Until they leave by
 * themselves, nothing else says why a cancel takes so long.
 */
function sayOnce(engine: Engine, { dialect }: Database, { batchId }: FenceRequest): (error: unknown) => void {
  let logged: string | undefined;
  return (error) => {
    const { safeMessage } = dialect.classify(error);
    report({ waitingFor: 'its gate', heldBy: [`connections that it cannot end: ${safeMessage}`] });
    if (safeMessage !== logged) {
      engine.log.warn(
        { batch: batchId, error: safeMessage },
        'the fence cannot end those who hold the gate, and waits for them',
      );
    }
    logged = safeMessage;
  };
}

/** What became of the batch: `error` for the ledger, `told` for Temporal's history. */
async function wordsOf(engine: Engine, request: FenceRequest): Promise<{ error: string; told: string }> {
  const { error: said, errorClass, activity } = request;
  if (errorClass === 'database') return { error: (await ledgerError(engine, request)) ?? said, told: said };
  if (errorClass !== 'timeout' || activity === undefined) return { error: said, told: said };
  // All that time it may have been tried again and again: what did not pass is why.
  const last = await lastErrorOf(engine, request, activity);
  if (!last) return { error: said, told: said };
  const failed = `${said}; ${activityWords(activity)} failed, last with: `;
  const shown = `an error whose ${TEXT_IN_LEDGER} (waybill show ${request.batchId})`;
  return { error: `${failed}${last.message}`, told: `${failed}${last.open ? last.message : shown}` };
}

/** The whole text of what went wrong, values of rows included: it stays in the database that it came from. */
async function ledgerError(
  engine: Engine,
  { connection, batchId, activity }: FenceRequest,
): Promise<string | undefined> {
  const database = engine.databases.get(connection);
  const chunk = await firstFailure(database, database, batchId);
  if (chunk) {
    const { stage, n, planned, method, from, to, error } = chunk;
    return `stage ${stage}, chunk ${n}${method === 'range' ? `, ${from} to ${to}` : ` of ${planned}`}: ${error}`;
  }
  const { rows } = await database.query<{ phase: string; n: number; error: string }>(sql`
    select phase, n, error from ${database.ledger('step')} where batch_id = ${batchId} and state = 'failed' order by phase, n`);
  if (rows[0]) return `${rows[0].phase} step ${rows[0].n}: ${rows[0].error}`;
  return activity && (await lastErrorOf(engine, { connection, batchId }, activity))?.message;
}
