/** What kinds of tables cannot be snapshotted, whatever else is true of them. */
export const KIND_REFUSALS = [
  `
select format('%s is a %s', target, case relkind
    when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
    when 'p' then 'partitioned table' when 'S' then 'sequence' else 'relation of kind ' || relkind::text end),
  'Only an ordinary table can be an input; load into one first.'
from t where relkind <> 'r'`,
  `
select format('%s is %s', target, case relpersistence when 'u' then 'unlogged' else 'temporary' end),
  'Rows of such a table do not survive a crash: make it permanent (alter table … set logged).'
from t where relpersistence <> 'p'`,
  // Others (columnar ones) scan no range of TIDs, by which a batch is cut; the handler counts, whatever the method's name.
  `
select format('%s has the access method %I', target, a.amname), 'Make it an ordinary table (alter table … set access method heap).'
from t join pg_am a on a.oid = t.relam where a.amhandler <> 'heap_tableam_handler'::regproc`,
  `
select format('%s belongs to the system schema %I', target, nspname), 'Name a table of your own.'
from t where nspname = 'information_schema' or nspname like 'pg\\_%'`,
  `
select format('%s is a partition', target), 'Detach it, or use an ordinary landing table.'
from t where relispartition`,
  `
select format('%s inherits from %s', target, i.inhparent::regclass), 'Use a table without inheritance (alter table … no inherit …).'
from t join pg_inherits i on i.inhrelid = t.oid where not relispartition`,
  `
select format('%s inherits from %s', i.inhrelid::regclass, target), 'Use a table without inheritance (alter table … no inherit …).'
from t join pg_inherits i on i.inhparent = t.oid where t.relkind <> 'p'`,
  `
select format('%s is a typed table (of %s)', target, reloftype::regtype), 'Make it an ordinary table (alter table … not of).'
from t where reloftype <> 0`,
  `
select format('%s has row level security%s', target,
    coalesce(' (policies: ' || (select string_agg(polname, ', ' order by polname) from pg_policy where polrelid = t.oid) || ')', '')),
  'Drop the policies and disable row level security: a batch must read every row, and policies are not carried over.'
from t where relrowsecurity or relforcerowsecurity or exists (select from pg_policy where polrelid = t.oid)`,
  `
select format('%s is fed by logical replication (subscription %s)', target,
    coalesce((select string_agg(s.subname, ', ') from pg_subscription s where s.oid = r.srsubid), r.srsubid::text)),
  'After a swap the apply worker skips rows silently: replicate into another table and acquire from there.'
from t join pg_subscription_rel r on r.srrelid = t.oid`,
];

/** A landing table of its own name would be a snapshot of a snapshot. */
export const SNAPSHOT_REFUSAL = `
select format('%s is itself a snapshot: it has the trigger that refuses writes', target), 'Name the landing table, not its snapshot.'
from t where exists (select from pg_trigger where tgrelid = t.oid and tgname = 'waybill_refuse_write')`;
