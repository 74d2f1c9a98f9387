import { statementTimeoutMs } from '../control/batch.ts';
import { recordLane } from '../control/lanes.ts';
import {
  lockStep,
  markStepAttempt,
  markStepDone,
  openSteps,
  stepsOf,
  type StepKey,
  type StepPhase,
  type StepRow,
} from '../control/steps.ts';
import { passGate } from '../control/gate.ts';
import type { StepDefinition } from '../config/definition.ts';
import type { Session } from '../database/dialect.ts';
import { inTransaction } from '../database/transaction.ts';
import { renderForBatch } from '../sql/batch-sql.ts';
import { parseStatements, type Statement } from '../sql/statement.ts';
import { FAILURE, type BatchReference } from '../workflows/messages.ts';
import { loadContext, type BatchContext } from './batch-context.ts';
import type { Engine } from './engine.ts';
import { permanent, toFailure, toUntoldFailure } from './failures.ts';
import { isHeldUp } from './held-up.ts';

export interface StepsRequest extends BatchReference {
  phase: StepPhase;
}

/**
 * Runs the steps of a phase that are not done, in order, each in a transaction with its ledger row: once each, or, where a
 * statement commits by itself, at least once.
 */
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
        done += (await runStep(context, step, stepsOf(batch.definition, at.phase)[n - 1]!)) ? 1 : 0;
      } catch (error) {
        const facts = database.dialect.classify(error);
        // What comes after a batch has no end that would stop it.
        const counts = !(step.phase === 'before' && isHeldUp(facts, batch));
        const attempts = await countAttempt(context, step, { ...facts, counts });
        if (facts.kind !== 'permanent' && counts && attempts >= batch.definition.maxAttempts) {
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
    throw toUntoldFailure(error, engine.databases.get(at.connection), `batch ${at.batchId}, ${at.phase} steps`);
  }
}

async function runStep(given: BatchContext, step: StepKey, source: StepDefinition): Promise<boolean> {
  const context = withSettings(given, source);
  const { database, batch } = context;
  const statements = parseStatements(source, database.dialect.sql, 'step');
  const session = await database.openSession(`waybill ${batch.batchId} ${step.phase} step ${step.n}`, {
    // What follows a batch may run long after it: the time that its work had is over then, and no measure.
    statementTimeoutMs: step.phase === 'before' ? statementTimeoutMs(batch) : batch.definition.maxRuntimeMs,
  });
  const run = statements.some(({ commitsByItself }) => commitsByItself) ? atLeastOnce : once;
  try {
    return await alone(context, session, step, () => run(context, session, step, statements));
  } finally {
    await session.close();
  }
}

/** The batch as its step sees it. */
function withSettings(context: BatchContext, { sessionParams }: StepDefinition): BatchContext {
  if (sessionParams === undefined) return context;
  const { batch, values } = context;
  const definition = { ...batch.definition, sessionParams };
  return { ...context, batch: { ...batch, definition }, values: { ...values, definition } };
}

/**
 * Never twice at a time. Where a server goes on with the statement of a connection that is lost (MySQL, MariaDB), whoever comes
 * next ends it, and a fence finds it where it finds those of lanes.
 */
async function alone<T>(
  { database }: BatchContext,
  session: Session,
  step: StepKey,
  work: () => Promise<T>,
): Promise<T> {
  const { dialect, controlSchema } = database;
  const name = `${dialect.quoteName(controlSchema)}.${dialect.quoteName(`step ${step.batchId} ${step.phase} ${step.n}`)}`;
  try {
    return await dialect.aloneWith(session, [name], async () => {
      if (step.phase === 'before')
        await recordLane(database, laneOf(step), { connectionId: session.connectionId, worker: 'before step' });
      return work();
    });
  } catch (error) {
    await session.rollback();
    throw error;
  }
}

/** All statements and the ledger's row in one transaction. */
async function once(
  { database, batch, values }: BatchContext,
  session: Session,
  step: StepKey,
  statements: Statement[],
): Promise<boolean> {
  const startedAt = new Date();
  const run = (): Promise<boolean> =>
    passGate(session, database, batch.batchId, STATES[step.phase], async () => {
      const row = await lockStep(session, database, step);
      if (isOver(row)) return false;
      let rows = 0;
      for (const statement of statements) {
        rows += (await session.run(renderForBatch(statement, values, database.dialect))).rowCount;
      }
      await markStepDone(session, database, step, { rows, startedAt });
      return true;
    });
  return inTransaction(session, run, { settings: batch.definition.sessionParams });
}

/**
 * Where a statement commits by itself, nothing can hold the step together: each statement is a transaction that passes the gate,
 * and a step that breaks off is done again from its start.
 */
async function atLeastOnce(
  { database, batch, values }: BatchContext,
  session: Session,
  step: StepKey,
  statements: Statement[],
): Promise<boolean> {
  const startedAt = new Date();
  const begin = async (): Promise<StepRow | undefined> => {
    await session.begin({ settings: batch.definition.sessionParams });
    return passGate(session, database, batch.batchId, STATES[step.phase], () => lockStep(session, database, step));
  };
  let rows = 0;
  for (const statement of statements) {
    if (isOver(await begin())) return false;
    const { commitsByItself: commits } = statement;
    rows += (await session.run(renderForBatch(statement, values, database.dialect), { commits })).rowCount;
    if (!commits) await session.commit();
  }
  await begin();
  await markStepDone(session, database, step, { rows, startedAt });
  await session.commit();
  return true;
}

const STATES = { before: ['running'], after: ['published'], on_error: ['failed'] } as const;

const isOver = (row: StepRow | undefined): boolean => row?.state === 'done' || row?.state === 'skipped';

/** Stages count from 1. */
const laneOf = ({ batchId, n }: StepKey) => ({ batchId, stage: 0, lane: n });

/** Attempts so far, this one included if it counts; a connection that is down must not keep us from reporting the error itself. */
async function countAttempt(
  { database, batch }: BatchContext,
  step: StepKey,
  facts: { kind: string; message: string; counts: boolean },
): Promise<number> {
  try {
    const { message: error, kind, counts } = facts;
    await markStepAttempt(database, step, { error, failed: kind === 'permanent', counts });
    return await database.transaction(async (session) => (await lockStep(session, database, step))?.attempts ?? 0);
  } catch (error) {
    if (database.dialect.classify(error).kind === 'permanent') throw error;
    return batch.definition.maxAttempts - 1;
  }
}
