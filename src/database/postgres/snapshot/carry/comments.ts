import type { CarryQuestion } from './carried.ts';

const TABLE_AND_COLUMNS: CarryQuestion = `
select case when d.objsubid = 0 then format('comment on table %s is %L', target, d.description)
  else format('comment on column %s.%I is %L', target, a.attname, d.description) end as statement
from t
join pg_description d on d.classoid = 'pg_class'::regclass and d.objoid = t.oid
left join pg_attribute a on a.attrelid = t.oid and a.attnum = d.objsubid
order by d.objsubid`;

const ROW_TYPE: CarryQuestion = `
select format('comment on type %s is %L', target, d.description) as statement
from t join pg_description d on d.classoid = 'pg_type'::regclass and d.objoid = t.reltype`;

const CONSTRAINTS: CarryQuestion = `
select format('comment on constraint %I on %s is %L', c.conname, target, d.description) as statement
from t join pg_constraint c on c.conrelid = t.oid
join pg_description d on d.classoid = 'pg_constraint'::regclass and d.objoid = c.oid`;

const INDEXES: CarryQuestion = `
select format('comment on index %I.%I is %L', t.nspname, x.relname, d.description) as statement
from t join pg_index i on i.indrelid = t.oid join pg_class x on x.oid = i.indexrelid
join pg_description d on d.classoid = 'pg_class'::regclass and d.objoid = x.oid and d.objsubid = 0`;

const TRIGGERS: CarryQuestion = `
select format('comment on trigger %I on %s is %L', g.tgname, target, d.description) as statement
from t join pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal
join pg_description d on d.classoid = 'pg_trigger'::regclass and d.objoid = g.oid`;

const RULES: CarryQuestion = `
select format('comment on rule %I on %s is %L', r.rulename, target, d.description) as statement
from t join pg_rewrite r on r.ev_class = t.oid
join pg_description d on d.classoid = 'pg_rewrite'::regclass and d.objoid = r.oid`;

const STATISTICS: CarryQuestion = `
select format('comment on statistics %I.%I is %L', n.nspname, s.stxname, d.description) as statement
from t join pg_statistic_ext s on s.stxrelid = t.oid join pg_namespace n on n.oid = s.stxnamespace
join pg_description d on d.classoid = 'pg_statistic_ext'::regclass and d.objoid = s.oid`;

const IDENTITY_SEQUENCES: CarryQuestion = `
select format('comment on sequence %I.%I is %L', t.nspname, s.relname, d.description) as statement
from t
join pg_depend p on p.refclassid = 'pg_class'::regclass and p.refobjid = t.oid and p.classid = 'pg_class'::regclass and p.deptype = 'i'
join pg_class s on s.oid = p.objid and s.relkind = 'S'
join pg_description d on d.classoid = 'pg_class'::regclass and d.objoid = s.oid and d.objsubid = 0`;

/**
 * Changes nothing, but keeps the row type for this transaction, as no lock on the table does: a comment that came later would go with the
 * snapshot. What it says is read when it is run.
 */
export const TOUCH_ROW_TYPE: CarryQuestion = `
select format('do %L', format('begin execute %L || quote_nullable(obj_description(%s, ''pg_type'')); end',
  'comment on type ' || target || ' is ', reltype)) as statement
from t`;

/** All comments, on whatever has been made again. */
export const COMMENTS = [
  TABLE_AND_COLUMNS,
  ROW_TYPE,
  CONSTRAINTS,
  INDEXES,
  TRIGGERS,
  RULES,
  STATISTICS,
  IDENTITY_SEQUENCES,
];
