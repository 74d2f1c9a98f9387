/** Where the rows of a batch are that is taken back: its outputs may have other names by now, or be gone. */
import { hasDone } from '../control/chunks.ts';
import { recordEvent } from '../control/events.ts';
import { inGate } from '../control/gate.ts';
import { holdsRows, isSame } from '../control/known-tables.ts';
import { markUnreached, type BatchOutput } from '../control/outputs.ts';
import type { Database, Session } from '../database/dialect.ts';
import { raw, sql } from '../database/sql.ts';
import { LoadFailedError } from '../errors.ts';
import { columnNamed, parseTableName } from '../sql/names.ts';

/** Where the batch's rows stand: in the tables that have its outputs' names, and in those that had them when it was planned. */
export async function placesOf(database: Database, batchId: string, outputs: BatchOutput[]): Promise<string[]> {
  const session = await database.openSession(`waybill ${batchId} roll back`, { first: true });
  try {
    const places = new Set<string>();
    for (const output of outputs) {
      const named = await placeOf(session, database, output.table);
      await refuseUnstamped(session, database, named, batchId);
      const before = await placeBefore(session, database, batchId, { ...output, named });
      if (before !== named) await refuseUnstamped(session, database, before, batchId);
      for (const place of [named, before]) if (place !== undefined) places.add(place);
    }
    return [...places];
  } finally {
    await session.close();
  }
}

/** Without the column nothing tells which rows are the batch's, and given back empty, the rows would stay and come a second time. */
async function refuseUnstamped(
  session: Session,
  { dialect }: Database,
  table: string | undefined,
  batchId: string,
): Promise<void> {
  const facts = table === undefined ? undefined : await dialect.describeTable(session, table);
  if (!facts || columnNamed(facts.columns, 'batch_id', dialect.sql)) return;
  throw new LoadFailedError(
    `${table} has no column batch_id any more: nothing tells which of its rows are those of batch ${batchId}`,
    {
      next:
        `give it back (alter table ${table} add column batch_id bigint), with the number ${batchId} in this batch's rows or without ` +
        `those rows; or drop the table. Then start the load again: it finishes the roll back first`,
    },
  );
}

/** Of the table that had the output's name, where it may be another than the one that has it now (`named`); what is not found is told. */
async function placeBefore(
  session: Session,
  database: Database,
  batchId: string,
  { table, identity, named }: BatchOutput & { named: string | undefined },
): Promise<string | undefined> {
  const { dialect } = database;
  const view = named === undefined ? await viewNamed(session, database, table) : undefined;
  const gone =
    view === undefined
      ? `there is no ${table} to take rows out of; if it was renamed,`
      : `${table} is a ${view}, and no table to take rows out of; if one was renamed or copied for it,`;
  if (identity === null) {
    if (named === undefined) await tellGone(database, batchId, table, gone);
    return undefined;
  }
  if (named !== undefined && isSame(database, await dialect.outputIdentity(session, named), identity)) return undefined;
  if (dialect.outputOf) {
    const before = await dialect.outputOf(session, identity.relationId); // none: its rows are gone with it, unless they were copied
    if (before === undefined && view !== undefined) await tellGone(database, batchId, table, gone);
    return before;
  }
  if (!(await hasDone(database, batchId))) return undefined;
  if (named !== undefined && (await holdsRows(session, database, named, [batchId]))) return undefined;
  const other = `${table} holds no rows of this batch, and may be another table than when it was planned; if one was renamed,`;
  await tellGone(database, batchId, table, named === undefined ? gone : other);
  return undefined;
}

/** A batch that was opened before names without schema meant one table has its rows where they led. Undefined: it is gone, or a view. */
async function placeOf(session: Session, database: Database, output: string): Promise<string | undefined> {
  if (!(await isGone(session, database, output))) {
    return (await viewNamed(session, database, output)) === undefined ? output : undefined;
  }
  const { schema, name } = parseTableName(output, database.dialect.sql);
  return schema === undefined ? database.dialect.leadsTo?.(session, name) : undefined;
}

/**
 * What has the name of a table that stands elsewhere now, as somebody who renames one may leave a view on it, where the server leads to that
 * table. Where it does not, rows can be deleted through the view, or it says why they cannot.
 */
async function viewNamed(session: Session, { dialect }: Database, name: string): Promise<string | undefined> {
  if (!dialect.outputOf) return undefined;
  const kind = (await dialect.describeTable(session, name))?.kind;
  return kind?.endsWith('view') ? kind : undefined;
}

/**
 * By the server's own error: its catalog may show nothing, too, of a table that this user may not see, and that one is refused
 * with another.
 */
async function isGone(session: Session, database: Database, table: string): Promise<boolean> {
  try {
    await session.query(sql`select 1 from ${raw(database.dialect.quoteTable(table))} where 1 = 0`);
    return false;
  } catch (error) {
    if (database.dialect.classify(error).because === 'missing') return true;
    throw error;
  }
}

/** Nothing can be taken out of it, and a batch that waited for it to come again would hold up its load for ever. */
const tellGone = (database: Database, batchId: string, table: string, why: string): Promise<void> =>
  inGate(database, batchId, ['rolling_back'], async (session) => {
    await markUnreached(session, database, batchId, table);
    await recordEvent(session, database, batchId, 'output_gone', {
      reason: `${why} the rows of this batch are in it still: delete those whose batch_id is ${batchId}`,
    });
  });
