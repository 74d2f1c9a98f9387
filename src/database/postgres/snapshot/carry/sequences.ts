import type { CarryQuestion } from './carried.ts';

const IDENTITIES = `
from t
join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid and d.classid = 'pg_class'::regclass and d.deptype = 'i'
join pg_class s on s.oid = d.objid and s.relkind = 'S'
join pg_sequence q on q.seqrelid = s.oid
join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid and a.attidentity <> ''
order by a.attnum`;

/** Identity columns with a new sequence of the old name: an identity's sequence cannot change tables. */
export const IDENTITY_COLUMNS: CarryQuestion = `
select format('alter table %s alter column %I add generated %s as identity (sequence name %I.%I)',
  target, a.attname, case a.attidentity when 'a' then 'always' else 'by default' end, t.nspname, s.relname) as statement
${IDENTITIES}`;

/** Of `t` and a row `d` of pg_attrdef: it names a sequence that comes with an identity column, which is not there before that. */
export const DRAWS_FROM_IDENTITY = `exists (
          select from pg_depend n join pg_depend i
            on i.classid = n.refclassid and i.objid = n.refobjid and i.deptype = 'i' and i.refclassid = 'pg_class'::regclass and i.refobjid = t.oid
          where n.classid = 'pg_attrdef'::regclass and n.objid = d.oid and n.refclassid = 'pg_class'::regclass)`;

/** Another column's, run once the sequences are there. */
export const IDENTITY_DEFAULTS: CarryQuestion = `
select format('alter table %s alter column %I set default %s', target, a.attname, pg_get_expr(d.adbin, d.adrelid)) as statement
from t
join pg_attrdef d on d.adrelid = t.oid
join pg_attribute a on a.attrelid = t.oid and a.attnum = d.adnum
where ${DRAWS_FROM_IDENTITY}
order by a.attnum`;

/** Its type is the column's unless somebody changed it, and an identity takes no bounds beyond that. */
export const IDENTITY_SEQUENCES: CarryQuestion = `
select format('alter sequence %I.%I as %s start with %s increment by %s minvalue %s maxvalue %s restart cache %s %s',
  t.nspname, s.relname, q.seqtypid::regtype, q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache,
  case when q.seqcycle then 'cycle' else 'no cycle' end) as statement
${IDENTITIES}`;

/** Sequences of serial columns stay what they are, with their position; only the column that owns them is another. */
export const SERIAL_OWNERSHIP: CarryQuestion = `
select format('alter sequence %I.%I owned by %s.%I', n.nspname, s.relname, target, a.attname) as statement
from t
join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid and d.classid = 'pg_class'::regclass and d.deptype = 'a'
join pg_class s on s.oid = d.objid and s.relkind = 'S'
join pg_namespace n on n.oid = s.relnamespace
join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
order by s.oid`;

/** The next value of the new sequence is what the old one's would have been. Both names quoted and qualified. */
export const continueSequence = (sequence: string, old: string) =>
  `select pg_catalog.setval(${quoteLiteral(sequence)}::pg_catalog.regclass, last_value, is_called) from ${old}`;

const quoteLiteral = (text: string) => `'${text.replaceAll("'", "''")}'`;
