/** Foreign keys through which another table changes this one. */
export const CASCADE_REFUSALS = [
  // The snapshot is frozen, so the delete or update in the other table would fail.
  `
select format('foreign key %I of %s changes rows when %s changes (on %s)', f.conname, target, f.confrelid::regclass,
    case when f.confupdtype in ('a', 'r') then 'delete' else 'update' end),
  'Declare it on delete no action, on update no action: nothing may change the rows of a snapshot.'
from t join pg_constraint f on f.conrelid = t.oid and f.contype = 'f'
where f.confdeltype not in ('a', 'r') or f.confupdtype not in ('a', 'r')`,
];

/** Properties of the table itself that cannot be given to another one, or not without changing what they mean. */
export const PROPERTY_REFUSALS = [
  ...CASCADE_REFUSALS,
  `
select format('the triggers of foreign key %I of %s are not in their normal state', f.conname, target),
  'Enable them (alter table … enable trigger all).'
from t join pg_constraint f on f.conrelid = t.oid and f.contype = 'f'
where exists (select from pg_trigger g where g.tgconstraint = f.oid and g.tgisinternal and g.tgenabled <> 'O')`,
  // Whoever builds, rebuilds or drops one CONCURRENTLY holds this lock until it is done: the swap waits for that session.
  `
select format('index %s is not valid', i.indexrelid::regclass),
  case when x.relname ~ '_cc(new|old)[0-9]*$'
    then format('A reindex concurrently that broke off has left it: drop index %s', i.indexrelid::regclass)
    else 'Rebuild it (reindex index …) or drop it.' end
from t join pg_index i on i.indrelid = t.oid join pg_class x on x.oid = i.indexrelid
where not (i.indisvalid and i.indisready and i.indislive)
  and not exists (
    select from pg_locks l
    where l.locktype = 'relation' and l.database = (select oid from pg_database where datname = current_database())
      and l.relation = t.oid and l.mode = 'ShareUpdateExclusiveLock' and l.granted and l.pid is distinct from pg_backend_pid())`,
  `
select format('identity sequence %s is not permanent', s.oid::regclass), 'Make it permanent (alter sequence … set logged).'
from t join own o on o.classid = 'pg_class'::regclass
join pg_class s on s.oid = o.objid and s.relkind = 'S' and s.relpersistence <> 'p'`,
  `
select format('%s has security labels', target), 'Remove them: who may set labels is up to their provider, so they are not carried over.'
from t where exists (
  select from own o join pg_seclabel l on l.classoid = o.classid and l.objoid = o.objid)`,
  `
select format('the row type of %s has grants', target), 'Revoke them (revoke all on type … from …).'
from t join pg_type y on y.oid = t.reltype where y.typacl is not null`,
];
