import type { CarryQuestion } from './carried.ts';

/** Views that read the table itself; views on those follow them. */
const DEPENDENT_VIEWS = `
select distinct v.oid, n.nspname, v.relname, v.reloptions
from t
join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid
join pg_rewrite r on r.oid = d.objid
join pg_class v on v.oid = r.ev_class and v.relkind = 'v'
join pg_namespace n on n.oid = v.relnamespace`;

/**
 * CREATE OR REPLACE keeps the view's owner, grants, comments, column defaults and triggers, and everything that depends
 * on it, but its options (security_barrier, security_invoker, check_option) only if they are said again.
 */
const RE_POINT: CarryQuestion = `
with view as (${DEPENDENT_VIEWS})
select format('create or replace view %I.%I%s as %s', nspname, relname,
  ' with (' || (select string_agg(format('%I=%L', option_name, option_value), ', ') from pg_options_to_table(reloptions)) || ')',
  pg_get_viewdef(oid)) as statement
from view order by oid`;

/** INSTEAD rules of such views that write to the table. */
const RE_POINT_RULES: CarryQuestion = `
with view as (${DEPENDENT_VIEWS})
select regexp_replace(pg_get_ruledef(r.oid), '^CREATE RULE', 'CREATE OR REPLACE RULE') as statement
from view join pg_rewrite r on r.ev_class = view.oid and r.ev_type <> '1'
order by r.oid`;

export const VIEWS = [RE_POINT, RE_POINT_RULES];
