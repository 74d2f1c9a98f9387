import { markStepAttempt, markStepDone, lockStep, openSteps, type StepPhase } from '../control/steps.ts';
import { passGate } from '../control/gate.ts';
import type { SqlSource } from '../config/definition.ts';
import { inTransaction } from '../database/transaction.ts';
import { renderForBatch } from '../sql/batch-sql.ts';
import { parseStatements } from '../sql/statement.ts';
import { FAILURE, type BatchReference } from '../workflows/messages.ts';
import { loadContext, type BatchContext } from './batch-context.ts';
import type { Engine } from './engine.ts';
import { permanent, toFailure } from './failures.ts';

export interface StepsRequest extends BatchReference {
  phase: StepPhase;
}

/** Runs the steps of a phase that are not done, in order, each in a transaction with its ledger row: once each. */
export const runSteps =
  (engine: Engine) =>
  async (at: StepsRequest): Promise<{ done: number }> => {
    const context = await readContext(engine, at);
    const { database, batch } = context;
    let done = 0;
    for (const n of await openSteps(database, at.batchId, at.phase)) {
      const step = { batchId: at.batchId, phase: at.phase, n };
      const where = `load ${batch.loadName}, batch ${at.batchId}, ${at.phase} step ${n}`;
      try {
        done += (await runStep(context, step, batch.definition[at.phase][n - 1]!)) ? 1 : 0;
      } catch (error) {
        const facts = database.dialect.classify(error);
        const attempts = await countAttempt(context, step, facts);
        if (facts.kind !== 'permanent' && attempts >= batch.definition.maxAttempts) {
          throw permanent(FAILURE.database, `${facts.safeMessage} (${attempts} attempts)`, { where });
        }
        throw toFailure(error, database, where);
      }
    }
    return { done };
  };

async function readContext(engine: Engine, at: StepsRequest): Promise<BatchContext> {
  try {
    return await loadContext(engine, at);
  } catch (error) {
    throw toFailure(error, engine.databases.get(at.connection), `batch ${at.batchId}, ${at.phase} steps`);
  }
}

async function runStep(
  { database, batch, values }: BatchContext,
  step: { batchId: string; phase: StepPhase; n: number },
  source: SqlSource,
): Promise<boolean> {
  const startedAt = new Date();
  const session = await database.openSession(`waybill ${batch.batchId} ${step.phase} step ${step.n}`, {
    // `after` may run long after the batch: the time that its work had is over then, and no measure.
    statementTimeoutMs:
      step.phase === 'after' ? batch.definition.maxRuntimeMs : Math.max(1000, batch.deadlineAt.getTime() - Date.now()),
  });
  try {
    const wanted = step.phase === 'before' ? (['running'] as const) : (['published'] as const);
    const run = () =>
      passGate(session, database, batch.batchId, wanted, async () => {
        const row = await lockStep(session, database, step);
        if (row?.state === 'done' || row?.state === 'skipped') return false;
        let rows = 0;
        for (const statement of parseStatements(source, database.dialect.sql, 'step')) {
          rows += (await session.run(renderForBatch(statement, values, database.dialect))).rowCount;
        }
        await markStepDone(session, database, step, { rows, startedAt });
        return true;
      });
    return await inTransaction(session, run, { settings: batch.definition.sessionParams });
  } finally {
    await session.close();
  }
}

/** Attempts so far, this one included; a connection that is down must not keep us from reporting the error itself. */
async function countAttempt(
  { database, batch }: BatchContext,
  step: { batchId: string; phase: StepPhase; n: number },
  facts: { kind: string; message: string },
): Promise<number> {
  try {
    await markStepAttempt(database, step, { error: facts.message, failed: facts.kind === 'permanent' });
    return await database.transaction(async (session) => (await lockStep(session, database, step))?.attempts ?? 0);
  } catch (error) {
    if (database.dialect.classify(error).kind === 'permanent') throw error;
    return batch.definition.maxAttempts - 1;
  }
}
