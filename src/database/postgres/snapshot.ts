/** The dialect's snapshot methods, over the steps in snapshot/. */
import { formatTableName, parseTableName } from '../../sql/names.ts';
import { postgresSql } from '../../sql/postgres.ts';
import type { Database, DropResult, Holder, LockResult, Session, TableIdentity } from '../dialect.ts';
import { processingName } from '../../sql/processing-name.ts';
import type { PostgresSession } from './session.ts';
import { adoptionRefusals as adoptionRefusalsOf, adoptSnapshot as adoptTable } from './snapshot/adopt.ts';
import { dropSnapshot as dropTable } from './snapshot/drop.ts';
import { holdersOf } from './snapshot/lock-holders.ts';
import { lockTables } from './snapshot/lock-tables.ts';
import { snapshotRefusals as refusalsOf } from './snapshot/refusals.ts';
import { swapTable } from './snapshot/swap.ts';
import { holderOf, TableBusyError } from './snapshot/table-busy-error.ts';

const clientOf = (session: Session): PostgresSession['client'] => (session as PostgresSession).client;

/** A table with its schema; unqualified names live in `public`. */
function qualified(table: string): { schema: string; name: string } {
  const { schema, name } = parseTableName(table, postgresSql);
  return { schema: schema ?? 'public', name };
}

export async function snapshotRefusals(session: Session, table: string): Promise<{ reason: string; next: string }[]> {
  return refusalsOf(clientOf(session), qualified(table));
}

export async function lockForSnapshot(
  session: Session,
  tables: string[],
  waitFirst: string | undefined,
  waitMs: number,
): Promise<LockResult> {
  const result = await lockTables(clientOf(session), tables.map(qualified), {
    lockTimeoutMs: waitMs,
    ...(waitFirst === undefined ? {} : { waitFirst: qualified(waitFirst) }),
  });
  if (result.locked) return result;
  return {
    locked: false,
    waitingFor: formatTableName(result.waitingFor, postgresSql), // a table, or a view or sequence that goes with it
    holders: result.holders.map(holderOf),
  };
}

export async function swap(session: Session, database: Database, table: string): Promise<TableIdentity> {
  const processing = parseTableName(processingName(table), postgresSql);
  const { oid, filenode } = await swapTable(clientOf(session), qualified(table), {
    processingName: processing.name,
    controlSchema: database.controlSchema,
  });
  return { relationId: oid, storageId: filenode };
}

export async function adoptionRefusals(
  session: Session,
  processing: string,
): Promise<{ reason: string; next: string }[]> {
  return adoptionRefusalsOf(clientOf(session), qualified(processing));
}

export async function adoptSnapshot(
  session: Session,
  database: Database,
  table: string,
  waitMs: number,
): Promise<TableIdentity> {
  const { oid, filenode } = await adoptTable(clientOf(session), qualified(processingName(table)), qualified(table), {
    controlSchema: database.controlSchema,
    lockTimeoutMs: waitMs,
  });
  return { relationId: oid, storageId: filenode };
}

export async function dropSnapshot(session: Session, processing: string, relationId: string): Promise<DropResult> {
  try {
    return { kind: await dropTable(clientOf(session), qualified(processing), relationId) };
  } catch (error) {
    if (error instanceof TableBusyError) return { kind: 'busy', holders: error.holders.map(holderOf) };
    throw error;
  }
}

export async function tableHolders(session: Session, table: string): Promise<Holder[]> {
  return (await holdersOf(clientOf(session), qualified(table))).map(holderOf);
}
