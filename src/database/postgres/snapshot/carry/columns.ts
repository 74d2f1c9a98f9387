import type { CarryQuestion } from './carried.ts';
import { DRAWS_FROM_IDENTITY } from './sequences.ts';

/** The table with its columns, access method, storage parameters (those of its TOAST table too) and tablespace. */
const CREATE_TABLE: CarryQuestion = `
with columns as (
  select string_agg(format('%I %s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
      case a.attcompression when 'p' then ' compression pglz' when 'l' then ' compression lz4' else '' end,
      case when a.attcollation <> y.typcollation
        then (select format(' collate %I.%I', n.nspname, c.collname) from pg_collation c
          join pg_namespace n on n.oid = c.collnamespace where c.oid = a.attcollation) else '' end,
      case when d.adbin is null or ${DRAWS_FROM_IDENTITY} then ''
        when a.attgenerated = 's' then format(' generated always as (%s) stored', pg_get_expr(d.adbin, d.adrelid))
        when a.attgenerated = 'v' then format(' generated always as (%s) virtual', pg_get_expr(d.adbin, d.adrelid))
        else format(' default %s', pg_get_expr(d.adbin, d.adrelid)) end
    ), ', ' order by a.attnum) as list
  from t
  join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  join pg_type y on y.oid = a.atttypid
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
), parameters as (
  select string_agg(format('%s%I=%L', o.prefix, o.option_name, o.option_value), ', ') as list
  from (
    select '' as prefix, x.* from t cross join pg_options_to_table(t.reloptions) x
    union all
    select 'toast.', x.* from t join pg_class k on k.oid = t.reltoastrelid cross join pg_options_to_table(k.reloptions) x
  ) o
)
select format('create table %s (%s) using %I%s%s', target, columns.list,
  (select amname from pg_am where pg_am.oid = t.relam),
  ' with (' || parameters.list || ')',
  (select format(' tablespace %I', spcname) from pg_tablespace where pg_tablespace.oid = t.reltablespace)) as statement
from t, columns, parameters`;

/** Whoever makes it: an event trigger may have given it to another. */
const OWNER: CarryQuestion = `
select format('alter table %s owner to %I', target, pg_get_userbyid(relowner)) as statement
from t`;

/** PostgreSQL 18 keeps NOT NULL as constraints with names; those come with the other constraints. */
const NOT_NULL: CarryQuestion = `
select format('alter table %s alter column %I set not null', target, a.attname) as statement
from t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and a.attnotnull
where not exists (select from pg_constraint c where c.conrelid = t.oid and c.contype = 'n' and c.conkey = array[a.attnum])
order by a.attnum`;

const STORAGE: CarryQuestion = `
select format('alter table %s alter column %I set storage %s', target, a.attname,
  case a.attstorage when 'p' then 'plain' when 'e' then 'external' when 'x' then 'extended' when 'm' then 'main' end) as statement
from t
join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
join pg_type y on y.oid = a.atttypid
where a.attstorage <> y.typstorage
order by a.attnum`;

const STATISTICS_TARGETS: CarryQuestion = `
select format('alter table %s alter column %I set statistics %s', target, a.attname, a.attstattarget) as statement
from t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
where coalesce(a.attstattarget, -1) <> -1
order by a.attnum`;

/** Those of a column `a`. */
const OWN_OPTIONS = `(select string_agg(format('%I=%L', option_name, option_value), ', ') from pg_options_to_table(a.attoptions))`;

const OPTIONS: CarryQuestion = `
select format('alter table %s alter column %I set (%s)', target, a.attname, ${OWN_OPTIONS}) as statement
from t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and a.attoptions is not null
order by a.attnum`;

/**
 * Changes nothing, but writes to the catalog's row of each column: a GRANT on one takes no lock on the table, and would otherwise be
 * lost with the snapshot. A virtual column takes no target, so it is given the options that it has, or is rid of one that it has not.
 */
export const TOUCH_COLUMNS: CarryQuestion = `
select format('alter table %s %s', target, string_agg(case
    when a.attgenerated <> 'v' then format('alter column %I set statistics %s', a.attname, coalesce(a.attstattarget, -1))
    when a.attoptions is null then format('alter column %I reset (n_distinct)', a.attname)
    else format('alter column %I set (%s)', a.attname, ${OWN_OPTIONS}) end, ', ')) as statement
from t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
group by target`;

export const COLUMNS = [CREATE_TABLE, OWNER, NOT_NULL];
export const COLUMN_SETTINGS = [STORAGE, STATISTICS_TARGETS, OPTIONS];
