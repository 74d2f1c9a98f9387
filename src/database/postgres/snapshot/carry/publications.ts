import type { CarryQuestion } from './carried.ts';

/** Takes the snapshot's place in publications: `$1` is asked before the rename, so these name the table itself. */
export const PUBLICATIONS: CarryQuestion = `
select format('alter publication %I add table %s%s%s', p.pubname, target,
  (select ' (' || string_agg(quote_ident(a.attname), ', ' order by k.position) || ')'
    from unnest(r.prattrs::int2[]) with ordinality k(attnum, position)
    join pg_attribute a on a.attrelid = t.oid and a.attnum = k.attnum),
  ' where (' || pg_get_expr(r.prqual, r.prrelid) || ')') as statement
from t join pg_publication_rel r on r.prrelid = t.oid join pg_publication p on p.oid = r.prpubid
order by r.oid`;

/** Run on the snapshot: what was published is published; a publication of all tables, or of a schema, keeps it in. */
export const LEAVE_PUBLICATIONS: CarryQuestion = `
select format('alter publication %I drop table %s', p.pubname, target) as statement
from t join pg_publication_rel r on r.prrelid = t.oid join pg_publication p on p.oid = r.prpubid
order by r.oid`;
