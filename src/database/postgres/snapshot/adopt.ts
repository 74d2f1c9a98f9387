import { DatabaseError, escapeIdentifier, type ClientBase } from 'pg';
import { LoadFailedError } from '../../../errors.ts';
import { guardStatements } from './guard.ts';
import { tableIdentity, type TableIdentity } from './identity.ts';
import { lockHolders } from './lock-holders.ts';
import { KIND_REFUSALS } from './refuse/kind.ts';
import { OWN_RIGHTS_REFUSAL, OWNER_REFUSAL } from './refuse/permissions.ts';
import { CASCADE_REFUSALS } from './refuse/properties.ts';
import { refusalQuery, type Refusal } from './refuse/refusal-query.ts';
import { PINNED, withSettings } from './settings.ts';
import { TableBusyError } from './table-busy-error.ts';
import type { TableName } from './table-name.ts';

/**
 * What would stop its drop once the batch is published. Views and functions that followed the table when another tool
 * renamed it, and defaults that still draw from its sequence (FACTS.md: a serial's sequence stays with the old table).
 */
const DEPENDENTS = `
select distinct format('%s depends on %s', coalesce(pg_describe_object('pg_class'::regclass, v.oid, 0), pg_describe_object(d.classid, d.objid, d.objsubid)),
    pg_describe_object(d.refclassid, d.refobjid, 0)),
  case when d.refobjid in (select oid from serial)
    then format('alter sequence %s owned by … the landing table''s column', d.refobjid::regclass)
    else 'Make it use the landing table, or drop it.' end
from t
cross join (select classid, objid from own union all select 'pg_class'::regclass, oid from serial) o
join pg_depend d on d.refclassid = o.classid and d.refobjid = o.objid and d.deptype = 'n'
left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
left join pg_class v on v.oid = r.ev_class
where not (d.classid, d.objid) in (select classid, objid from own)
  and not (d.classid = 'pg_class'::regclass and d.objid in (select oid from serial))`;

const REFUSALS = refusalQuery([...KIND_REFUSALS, ...CASCADE_REFUSALS, DEPENDENTS, OWNER_REFUSAL, OWN_RIGHTS_REFUSAL]);

/**
 * Why a table that another tool renamed to a snapshot's name cannot serve as one (empty: it can). Looks only. Its own twin
 * stands already, so nothing has to be carried over: it must be readable as a whole, stay as it is, and be dropped at last.
 */
export async function adoptionRefusals(client: ClientBase, snapshot: TableName): Promise<Refusal[]> {
  const identity = await client.query<{ oid: string }>(
    `select c.oid::text as oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relname = $2`,
    [snapshot.schema, snapshot.name],
  );
  const oid = identity.rows[0]?.oid;
  if (oid === undefined) return [];
  return withSettings(client, PINNED, async () => (await client.query<Refusal>(REFUSALS, [oid])).rows);
}

/** What keeps SHARE ROW EXCLUSIVE, the lock of CREATE TRIGGER, from us: writers and maintenance, not readers. */
const CONFLICTS = [
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
];
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Makes it read-only, like a snapshot of our own, in the caller's transaction: whoever has written to it has ended then,
 * and its rows are in it.
 *
 * @throws TableBusyError when a writer holds it for longer than `lockTimeoutMs`.
 */
export async function adoptSnapshot(
  client: ClientBase,
  snapshot: TableName,
  original: TableName,
  options: { controlSchema: string; lockTimeoutMs: number },
): Promise<TableIdentity> {
  const before = await tableIdentity(client, snapshot);
  if (before === undefined) throw new LoadFailedError(`${snapshot.schema}.${snapshot.name} vanished`);
  await withSettings(client, { ...PINNED, lock_timeout: `${options.lockTimeoutMs}ms` }, async () => {
    await client.query('savepoint waybill_adopt');
    try {
      await client.query(
        `lock table only ${escapeIdentifier(snapshot.schema)}.${escapeIdentifier(snapshot.name)} in share row exclusive mode`,
      );
    } catch (cause) {
      if (!(cause instanceof DatabaseError) || cause.code !== LOCK_NOT_AVAILABLE) throw cause;
      await client.query('rollback to savepoint waybill_adopt');
      throw new TableBusyError(snapshot, await lockHolders(client, { oid: before.oid, conflicts: CONFLICTS }));
    }
    for (const statement of guardStatements(snapshot, `${original.schema}.${original.name}`, options.controlSchema)) {
      await client.query(statement);
    }
  });
  const now = await tableIdentity(client, snapshot);
  if (now === undefined) throw new LoadFailedError(`${snapshot.schema}.${snapshot.name} vanished`);
  return now;
}
