import type { CarryQuestion } from './carried.ts';

/** Indexes that do not belong to a constraint, by their own names: the old ones have stepped aside. */
const CREATE: CarryQuestion = `
select pg_get_indexdef(i.indexrelid) as statement
from t join pg_index i on i.indrelid = t.oid
where not exists (select from pg_constraint c where c.conrelid = t.oid and c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x'))
order by i.indexrelid`;

/** pg_get_constraintdef leaves the storage parameters out. */
const PARAMETERS: CarryQuestion = `
select format('alter index %I.%I set (%s)', t.nspname, x.relname,
  (select string_agg(format('%I=%L', option_name, option_value), ', ') from pg_options_to_table(x.reloptions))) as statement
from t join pg_index i on i.indrelid = t.oid join pg_class x on x.oid = i.indexrelid
where x.reloptions is not null
order by x.oid`;

const TABLESPACE: CarryQuestion = `
select format('alter index %I.%I set tablespace %I', t.nspname, x.relname, s.spcname) as statement
from t join pg_index i on i.indrelid = t.oid join pg_class x on x.oid = i.indexrelid
join pg_tablespace s on s.oid = x.reltablespace
order by x.oid`;

const STATISTICS_TARGETS: CarryQuestion = `
select format('alter index %I.%I alter column %s set statistics %s', t.nspname, x.relname, a.attnum, a.attstattarget) as statement
from t join pg_index i on i.indrelid = t.oid join pg_class x on x.oid = i.indexrelid
join pg_attribute a on a.attrelid = x.oid
where coalesce(a.attstattarget, -1) <> -1
order by x.oid, a.attnum`;

/** The index that CLUSTER goes by. */
const CLUSTERED: CarryQuestion = `
select format('alter table %s cluster on %I', target, x.relname) as statement
from t join pg_index i on i.indrelid = t.oid and i.indisclustered join pg_class x on x.oid = i.indexrelid`;

const REPLICA_IDENTITY: CarryQuestion = `
select format('alter table %s replica identity %s', target, case t.relreplident
  when 'f' then 'full' when 'n' then 'nothing'
  when 'i' then (select format('using index %I', x.relname) from pg_index i join pg_class x on x.oid = i.indexrelid
    where i.indrelid = t.oid and i.indisreplident) end) as statement
from t
-- "i" whose index was dropped is as good as "nothing".
where t.relreplident in ('f', 'n')
  or t.relreplident = 'i' and exists (select from pg_index i where i.indrelid = t.oid and i.indisreplident)
union all
select format('alter table %s replica identity nothing', target)
from t
where t.relreplident = 'i' and not exists (select from pg_index i where i.indrelid = t.oid and i.indisreplident)`;

export const INDEXES = [CREATE, PARAMETERS, TABLESPACE, STATISTICS_TARGETS, CLUSTERED, REPLICA_IDENTITY];
