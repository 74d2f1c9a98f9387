import type { Numbering } from '../cursor-dialect.ts';
import type { ColumnFacts, Session } from '../dialect.ts';
import type { RowSource } from '../row-source.ts';
import { raw, sql } from '../sql.ts';
import { quoteName, quoteTable } from './names.ts';
import { columnsRead } from './columns-below.ts';

/** See `Dialect.numberingsOf`. An identity column's sequence, or the one that its default reads, be it of the table that a partition is of. */
export async function numberingsOf(session: Session, rows: RowSource, column: ColumnFacts): Promise<Numbering[]> {
  const read = await columnsRead(session, rows, column.name);
  const table = typeof rows === 'string' ? quoteTable(rows) : null;
  const { rows: found } = await session.query<{
    column: string;
    schema: string;
    name: string;
    cache: string;
    step: string;
    readable: boolean;
    certain: boolean;
  }>(sql`
    with named as (
      select c.oid, read.${raw('"column"')} as name, read.certain
      from json_to_recordset(${JSON.stringify(read)}) as read(schema name, relation name, ${raw('"column"')} name, certain bool)
      join pg_namespace n on n.nspname = read.schema join pg_class c on c.relnamespace = n.oid and c.relname = read.relation
      union select ${table}::regclass::oid, ${column.name}::name, true)
    select format('%I.%I.%I', t.nspname, r.relname, a.attname) as ${raw('"column"')},
      n.nspname as schema, s.relname as name, q.seqcache::text as cache, q.seqincrement::text as step,
      has_schema_privilege(n.oid, 'USAGE') and has_sequence_privilege(s.oid, 'SELECT') as readable,
      bool_or(named.certain) as certain
    from named
    cross join lateral (select named.oid union select relid from pg_partition_ancestors(named.oid)) as own(oid)
    join pg_attribute a on a.attrelid = own.oid and a.attname = named.name
    join pg_class r on r.oid = a.attrelid
    join pg_namespace t on t.oid = r.relnamespace
    left join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
    join pg_depend d
      on d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype = 'i'
        and d.refobjid = a.attrelid and d.refobjsubid = a.attnum
      or d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
    join pg_class s on s.oid in (d.objid, d.refobjid) and s.relkind = 'S'
    join pg_namespace n on n.oid = s.relnamespace
    join pg_sequence q on q.seqrelid = s.oid
    group by 1, 2, 3, 4, 5, 6
    order by 1, 2, 3`);
  const numberings: Numbering[] = [];
  for (const one of found) {
    const sequence = `${quoteName(one.schema)}.${quoteName(one.name)}`;
    const { rows: at } = one.readable
      ? await session.query<{ last: string | null }>(
          sql`select case when is_called then last_value::text end as last from ${raw(sequence)}`,
        )
      : { rows: [] };
    numberings.push({
      name: `sequence ${sequence}`,
      column: one.column,
      certain: one.certain,
      step: one.step,
      ...(BigInt(one.cache) > 1n && {
        ahead: { what: `CACHE ${one.cache}`, stop: `alter sequence ${sequence} cache 1` },
      }),
      last: at[0]?.last ?? null,
      restartWith: (next: string) => `alter sequence ${sequence} restart with ${next}`,
    });
  }
  return numberings;
}

/** See `Dialect.isStandby`. */
export async function isStandby(session: Session): Promise<boolean> {
  const { rows } = await session.query<{ standby: boolean }>(sql`select pg_is_in_recovery() as standby`);
  return rows[0]?.standby ?? false;
}
