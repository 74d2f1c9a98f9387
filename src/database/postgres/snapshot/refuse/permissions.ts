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

export const PERMISSION_REFUSALS = [
  OWNER_REFUSAL,
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
join pg_class v on v.relkind = 'v' and v.oid in (
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
select distinct format('a grant on %s was made by %I, and role %I cannot make it again in that name', target, pg_get_userbyid(a.grantor), current_user),
  format('Grant %I to %I (with set), or let the owner make that grant.', pg_get_userbyid(a.grantor), current_user)
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
where a.grantor <> t.relowner and not ${mayBecome('a.grantor')}`,
];
