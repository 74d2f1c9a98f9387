/** Why a table cannot be snapshotted, and what a person can do about it. */
export interface Refusal {
  reason: string;
  next: string;
}

/**
 * Many questions to the catalog as one statement. Each is a select of `reason` and `next`, without a row when all is
 * well, and may use
 * `t`: the table's row of pg_class, with `nspname` and its quoted name `target`;
 * `own(classid, objid)`: everything that would go with the table if it were dropped (row type, indexes, constraints,
 * triggers, identity sequences, …), except sequences of serial columns, which the new table takes over.
 */
export function refusalQuery(questions: readonly string[]): string {
  return `
with recursive t as (
  select c.*, n.nspname, format('%I.%I', n.nspname, c.relname) as target
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid = $1::oid
), serial as (
  select d.objid as oid
  from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
  where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = $1::oid
    and d.deptype = 'a'
), own(classid, objid) as (
  select 'pg_class'::regclass::oid, $1::oid
  union
  select d.classid, d.objid
  from own o join pg_depend d on d.refclassid = o.classid and d.refobjid = o.objid
  where d.deptype in ('a', 'i')
    and not (d.classid = 'pg_class'::regclass and d.objid in (select oid from serial))
)
${questions.map((question) => `select reason, next from (${question}) question(reason, next)`).join('\nunion all\n')}`;
}
