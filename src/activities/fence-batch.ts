import { fence } from '../control/fence.ts';
import { firstFailure } from '../control/chunks.ts';
import { sql } from '../database/sql.ts';
import type { BatchState, OwnedBatch } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { toFailure } from './failures.ts';

export interface FenceRequest extends OwnedBatch {
  to: 'rolling_back' | 'held';
  /** `cancelled`, `timeout`, `forced`, `interrupted`, `check`, `database`, … : what `batch.error_class` says. */
  errorClass: string;
  error: string;
  requestedBy: string | undefined;
}

/** Shuts the gate of a batch and ends its SQL. Answers with the state: `published` means that it came too late. */
export const fenceBatch =
  (engine: Engine) =>
  async (request: FenceRequest): Promise<{ state: BatchState; error: string }> => {
    const database = engine.databases.get(request.connection);
    try {
      const full = await ledgerError(engine, request);
      const error = full ?? request.error;
      const state = await fence(database, request.batchId, request.to, {
        errorClass: request.errorClass,
        error,
        firstRunId: request.firstRunId,
        requestedBy: request.requestedBy,
        reason: request.errorClass,
      });
      return { state, error: request.error };
    } catch (error) {
      throw toFailure(error, database, `batch ${request.batchId}, fence`);
    }
  };

/** The whole text of what went wrong, values of rows included: it stays in the database that it came from. */
async function ledgerError(
  engine: Engine,
  { connection, batchId, errorClass }: FenceRequest,
): Promise<string | undefined> {
  if (errorClass !== 'database') return undefined;
  const database = engine.databases.get(connection);
  const chunk = await firstFailure(database, database, batchId);
  if (chunk) {
    const { stage, n, planned, method, from, to, error } = chunk;
    return `stage ${stage}, chunk ${n}${method === 'range' ? `, ${from} to ${to}` : ` of ${planned}`}: ${error}`;
  }
  const { rows } = await database.query<{ phase: string; n: number; error: string }>(sql`
    select phase, n, error from ${database.ledger('step')} where batch_id = ${batchId} and state = 'failed' order by phase, n`);
  return rows[0] && `${rows[0].phase} step ${rows[0].n}: ${rows[0].error}`;
}
