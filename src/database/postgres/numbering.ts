import type { Numbering } from '../cursor-dialect.ts';
import type { ColumnFacts, Session } from '../dialect.ts';
import { raw, sql } from '../sql.ts';
import { quoteName, quoteTable } from './names.ts';

/** See `Dialect.numberingOf`. An identity column's sequence, or the one that the column's default reads. */
export async function numberingOf(
  session: Session,
  table: string,
  column: ColumnFacts,
): Promise<Numbering | undefined> {
  const { rows } = await session.query<{
    schema: string;
    name: string;
    cache: string;
    step: string;
    readable: boolean;
  }>(sql`
    select n.nspname as schema, s.relname as name, q.seqcache::text as cache, q.seqincrement::text as step,
      has_schema_privilege(n.oid, 'USAGE') and has_sequence_privilege(s.oid, 'SELECT') as readable
    from pg_attribute a
    left join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
    join pg_depend d
      on d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype = 'i'
        and d.refobjid = a.attrelid and d.refobjsubid = a.attnum
      or d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
    join pg_class s on s.oid in (d.objid, d.refobjid) and s.relkind = 'S'
    join pg_namespace n on n.oid = s.relnamespace
    join pg_sequence q on q.seqrelid = s.oid
    where a.attrelid = ${quoteTable(table)}::regclass and a.attname = ${column.name}`);
  const found = rows[0];
  if (!found) return undefined;
  const sequence = `${quoteName(found.schema)}.${quoteName(found.name)}`;
  const numbering = {
    name: `sequence ${sequence}`,
    step: found.step,
    ...(BigInt(found.cache) > 1n && {
      ahead: { what: `CACHE ${found.cache}`, stop: `alter sequence ${sequence} cache 1` },
    }),
    restartWith: (next: string) => `alter sequence ${sequence} restart with ${next}`,
  };
  if (!found.readable) return { ...numbering, last: null };
  const { rows: at } = await session.query<{ last: string | null }>(
    sql`select case when is_called then last_value::text end as last from ${raw(sequence)}`,
  );
  return { ...numbering, last: at[0]?.last ?? null };
}

/** See `Dialect.isStandby`. */
export async function isStandby(session: Session): Promise<boolean> {
  const { rows } = await session.query<{ standby: boolean }>(sql`select pg_is_in_recovery() as standby`);
  return rows[0]?.standby ?? false;
}
