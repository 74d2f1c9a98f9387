/**
 * The gate of a batch: every transaction that writes for a batch passes it; who shuts it is alone in it. See
 * ARCHITECTURE.md, "The gate".
 */
import type { Database, Session } from '../database/dialect.ts';
import { part, sql } from '../database/sql.ts';
import { WaybillError } from '../errors.ts';
import type { BatchState } from '../workflows/messages.ts';
import { recordEvent } from './events.ts';
import { statesBefore } from './states.ts';

/** The batch is not in a state in which this work may be done: it was fenced, published or redone meanwhile. */
export class FencedError extends WaybillError {
  constructor(
    readonly batchId: string,
    /** What the ledger says; undefined: no such batch. */
    readonly state: BatchState | undefined,
    wanted: readonly BatchState[],
  ) {
    super(`batch ${batchId} is ${state ?? 'unknown'}, not ${wanted.join(' or ')}: its work was taken over or ended`, {
      where: `batch ${batchId}`,
    });
  }
}

/** Begins a transaction, passes the gate in one of the wanted states, does the work, commits. Throws `FencedError`. */
export async function inGate<T>(
  database: Database,
  batchId: string,
  wanted: readonly BatchState[],
  work: (session: Session) => Promise<T>,
): Promise<T> {
  return database.transaction((session) => passGate(session, database, batchId, wanted, () => work(session)));
}

/** The same within a transaction that has begun. */
export async function passGate<T>(
  session: Session,
  database: Database,
  batchId: string,
  wanted: readonly BatchState[],
  work: () => Promise<T>,
): Promise<T> {
  const state = (await enterGate(session, database, batchId, 'shared'))?.state;
  if (state === undefined || !wanted.includes(state)) throw new FencedError(batchId, state, wanted);
  return work();
}

/** A batch as it is for whoever has entered its gate. */
interface Entered {
  state: BatchState;
  /** The first run of the workflow that it belongs to. */
  firstRunId: string | null;
}

/** Within a transaction that has begun. Undefined: there is no such batch. */
export async function enterGate(
  session: Session,
  database: Database,
  batchId: string,
  mode: 'shared' | 'exclusive',
): Promise<Entered | undefined> {
  const answers = await session.pipeline<{ state: BatchState; first_run_id: string | null }>(
    database.dialect.gate(database, batchId, mode, part`, first_run_id`),
  );
  const row = answers.at(-1)!.rows[0];
  return row && { state: row.state, firstRunId: row.first_run_id };
}

/** What a change of state also stores. */
export interface StateChange {
  /** Alone in the gate, before the state changes; may throw to leave it as it is. */
  prove?: (session: Session) => Promise<void>;
  /** The batch must belong to this chain of runs still; undefined: to whichever. */
  firstRunId?: string | null | undefined;
  errorClass?: string | undefined;
  error?: string | undefined;
  reason?: string | undefined;
  requestedBy?: string | undefined;
}

/**
 * Compare-and-set of a batch's state, alone in the gate. Returns the state that the batch has afterwards: `to` if the
 * change was made (or had been made), else whatever it was. Throws `FencedError` where it is another workflow's by now.
 */
export async function changeState(
  database: Database,
  batchId: string,
  to: BatchState,
  change: StateChange = {},
): Promise<BatchState> {
  return database.transaction((session) => changeStateIn(session, database, batchId, to, change));
}

/** The same within a transaction that has begun. */
export async function changeStateIn(
  session: Session,
  database: Database,
  batchId: string,
  to: BatchState,
  change: StateChange = {},
): Promise<BatchState> {
  const entered = await enterGate(session, database, batchId, 'exclusive');
  if (entered === undefined) throw new FencedError(batchId, undefined, [to]);
  const { state } = entered;
  if (!statesBefore(to).includes(state)) return state;
  if (change.firstRunId !== undefined && entered.firstRunId !== change.firstRunId) {
    throw new FencedError(batchId, state, [to]);
  }
  await change.prove?.(session);
  const finished = ['published', 'failed', 'cancelled', 'retracted'].includes(to);
  await session.query(sql`
    update ${database.ledger('batch')} set state = ${to},
      finished_at = case when ${finished} then ${database.dialect.words.now} else finished_at end,
      error_class = coalesce(${change.errorClass ?? null}, error_class), error = coalesce(${change.error ?? null}, error),
      reason = coalesce(${change.reason ?? null}, reason)
    where batch_id = ${batchId} and state = ${state}`);
  await recordEvent(session, database, batchId, to, change);
  return to;
}
