/*
 * What the connecting role may do. Everything is done as this role, except grants that another role made: those are
 * made again as that role. In PostgreSQL 16 and later a member may lack the right to SET ROLE.
 */

/** `may_become(role)` in all versions. */
const mayBecome = (role: string) =>
  `pg_has_role(${role}, case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end)`;

/** Whoever renames, guards or drops a table must own it. */
export const OWNER_REFUSAL = `
select format('role %I is not the owner of %s, nor a member of its owner %I', current_user, target, pg_get_userbyid(relowner)),
  format('Connect as %I, or: grant %I to %I.', pg_get_userbyid(relowner), pg_get_userbyid(relowner), current_user)
from t where not pg_has_role(relowner, 'USAGE')`;

/** An owner may take from himself what LOCK TABLE and CREATE TRIGGER ask of him, too. Since PostgreSQL 17 MAINTAIN is enough for a lock. */
export const OWN_RIGHTS_REFUSAL = `
select format('role %I lacks %s on %s, to lock it and to guard its snapshot', current_user, string_agg(r.needed, ', '), target),
  format('grant %s on %s to %I', string_agg(r.needed, ', '), target, current_user)
from t cross join (values
  ('update', 'UPDATE, DELETE, TRUNCATE' || case when current_setting('server_version_num')::int >= 170000 then ', MAINTAIN' else '' end),
  ('trigger', 'TRIGGER')) r(needed, any_of)
where pg_has_role(t.relowner, 'USAGE') and not has_table_privilege(t.oid, r.any_of)
group by target`;

/** A schema of what the twin's statements name, and whose name it is. What expressions name only the server can say: expressions.ts. */
const NAMED_SCHEMAS = `
select t.relnamespace as schema, 'the table' as what from t
union all
select y.typnamespace, format('the type of column %I', a.attname) from columns a join pg_type y on y.oid = a.atttypid
union all
select l.collnamespace, format('the collation of column %I', a.attname)
from columns a join pg_type y on y.oid = a.atttypid join pg_collation l on l.oid = a.attcollation
where a.attcollation <> y.typcollation
union all
select l.collnamespace, format('a collation of index %I', x.relname)
from indexes x cross join unnest(x.indkey::int2[], x.indcollation::oid[]) k(attnum, collid)
join columns a on a.attnum = k.attnum join pg_collation l on l.oid = k.collid
where k.collid <> a.attcollation
union all
-- Others are not named.
select o.opcnamespace, format('an operator class of index %I', x.relname)
from indexes x cross join unnest(x.indclass::oid[]) k join pg_opclass o on o.oid = k and not o.opcdefault
union all
select o.oprnamespace, format('an operator of constraint %I', c.conname)
from t join pg_constraint c on c.conrelid = t.oid cross join unnest(c.conexclop) k join pg_operator o on o.oid = k
union all
select r.relnamespace, format('the table of foreign key %I', c.conname)
from t join pg_constraint c on c.conrelid = t.oid and c.contype = 'f' join pg_class r on r.oid = c.confrelid
union all
select p.pronamespace, format('the function of trigger %I', g.tgname)
from t join pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal join pg_proc p on p.oid = g.tgfoid
union all
select c.relnamespace, format('a table of rule %I', r.rulename)
from t join pg_rewrite r on r.ev_class = t.oid
join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
join pg_class c on c.oid = d.refobjid
union all
select s.stxnamespace, format('statistics %I', s.stxname) from t join pg_statistic_ext s on s.stxrelid = t.oid`;

export const PERMISSION_REFUSALS = [
  OWNER_REFUSAL,
  OWN_RIGHTS_REFUSAL,
  `
with columns as (
  select a.* from t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
), indexes as (
  select c.relname, i.* from t join pg_index i on i.indrelid = t.oid join pg_class c on c.oid = i.indexrelid
)
select format('role %I may not use schema %s, of %s of %s', current_user, s.schema::regnamespace,
    string_agg(distinct s.what, ', '), (select target from t)),
  format('grant usage on schema %s to %I', s.schema::regnamespace, current_user)
from (${NAMED_SCHEMAS}) s
where not has_schema_privilege(s.schema, 'USAGE')
group by s.schema`,
  `
select format('role %I may not use type %s, of column %I of %s', current_user, format_type(a.atttypid, null), a.attname, target),
  format('grant usage on type %s to %I', format_type(coalesce(nullif(y.typelem, 0), y.oid), null), current_user)
from t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped join pg_type y on y.oid = a.atttypid
where not has_type_privilege(a.atttypid, 'USAGE')`,
  // The server makes ready to prove it, though the twin has no row.
  `
select distinct format('role %I may not execute %s, which constraint %I of %s calls', current_user, p.oid::regprocedure, c.conname, target),
  format('grant execute on function %s to %I', p.oid::regprocedure, current_user)
from t join pg_constraint c on c.conrelid = t.oid and c.contype = 'c' and c.convalidated
join pg_depend d on d.classid = 'pg_constraint'::regclass and d.objid = c.oid and d.refclassid = 'pg_proc'::regclass
join pg_proc p on p.oid = d.refobjid
where not has_function_privilege(p.oid, 'EXECUTE')`,
  `
select format('role %I cannot give a new table to %I, the owner of %s', current_user, pg_get_userbyid(relowner), target),
  format('Grant %I to %I (with set), and create on schema %I to %I.', pg_get_userbyid(relowner), current_user, nspname, pg_get_userbyid(relowner))
from t
where not (select rolsuper from pg_roles where rolname = current_user) and relowner <> quote_ident(current_user)::regrole
  and not (${mayBecome('relowner')} and has_schema_privilege(relowner, relnamespace, 'CREATE'))`,
  `
select format('role %I may not create tables in schema %I', current_user, nspname),
  format('grant create on schema %I to %I', nspname, current_user)
from t where not has_schema_privilege(relnamespace, 'CREATE')`,
  `
select format('role %I may not create in tablespace %I, where %s is', current_user, s.spcname, pg_describe_object('pg_class'::regclass, c.oid, 0)),
  format('grant create on tablespace %I to %I', s.spcname, current_user)
from own o
join pg_class c on o.classid = 'pg_class'::regclass and c.oid = o.objid and c.relkind in ('r', 'i')
join pg_tablespace s on s.oid = c.reltablespace
where not has_tablespace_privilege(s.oid, 'CREATE')`,
  `
select format('view %s reads %s and belongs to %I: role %I cannot re-point it', v.oid::regclass, target, pg_get_userbyid(v.relowner), current_user),
  format('grant %I to %I, and create on schema %s', pg_get_userbyid(v.relowner), current_user, v.relnamespace::regnamespace)
from t
-- That of a session (temporary) is waited for, until it is gone: lock-tables.ts.
join pg_class v on v.relkind = 'v' and v.relpersistence <> 't' and v.oid in (
  select r.ev_class from pg_depend d join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
  where d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid)
where not (pg_has_role(v.relowner, 'USAGE') and has_schema_privilege(v.relnamespace, 'CREATE'))`,
  `
select format('%s is in publication %I of %I: role %I cannot change it', target, p.pubname, pg_get_userbyid(p.pubowner), current_user),
  format('alter publication %I owner to %I, or take the table out of it', p.pubname, current_user)
from t join pg_publication_rel r on r.prrelid = t.oid join pg_publication p on p.oid = r.prpubid
where not pg_has_role(p.pubowner, 'USAGE')`,
  `
select format('statistics %I.%I belong to %I: role %I cannot rename them', s.stxnamespace::regnamespace::name, s.stxname,
    pg_get_userbyid(s.stxowner), current_user),
  format('alter statistics %I.%I owner to %I', s.stxnamespace::regnamespace::name, s.stxname, pg_get_userbyid(t.relowner))
from t join pg_statistic_ext s on s.stxrelid = t.oid
where not (pg_has_role(s.stxowner, 'USAGE') and has_schema_privilege(s.stxnamespace, 'CREATE'))
  or s.stxowner <> quote_ident(current_user)::regrole and not (select rolsuper from pg_roles where rolname = current_user)
    and not (${mayBecome('s.stxowner')} and has_schema_privilege(s.stxowner, s.stxnamespace, 'CREATE'))`,
  // Adding the foreign key takes a lock on the other table, and that lock must be had before ours (lock-plan.ts).
  `
select format('foreign key %I of %s refers to %s, which role %I may not refer to or not lock', f.conname, target, f.confrelid::regclass, current_user),
  format('grant references, update on %s to %I', f.confrelid::regclass, current_user)
from t join pg_constraint f on f.conrelid = t.oid and f.contype = 'f'
where not (has_table_privilege(f.confrelid, 'UPDATE, DELETE, TRUNCATE')
  and (has_table_privilege(f.confrelid, 'REFERENCES')
    or (select bool_and(has_column_privilege(f.confrelid, k, 'REFERENCES')) from unnest(f.confkey) k)))`,
  `
select format('role %I may not execute %s, which trigger %I of %s calls', current_user, g.tgfoid::regprocedure, g.tgname, target),
  format('grant execute on function %s to %I', g.tgfoid::regprocedure, current_user)
from t join pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal
where not has_function_privilege(g.tgfoid, 'EXECUTE')`,
  `
select distinct format(case when ${mayBecome('a.grantor')} then 'a grant on %s was made by %I, which may not use schema %4$I any more'
    else 'a grant on %s was made by %I, and role %I cannot make it again in that name' end,
    target, pg_get_userbyid(a.grantor), current_user, t.nspname),
  case when ${mayBecome('a.grantor')}
    then format('grant usage on schema %I to %I; or let the owner make that grant', t.nspname, pg_get_userbyid(a.grantor))
    else format('Grant %I to %I (with set), or let the owner make that grant.', pg_get_userbyid(a.grantor), current_user) end
from t
cross join lateral (
  select grantor from aclexplode(t.relacl)
  union all
  select x.grantor from pg_attribute c cross join aclexplode(c.attacl) x where c.attrelid = t.oid and not c.attisdropped
  union all
  select x.grantor
  from own o join pg_class s on o.classid = 'pg_class'::regclass and s.oid = o.objid and s.relkind = 'S'
  cross join aclexplode(s.relacl) x
) a
where a.grantor <> t.relowner and not (${mayBecome('a.grantor')} and has_schema_privilege(a.grantor, t.relnamespace, 'USAGE'))`,
];
