import type { CarryQuestion } from './carried.ts';

/*
 * Statements that bring an object's privileges from whatever they are (default privileges may have added some) to
 * exactly what they were. An ACL of NULL means the built-in defaults, and is written out as those. The grantor of a
 * grant by the owner is the owner, whoever runs it; a grant by another role is made again as that role, after the
 * grant that let it.
 */

/** Ranks grants: a grant comes after the one that gave its grantor the right to make it. `acl` has the grants of one object. */
const RANKED = `
chain(grantor, grantee, privilege_type, is_grantable, rank) as (
  select grantor, grantee, privilege_type, is_grantable, 1 from acl where grantor = (select relowner from t)
  union
  select a.grantor, a.grantee, a.privilege_type, a.is_grantable, c.rank + 1
  from chain c join acl a on a.grantor = c.grantee and a.privilege_type = c.privilege_type and c.is_grantable
  where a.grantor <> (select relowner from t)
), ranked as (
  select a.*, coalesce((select min(c.rank) from chain c
    where (c.grantor, c.grantee, c.privilege_type) = (a.grantor, a.grantee, a.privilege_type)), 2) as rank
  from acl a
)`;

const GRANTEE = `case r.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(r.grantee)) end`;
const OPTION = `case when r.is_grantable then ' with grant option' else '' end`;
const ROLE = `case when r.grantor <> t.relowner then pg_get_userbyid(r.grantor) end as role`;

/** Run on the *new* object: takes away all that its creation gave. `kind`: table or sequence. */
export const revokeCreated = (kind: 'table' | 'sequence'): CarryQuestion => `
select distinct format('revoke all on ${kind} %s from %s', target, ${GRANTEE}) as statement
from t cross join aclexplode(coalesce(t.relacl, acldefault('${kind === 'table' ? 'r' : 's'}', t.relowner))) r`;

/** Grants on the table or sequence itself. */
export const grantsOn = (kind: 'table' | 'sequence'): CarryQuestion => `
with recursive acl as (
  select a.* from t cross join aclexplode(coalesce(t.relacl, acldefault('${kind === 'table' ? 'r' : 's'}', t.relowner))) a
), ${RANKED}
select format('grant %s on ${kind} %s to %s%s', r.privilege_type, target, ${GRANTEE}, ${OPTION}) as statement, ${ROLE}
from ranked r, t
order by r.rank`;

/** Grants on columns; a new table has none. A role may have made them by a grant option on the table, hence last. */
export const COLUMN_GRANTS: CarryQuestion = `
with recursive acl as (
  select c.attname, a.*
  from t join pg_attribute c on c.attrelid = t.oid and not c.attisdropped cross join aclexplode(c.attacl) a
), ${RANKED}
select format('grant %s (%I) on table %s to %s%s', r.privilege_type, r.attname, target, ${GRANTEE}, ${OPTION}) as statement, ${ROLE}
from ranked r, t
order by r.rank`;
