import type { ClientBase } from 'pg';
import type { TableName } from './table-name.ts';

/** The lock that foreign keys need on the table they refer to: less to add one, all to drop one. */
export type ReferencedMode = 'share row exclusive' | 'access exclusive';

/** One relation that must be locked before a table is swapped or dropped. */
export interface PlannedLock {
  oid: string;
  schema: string;
  name: string;
  /** Takes the lock, waiting up to lock_timeout. */
  statement: string;
  /** Lock modes that others may hold and that keep this lock from us. */
  conflicts: string[];
  /** The temporary view of a session: nobody else can lock or re-point it, so it has to be gone. */
  temporary: boolean;
}

/*
 * The tables themselves, and all that the swap or the drop locks besides: whoever reads a view holds the view before
 * the table, whoever called nextval holds the sequence, and a writer of a referenced table may go on to ours. A lock on
 * any of these, taken while we hold the table, is a deadlock that kills somebody's transaction.
 *
 * LOCK TABLE does not take sequences, and of a view it also locks every table below it. ALTER … OWNER TO its present
 * owner changes nothing and takes ACCESS EXCLUSIVE on just this relation.
 */
const LOCK_PLAN = `
with wanted as (
  select c.oid, position
  from unnest($1::text[], $2::text[]) with ordinality w(schema_name, table_name, position)
  join pg_namespace n on n.nspname = w.schema_name
  join pg_class c on c.relnamespace = n.oid and c.relname = w.table_name
), relation(oid, class, position) as (
  select oid, 2, position from wanted
  union all
  select distinct r.ev_class, 1, 0
  from pg_depend d join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
  where d.refclassid = 'pg_class'::regclass and d.refobjid in (select oid from wanted)
  union all
  select distinct d.objid, 3, 0
  from pg_depend d
  where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass
    and d.refobjid in (select oid from wanted) and d.deptype in ('a', 'i')
  union all
  select distinct f.confrelid, 4, 0
  from pg_constraint f
  where f.contype = 'f' and f.conrelid in (select oid from wanted) and f.confrelid not in (select oid from wanted)
)
select c.oid::text as oid, n.nspname::text as schema, c.relname::text as name,
  case relation.class
    when 2 then format('lock table only %I.%I in access exclusive mode', n.nspname, c.relname)
    when 1 then format('alter view %I.%I owner to %I', n.nspname, c.relname, pg_get_userbyid(c.relowner))
    when 3 then format('alter sequence %I.%I owner to %I', n.nspname, c.relname, pg_get_userbyid(c.relowner))
    when 4 then format('lock table %I.%I in %s mode', n.nspname, c.relname, $3::text)
  end as statement,
  case when relation.class = 4 and $3::text = 'share row exclusive' then '{}'::text[]
    else '{AccessShareLock,RowShareLock}' end
    || '{RowExclusiveLock,ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'
    as conflicts,
  relation.class = 1 and c.relpersistence = 't' as temporary
from relation
join pg_class c on c.oid = relation.oid
join pg_namespace n on n.oid = c.relnamespace
where case relation.class when 1 then c.relkind = 'v' when 3 then c.relkind = 'S' else c.relkind in ('r', 'p') end
order by relation.class, relation.position, n.nspname, c.relname`;

/**
 * All locks that these tables need, in the order in which most transactions take them too: views, tables (as given),
 * sequences, referenced tables. Absent tables are not in it.
 */
export async function planLocks(
  client: ClientBase,
  tables: readonly TableName[],
  referenced: ReferencedMode,
): Promise<PlannedLock[]> {
  const { rows } = await client.query<PlannedLock>(LOCK_PLAN, [
    tables.map((table) => table.schema),
    tables.map((table) => table.name),
    referenced,
  ]);
  return rows;
}
