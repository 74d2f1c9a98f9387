import { Context } from '@temporalio/activity';
import { getBatch, type Batch } from '../control/batch.ts';
import { rowsWritten } from '../control/chunks.ts';
import { changeState, FencedError, passGate } from '../control/gate.ts';
import { readOutputs } from '../control/outputs.ts';
import type { Database, Session } from '../database/dialect.ts';
import type { DeletionRange } from '../database/output-dialect.ts';
import { composed, raw, sql } from '../database/sql.ts';
import { inTransaction, withSession } from '../database/transaction.ts';
import { LoadFailedError } from '../errors.ts';
import type { BatchReference, BatchState } from '../workflows/messages.ts';
import { placesOf } from './batch-places.ts';
import type { Engine } from './engine.ts';
import { toFailure } from './failures.ts';
import { report } from './heartbeat.ts';

/** Rows a transaction of a roll back deletes, about: short enough to keep vacuum and replicas close behind. */
const ROWS_A_TRANSACTION = 100_000;

/**
 * Rounds in a row that bring nothing nearer to its end. Rows that somebody moves about are passed over now and then, but not so often,
 * with a longer pause each time: 4.5 s in all.
 */
const MOST_FRUITLESS = 10;
const PAUSE_MS = 100;

/** Tells whether deletes come to an end: something may keep the rows, or a trigger write others of the batch for those that go. */
class Rounds {
  private fewestGone = Infinity;
  private fewestLeft = Infinity;
  /** Rounds in a row in which no row went, or no fewer ones than in a round before and as many parts were left. */
  fruitless = 0;

  /** `left`: parts of the table that a look finds afterwards. Where rows refer to later ones, one of as many rows goes in each round. */
  end(gone: number, left = Infinity): void {
    const isNearer = gone > 0 && (gone < this.fewestGone || left < this.fewestLeft);
    this.fruitless = isNearer ? 0 : this.fruitless + 1;
    if (gone > 0) this.fewestGone = Math.min(this.fewestGone, gone);
    this.fewestLeft = Math.min(this.fewestLeft, left);
  }
}

/** What is deleted. */
interface Deletion {
  batch: Batch;
  /** Rows that are there, about; 0: look first. */
  expected: number;
  /** Rows that a transaction deletes, about. */
  most: number;
}

/** What goes on for ever, whatever else is deleted. */
class ComingAgainError extends LoadFailedError {}

/**
 * Takes a fenced batch's rows out of all its outputs, in bounded transactions, each through the gate; then ends the batch
 * as `cancelled` or `failed`. Can be interrupted anywhere and done again.
 */
export const rollBack =
  (engine: Engine) =>
  async (at: BatchReference): Promise<{ state: BatchState; rows: number }> => {
    const database = engine.databases.get(at.connection);
    try {
      const batch = await getBatch(database, at.batchId);
      if (batch.state !== 'rolling_back') return { state: batch.state, rows: 0 };
      // Last declared, first emptied: references between outputs point at earlier ones, as a rule.
      const declared = batch.definition.outputs.map((output) => output.table);
      const outputs = (await readOutputs(database, database, at.batchId)).sort(
        (a, b) => declared.indexOf(b.table) - declared.indexOf(a.table),
      );
      const written = await rowsWritten(database, [at.batchId]);
      const tables = await placesOf(database, at.batchId, outputs);
      const most = engine.rollBackRows ?? ROWS_A_TRANSACTION;
      const rows = await emptyOutputs(database, tables, { batch, expected: written, most });
      const final = batch.errorClass === 'cancelled' ? 'cancelled' : 'failed';
      const state = await changeState(database, at.batchId, final, { reason: batch.reason ?? undefined });
      return { state, rows };
    } catch (error) {
      // Another attempt, or the start of another workflow, did the same and was faster.
      if (error instanceof FencedError && (error.state === 'failed' || error.state === 'cancelled')) {
        return { state: error.state, rows: 0 };
      }
      throw toFailure(error, database, `batch ${at.batchId}, roll back`);
    }
  };

/**
 * A table whose rows are still referred to comes again when the others are empty, until none gets any further. What is left then may be
 * rows that refer to each other: those go together. One that was empty comes again when rows of another have gone: a trigger of that one
 * may have written into it.
 */
async function emptyOutputs(database: Database, tables: string[], deletion: Deletion): Promise<number> {
  const { batch } = deletion;
  let rows = 0;
  const swept = new Set<string>();
  const empty = new Set<string>();
  const rounds = new Rounds();
  while (empty.size < tables.length) {
    const before = rows;
    const left = tables.filter((table) => !empty.has(table));
    const stuck = new Set<string>();
    let failure: Error | undefined;
    for (const table of left) {
      const had = rows;
      const deleted = (n: number): void => report({ table, rows: (rows += n) });
      try {
        await emptyOutput(database, table, swept.has(table) ? { ...deletion, expected: 0 } : deletion, deleted);
        swept.add(table);
      } catch (error) {
        if (!mayPassLater(error, database)) throw error;
        failure ??= error as Error;
        stuck.add(table);
      }
      if (rows > had) empty.clear();
      if (!stuck.has(table)) empty.add(table);
    }
    if (failure !== undefined && stuck.size === left.length) {
      const together = await emptyTogether(database, left, batch.batchId);
      if (together === 0) throw failure;
      rows += together;
      empty.clear();
    }
    rounds.end(rows - before);
    // References alone take a round for each table, of as many rows, perhaps.
    if (rounds.fruitless === MOST_FRUITLESS + tables.length) throw comingAgain(left[0]!, batch.batchId);
  }
  return rows;
}

/** Rows that could go only together, in one transaction however many they are; how many went. */
async function emptyTogether(database: Database, tables: string[], batchId: string): Promise<number> {
  report({ tables, together: true });
  try {
    const together = (session: Session): Promise<number> =>
      inTransaction(session, () =>
        passGate(session, database, batchId, ['rolling_back'], () =>
          database.dialect.deleteTogether(session, tables, batchId),
        ),
      );
    return await withSession(database, `waybill ${batchId} roll back`, together, { first: true });
  } catch (error) {
    if (mayPassLater(error, database)) return 0;
    throw error;
  }
}

/** What the database refuses for good may still be possible when rows that refer to these are gone. */
const mayPassLater = (error: unknown, database: Database): boolean =>
  !(error instanceof FencedError || error instanceof ComingAgainError) &&
  database.dialect.classify(error).kind === 'permanent';

/**
 * Again until a look at the whole table finds nothing: somebody's update may have moved a row to a page that was done. Only
 * the first time it may be cheaper not to look where the rows lie. Bounded: what a trigger or a rule keeps, or writes anew, is found by
 * every look.
 */
async function emptyOutput(
  database: Database,
  table: string,
  { batch, expected, most }: Deletion,
  deleted: (rows: number) => void,
): Promise<void> {
  const { dialect } = database;
  const purpose = `waybill ${batch.batchId} roll back`;
  const sessions = [await database.openSession(purpose, { first: true })];
  let rows = 0;
  try {
    const [session] = sessions as [Session];
    const look = (): Promise<DeletionRange[]> => dialect.planDeletion(session, table, batch.batchId, most);
    let ranges: DeletionRange[] = await dialect.planSweep(session, table, expected, most);
    if (ranges.length === 0) ranges = await look();
    const rounds = new Rounds();
    while (ranges.length > 0) {
      await openSpares(database, purpose, sessions, Math.min(batch.definition.lanes, ranges.length));
      const before = rows;
      const failure = await deleteRanges(database, sessions, batch.batchId, ranges, (n) => {
        rows += n;
        deleted(n);
      });
      if (failure !== undefined && rows === before) throw failure;
      const isLimited = ranges.some(({ most }) => most !== undefined);
      ranges = await look();
      if (ranges.length === 0) return;
      if (rows === before || !isLimited) rounds.end(rows - before, ranges.length); // by limits, round after round takes as many
      if (rounds.fruitless === MOST_FRUITLESS) {
        throw rows === before
          ? await rowsStay(session, database, table, batch.batchId)
          : comingAgain(table, batch.batchId);
      }
      await Context.current().sleep(rounds.fruitless * PAUSE_MS);
    }
  } finally {
    await Promise.all(sessions.map((session) => session.close()));
  }
}

const comingAgain = (table: string, batchId: string): LoadFailedError =>
  new ComingAgainError(
    `rows of batch ${batchId} come into ${table} as often as they are deleted: a trigger writes them, it seems`,
    {
      next:
        'drop or disable the trigger, or have it write no rows with the batch_id of those that are deleted; then start the load ' +
        'again: it finishes the roll back first',
    },
  );

async function rowsStay(
  session: Session,
  database: Database,
  table: string,
  batchId: string,
): Promise<LoadFailedError> {
  const { dialect } = database;
  const ofBatch = composed(dialect.sql, (bind) => dialect.inBatches('batch_id', [batchId], bind));
  const { rows } = await session.query<{ n: string }>(sql`
    select count(*) as n from ${raw(dialect.quoteTable(table))} where ${ofBatch}`);
  const keepers = (await dialect.deletesKeptBy(database, table)).map(({ name }) => name);
  const who = keepers.length === 0 ? 'something on the server' : keepers.join(', ');
  const n = Number(rows[0]?.n);
  return new LoadFailedError(
    `${n} ${n === 1 ? 'row' : 'rows'} of batch ${batchId} stay in ${table}, however often they are deleted: ` +
      `kept by ${who}, it seems`,
    {
      next:
        'drop or disable that, or have it let the user of this connection delete; then start the load again: ' +
        'it finishes the roll back first',
    },
  );
}

/** As many as the load had lanes, as far as there are places: to wait for one would be slower than to go on without. */
async function openSpares(database: Database, purpose: string, sessions: Session[], wanted: number): Promise<void> {
  while (sessions.length < wanted) {
    const spare = await database.openSpareSession(purpose);
    if (!spare) return;
    sessions.push(spare);
  }
}

/**
 * Deletes in the ranges, each in a transaction of its own, one beside another on each session. Returns the first error after which
 * others could go on; `deleted` is told of the rows as they are gone.
 */
async function deleteRanges(
  database: Database,
  sessions: Session[],
  batchId: string,
  ranges: DeletionRange[],
  deleted: (rows: number) => void,
): Promise<Error | undefined> {
  let failure: Error | undefined;
  let broken: Error | undefined;
  const next = ranges.values();
  const work = async (session: Session): Promise<void> => {
    for (const range of next) {
      if (broken !== undefined) return;
      try {
        // What a crash of the server takes of these is found again; the end of the roll back flushes them all.
        const rows = await inTransaction(
          session,
          () =>
            passGate(session, database, batchId, ['rolling_back'], () =>
              database.dialect.deleteRange(session, range, batchId),
            ),
          { relaxed: true },
        );
        deleted(rows);
      } catch (error) {
        if (mayPassLater(error, database))
          failure ??= error as Error; // rows of a later range may refer to these
        else broken ??= error as Error;
      }
    }
  };
  await Promise.all(sessions.map(work));
  if (broken !== undefined) throw broken;
  return failure;
}
