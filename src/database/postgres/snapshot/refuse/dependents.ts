/*
 * Everything that follows the table's OID would go on to look at the snapshot. Views can be re-pointed and so are not
 * here; all else is refused, and the last two questions catch what nobody has thought of: what they name, we do not know.
 */

/** Other objects of the database that depend on the table, its row type, its keys or its identity sequences. */
const DEPENDENTS = `
select distinct
  case
    when f.contype = 'f' and f.conrelid = t.oid then format('foreign key %I of %s refers to the table itself', f.conname, target)
    when f.contype = 'f' then format('foreign key %I of %s refers to %s', f.conname, f.conrelid::regclass, target)
    when v.relkind = 'm' then format('materialized view %s reads %s', v.oid::regclass, target)
    when v.relkind <> 'v' then format('rule %I of %s uses %s', r.rulename, v.oid::regclass, target)
    when d.classid = 'pg_proc'::regclass then format('function %s depends on %s (by its SQL body, its arguments or its result)',
      d.objid::regprocedure, pg_describe_object(d.refclassid, d.refobjid, 0))
    else format('%s depends on %s', pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(d.refclassid, d.refobjid, 0))
  end,
  case
    when f.contype = 'f' then 'Drop that foreign key: a landing table is emptied by every load, so nothing can refer to its rows.'
    when v.relkind = 'm' then 'Make it read a view of the table instead; views are re-pointed.'
    when d.classid = 'pg_proc'::regclass then 'Write its body as a string (as $$ … $$), which finds the table by name, and do not use the table as a type.'
    else 'Drop it, or make it independent of the landing table.'
  end
from t
cross join own o
join pg_depend d on d.refclassid = o.classid and d.refobjid = o.objid
left join pg_constraint f on d.classid = 'pg_constraint'::regclass and f.oid = d.objid
left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
left join pg_class v on v.oid = r.ev_class
where d.deptype not in ('a', 'i')
  and (not (d.classid, d.objid) in (select classid, objid from own) or f.contype = 'f' and f.confrelid = t.oid)
  and not (d.classid = 'pg_class'::regclass and d.objid in (select oid from serial))
  -- A view that reads columns, or groups by the primary key; one that uses the row type cannot be re-pointed.
  and not (coalesce(v.relkind = 'v', false)
    and (d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid or d.refclassid = 'pg_constraint'::regclass))`;

/** A constraint trigger \`on other from t\` fires by the OID of t. */
const TRIGGERS_FROM = `
select format('constraint trigger %I of %s refers to %s', g.tgname, g.tgrelid::regclass, target), 'Drop that trigger.'
from t join pg_trigger g on g.tgconstrrelid = t.oid and g.tgrelid <> t.oid and not g.tgisinternal`;

const PARTS_OF_EXTENSIONS = `
select format('%s belongs to, or is dropped with, extension %I', pg_describe_object(o.classid, o.objid, 0), e.extname),
  'Take it out of the extension (alter extension … drop …).'
from own o
join pg_depend d on d.classid = o.classid and d.objid = o.objid
  and d.refclassid = 'pg_extension'::regclass and d.deptype in ('e', 'x')
join pg_extension e on e.oid = d.refobjid`;

/** Parts of the table of a kind that the swap knows nothing of. */
const UNKNOWN_PARTS = `
select format('%s is part of the table, and of a kind that the snapshot does not know', pg_describe_object(o.classid, o.objid, 0)),
  'Drop it, and tell the authors of Waybill.'
from own o
where o.classid not in ('pg_type'::regclass, 'pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_trigger'::regclass,
    'pg_rewrite'::regclass, 'pg_statistic_ext'::regclass, 'pg_publication_rel'::regclass, 'pg_policy'::regclass)
  and not (o.classid = 'pg_class'::regclass
    and (select relkind in ('r', 'i', 'S', 't') from pg_class where oid = o.objid))
  and (select relkind = 'r' from t)`;

/** Owners, grants and tablespaces are carried; a role named otherwise (\`r\`: in a policy) is not. */
const UNKNOWN_ROLES = `
select format('%s depends on %s in a way that the snapshot does not know (%s)', pg_describe_object(s.classid, s.objid, s.objsubid),
    pg_describe_object(s.refclassid, s.refobjid, 0), s.deptype),
  'Remove it, and tell the authors of Waybill.'
from own o
join pg_shdepend s on s.classid = o.classid and s.objid = o.objid
  and s.dbid = (select oid from pg_database where datname = current_database())
where s.deptype not in ('o', 'a', 't') and o.classid <> 'pg_policy'::regclass`;

export const DEPENDENT_REFUSALS = [DEPENDENTS, TRIGGERS_FROM, PARTS_OF_EXTENSIONS, UNKNOWN_PARTS, UNKNOWN_ROLES];
