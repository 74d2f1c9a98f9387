/** The table `step`: `before`, `after` and `on_error` stand in the ledger like chunks. */
import type { LoadDefinition, StepDefinition } from '../config/definition.ts';
import type { Database, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';

export const STEP_PHASES = ['before', 'after', 'on_error'] as const;
export type StepPhase = (typeof STEP_PHASES)[number];

/** The steps of a phase, as the load's file has them. */
export const stepsOf = (load: LoadDefinition, phase: StepPhase): StepDefinition[] =>
  phase === 'on_error' ? load.onError : load[phase];

export interface StepKey {
  batchId: string;
  phase: StepPhase;
  n: number;
}

export interface StepRow {
  state: string;
  attempts: number;
}

/** Locks the step for this transaction and reads its state; a second attempt waits here for the first. */
export async function lockStep(session: Session, database: Database, at: StepKey): Promise<StepRow | undefined> {
  const { rows } = await session.query<StepRow>(sql`
    select state, attempts from ${database.ledger('step')}
    where batch_id = ${at.batchId} and phase = ${at.phase} and n = ${at.n} for update`);
  return rows[0];
}

export async function markStepDone(
  session: Session,
  database: Database,
  at: StepKey,
  facts: { rows: number; startedAt: Date },
): Promise<void> {
  await session.query(sql`
    update ${database.ledger('step')} set state = 'done', row_count = ${facts.rows}, attempts = attempts + 1,
      started_at = ${facts.startedAt}, finished_at = ${database.dialect.words.clock}, error = null
    where batch_id = ${at.batchId} and phase = ${at.phase} and n = ${at.n}`);
}

/** Counts a failed attempt, unless it is none of the step's fault, outside the transaction that failed: the step may have been done, or skipped, by others since. */
export async function markStepAttempt(
  database: Database,
  at: StepKey,
  { error, failed, counts = true }: { error: string; failed: boolean; counts?: boolean },
): Promise<void> {
  await database.query(sql`
    update ${database.ledger('step')} set attempts = attempts + ${counts ? 1 : 0}, error = ${error},
      state = case when ${failed} then 'failed' else state end
    where batch_id = ${at.batchId} and phase = ${at.phase} and n = ${at.n}
      and state not in ('done', 'skipped')`);
}

/** Steps of a phase that are not done, in order. */
export async function openSteps(database: Database, batchId: string, phase: StepPhase): Promise<number[]> {
  const { rows } = await database.query<{ n: number }>(sql`
    select n from ${database.ledger('step')}
    where batch_id = ${batchId} and phase = ${phase} and state not in ('done', 'skipped') order by n`);
  return rows.map((row) => row.n);
}

/** A forced start goes past `after` and `on_error` steps that cannot be done. */
export async function skipSteps(
  session: Session,
  database: Database,
  batchId: string,
  phase: StepPhase,
): Promise<number> {
  const { rowCount } = await session.query(sql`
    update ${database.ledger('step')} set state = 'skipped'
    where batch_id = ${batchId} and phase = ${phase} and state not in ('done', 'skipped')`);
  return rowCount;
}
