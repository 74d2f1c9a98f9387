import { DatabaseError, escapeIdentifier, type ClientBase } from 'pg';
import { LoadFailedError } from '../../../errors.ts';
import { tableIdentity } from './identity.ts';
import { lockTables, mayTryAgain, type LockResult } from './lock-tables.ts';
import { TableBusyError } from './table-busy-error.ts';
import type { TableName } from './table-name.ts';

/** Each attempt waits for another relation where a foreign key makes it several; one is enough without. */
const ATTEMPTS = 5;

const DEPENDENT_OBJECTS = '2BP01';
const FORBIDDEN = '42501';

/** Views of others, which we may not lock: before the table, for whoever reads one has it first (lock-plan.ts). */
const OTHERS_VIEWS = `
select string_agg(distinct format('%s depends on table %s', pg_describe_object('pg_class'::regclass, v.oid, 0), $2::text), '; ') as dependents
from pg_depend d join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
join pg_class v on v.oid = r.ev_class and v.relkind = 'v'
where d.refclassid = 'pg_class'::regclass and d.refobjid = $1::oid
  and not (pg_has_role(v.relowner, 'USAGE') and has_schema_privilege(v.relnamespace, 'USAGE'))`;

/**
 * Drops the snapshot if the table of this name is still the one with this OID, which is checked under its lock, in the
 * caller's transaction. Without CASCADE: what somebody has built on the snapshot stops the drop, and is named.
 *
 * @returns `gone` when no table has the name; `other` when the name is another table's now, which stays.
 * @throws TableBusyError when somebody holds it for longer than `lockTimeoutMs` (default 2 s), or LoadFailedError when
 * something depends on it. After the first the transaction is usable.
 */
export async function dropSnapshot(
  client: ClientBase,
  table: TableName,
  oid: string,
  options: { lockTimeoutMs?: number } = {},
): Promise<'dropped' | 'gone' | 'other'> {
  const before = await tableIdentity(client, table);
  if (before === undefined) return 'gone';
  if (before.oid !== oid) return 'other';
  if (!(await lockSnapshot(client, table, oid, options.lockTimeoutMs ?? 2000))) return 'gone';
  const now = await tableIdentity(client, table);
  if (now === undefined) return 'gone';
  if (now.oid !== oid) return 'other';
  try {
    await client.query(`drop table ${escapeIdentifier(table.schema)}.${escapeIdentifier(table.name)} restrict`);
  } catch (cause) {
    if (!(cause instanceof DatabaseError) || cause.code !== DEPENDENT_OBJECTS) throw cause;
    throw cannotBeDropped(table, cause.detail ?? cause.message, cause);
  }
  return 'dropped';
}

const cannotBeDropped = (table: TableName, dependents: string, cause: DatabaseError): LoadFailedError =>
  new LoadFailedError(`snapshot ${table.schema}.${table.name} cannot be dropped: ${dependents}`, {
    next: 'Drop what depends on the snapshot, or make it use the landing table; then start the load again.',
    cause,
  });

/** False when the table went away before we held it. */
async function lockSnapshot(
  client: ClientBase,
  table: TableName,
  oid: string,
  lockTimeoutMs: number,
): Promise<boolean> {
  let result: LockResult = { locked: false, waitingFor: table, holders: [] };
  for (let attempt = 1; attempt <= ATTEMPTS && !result.locked && mayTryAgain(result); attempt += 1) {
    try {
      // Dropping a foreign key takes ACCESS EXCLUSIVE on the table that it refers to.
      result = await lockTables(client, [table], {
        lockTimeoutMs,
        waitFirst: result.waitingFor,
        referenced: 'access exclusive',
      });
    } catch (error) {
      if (error instanceof LoadFailedError && !(await tableIdentity(client, table))) return false;
      if (!(error instanceof DatabaseError) || error.code !== FORBIDDEN) throw error;
      const { rows } = await client.query<{ dependents: string | null }>(OTHERS_VIEWS, [
        oid,
        `${table.schema}.${table.name}`,
      ]);
      const dependents = rows[0]!.dependents;
      if (dependents !== null) throw cannotBeDropped(table, dependents, error);
      throw error;
    }
  }
  if (!result.locked) throw new TableBusyError(result.waitingFor, result.holders);
  return true;
}
