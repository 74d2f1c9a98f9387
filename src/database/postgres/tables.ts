import type { StatementComplaint } from '../catalog-dialect.ts';
import type { ColumnFacts, Database, IndexFacts, Session, TableFacts, TableIdentity } from '../dialect.ts';
import { part, raw, repeated, sql, type RawSql, type SqlPart } from '../sql.ts';
import { formatTableName } from '../../sql/names.ts';
import { postgresSql } from '../../sql/postgres.ts';
import { fromItem } from '../row-source.ts';
import { quoteName, quoteTable } from './names.ts';
import type { Typed } from './narrowing.ts';
import { partsOf } from './parts.ts';
import type { PostgresSession } from './session.ts';

const KINDS: Record<string, string> = {
  r: 'table',
  p: 'partitioned table',
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
  S: 'sequence',
  i: 'index',
  I: 'index',
  c: 'composite type',
};

/** Of a row of pg_class: it is a table that keeps its rows in another way, in columns for one. A partitioned one keeps none. */
const NOT_HEAP = (relation: string): RawSql =>
  raw(`exists (select from pg_am where pg_am.oid = ${relation}.relam and ${relation}.relkind = 'r'
          and amhandler <> 'heap_tableam_handler'::regproc)`);

/** Those of a table `c`. */
const PARTS = partsOf(raw('c.oid'));

/** How `pg_type y` is named in a cast. */
const CAST_TYPE = raw(`case when y.typnamespace = 'pg_catalog'::regnamespace then format_type(y.oid, -1)
            else format('%I.%I', y.typnamespace::regnamespace::name, y.typname) end`);

/** What else a copy has to know of `pg_type y`, or of the elements of an array of it, and a comparison of `y`. */
const TRAITS = raw(`'enumerated', (select true from pg_type e where e.oid in (y.oid, y.typelem) and e.typtype = 'e'),
            'locale', case when 'money'::regtype in (y.oid, y.typelem) then current_setting('lc_monetary') end,
            'operators', case when y.typnamespace <> 'pg_catalog'::regnamespace then (select s.nspname from pg_opclass oc join pg_am am on am.oid = oc.opcmethod and am.amname = 'btree'
              join pg_amop ao on ao.amopfamily = oc.opcfamily and ao.amopstrategy = 4
                and ao.amoplefttype = oc.opcintype and ao.amoprighttype = oc.opcintype
              join pg_operator o on o.oid = ao.amopopr and o.oprname = '>='
              join pg_namespace s on s.oid = o.oprnamespace and s.nspname <> 'pg_catalog'
              where oc.opcintype = y.oid and oc.opcdefault) end`);

/** What `pg_type y` is made of below all domains; null where it is none. */
const BASE = raw(`(with recursive below (oid, modifier) as (
            select y.typbasetype, y.typtypmod where y.typtype = 'd'
            union all
            select d.typbasetype, d.typtypmod from below b join pg_type d on d.oid = b.oid and d.typtype = 'd')
          select json_build_object('type', format_type(y.oid, b.modifier), 'castType', ${CAST_TYPE.text}, ${TRAITS.text})
          from below b join pg_type y on y.oid = b.oid where y.typtype <> 'd')`);

const UNLOGGED = { why: 'a crash of the server empties it', alter: 'set logged' };
const OTHER_METHOD = {
  why: 'rows of another access method than heap may not be deleted by a roll back',
  alter: 'set access method heap',
};

/** `table` and `partitioned table` only where all rows survive a crash of the server, and are of heap: others may not be deleted. */
function kindOf(facts: {
  kind: string;
  persistence: string;
  mixed: boolean;
  method: string | null;
}): Pick<TableFacts, 'kind' | 'unfit'> {
  const { kind, persistence, mixed, method } = facts;
  if (mixed) return { kind: 'partitioned table with partitions that are unlogged, temporary, foreign or not of heap' };
  if (method !== null) return { kind: `table of access method ${method}`, unfit: OTHER_METHOD };
  const lasting = { u: 'unlogged ', t: 'temporary ' }[persistence] ?? '';
  return { kind: `${lasting}${KINDS[kind] ?? kind}`, ...(persistence === 'u' && { unfit: UNLOGGED }) };
}

/**
 * Columns and indexes of a table, undefined if there is none of that name. Of the catalog alone, which waits for nobody's lock on the
 * table.
 */
export async function describeTable(reader: Pick<Session, 'query'>, table: string): Promise<TableFacts | undefined> {
  const relation = quoteTable(table);
  const { rows } = await reader.query<{
    oid: number;
    kind: string;
    persistence: string;
    mixed: boolean;
    method: string | null;
    columns: ColumnFacts[];
    indexes: IndexFacts[];
  }>(
    repeated(
      'table',
      sql`
    select c.oid, c.relkind as kind, c.relpersistence as persistence,
      c.relkind = 'p' and exists (
        ${PARTS}
        select from parts join pg_class x on x.oid = id
        where x.relkind = 'f' or x.relpersistence <> 'p' or ${NOT_HEAP('x')}) as mixed,
      (select amname from pg_am where oid = c.relam and ${NOT_HEAP('c')}) as method,
      (select coalesce(json_agg(json_strip_nulls(json_build_object(
          'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'castType', ${CAST_TYPE},
          ${TRAITS}, 'collation', (select collname from pg_collation where oid = a.attcollation),
          'nondeterministic', (select true from pg_collation where oid = a.attcollation and not collisdeterministic),
          'base', ${BASE}, 'nullable', not a.attnotnull, 'hasDefault', a.atthasdef or a.attidentity <> '',
          'generated', a.attgenerated <> '')) order by a.attnum), '[]')
       from pg_attribute a join pg_type y on y.oid = a.atttypid
       where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)::text as columns,
      (select coalesce(json_agg(json_build_object(
          'name', ic.relname, 'unique', i.indisunique, 'primary', i.indisprimary,
          'columns', (select coalesce(json_agg(a.attname order by k.ord), '[]')
                      from unnest(i.indkey::int2[]) with ordinality k(num, ord)
                      join pg_attribute a on a.attrelid = c.oid and a.attnum = k.num
                      where k.ord <= i.indnkeyatts))), '[]')
       from pg_index i join pg_class ic on ic.oid = i.indexrelid
       where i.indrelid = c.oid and i.indisvalid and i.indpred is null)::text as indexes
    from pg_class c where c.oid = to_regclass(${relation})`,
    ),
  );
  const row = rows[0];
  if (!row) return undefined;
  return {
    table,
    ...kindOf(row),
    columns: JSON.parse(row.columns as unknown as string) as ColumnFacts[],
    indexes: JSON.parse(row.indexes as unknown as string) as IndexFacts[],
  };
}

/** See `Dialect.columnsRead`. No lock keeps anybody from reading the catalog, and users' settings do not hold there. */
export async function columnsRead(
  database: Database,
  _session: Session,
  table: string,
): Promise<ColumnFacts[] | undefined> {
  return (await describeTable(database, table))?.columns;
}

/** See `Dialect.describeQuery`. */
export async function describeQuery(session: Session, query: string): Promise<ColumnFacts[]> {
  const { client } = session as PostgresSession;
  const { fields } = await client.query(`select * from ${fromItem({ query }, quoteTable)} limit 0`);
  const { rows } = await session.query<{ facts: string }>(sql`
    select json_strip_nulls(json_build_object(
      'type', format_type(y.oid, f.modifier), 'castType', ${CAST_TYPE}, ${TRAITS}))::text as facts
    from unnest(${fields.map((field) => field.dataTypeID)}::oid[], ${fields.map((field) => field.dataTypeModifier)}::int[])
      with ordinality f(type, modifier, n) join pg_type y on y.oid = f.type order by f.n`);
  const unknown = { nullable: true, hasDefault: false, generated: false };
  return fields.map(({ name }, i) => ({ name, ...(JSON.parse(rows[i]!.facts) as Typed), ...unknown }));
}

/** Tables and views that people made, as canonical names, for near-miss suggestions. */
export async function listTables(database: Database): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>(sql`
    select quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and n.nspname <> ${database.controlSchema}
    order by 1 limit 10000`);
  return rows.map((row) => row.name);
}

/** Functions, aggregates and window functions; what only operators, types and triggers call is left out. */
export async function listFunctions(database: Database): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>(sql`
    select distinct case when p.pronamespace = 'pg_catalog'::regnamespace then p.proname::text
      else quote_ident(n.nspname) || '.' || quote_ident(p.proname) end as name
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where p.prokind <> 'p' and p.prorettype not in ('internal'::regtype, 'trigger'::regtype)
      and not 'internal'::regtype = any(p.proargtypes)`);
  return rows.map((row) => row.name);
}

/**
 * The file of a table `c`: TRUNCATE and rewrites give it another. A partitioned table has none of its own; of its partitions' the oldest
 * stays when one is added, and goes with TRUNCATE of them all. (`partsOf`: the chunk for which we ask may
 * have a partition to itself.)
 */
const FILE = part`coalesce(case when c.relkind = 'p' then (
  ${PARTS}
  select min(pg_relation_filenode(x.oid)) from parts join pg_class x on x.oid = id where x.relkind <> 'p')
  else pg_relation_filenode(c.oid) end, 0)`;

/** OID and file of a table, as this transaction sees them; undefined if the name is free. */
export async function tableIdentity(
  session: Pick<Session, 'query'>,
  table: string,
): Promise<TableIdentity | undefined> {
  const { rows } = await session.query<{ oid: number; file: number }>(sql`
    select c.oid, ${FILE} as file from pg_class c where c.oid = to_regclass(${quoteTable(table)})`);
  const row = rows[0];
  return row && { relationId: String(row.oid), storageId: String(row.file) };
}

/** Its OID and its file are what they were, and the name leads to it. */
export const isStill = (table: string, identity: TableIdentity): SqlPart => part`
  exists (select 1 from pg_class c where c.oid = to_regclass(${quoteTable(table)})
          and c.oid = ${identity.relationId}::oid and ${FILE} = ${identity.storageId}::oid)`;

/** See `Dialect.leadsTo`. */
export async function leadsTo(session: Session, name: string): Promise<string | undefined> {
  const { rows } = await session.query<{ schema: string; name: string }>(sql`
    select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.oid = to_regclass(${quoteName(name)})`);
  return rows[0] && formatTableName(rows[0], postgresSql);
}

/** See `Dialect.hasRows`. */
export async function hasRows(session: Session, table: string): Promise<boolean> {
  const { rows } = await session.query<{ found: boolean }>(
    sql`select exists (select 1 from ${raw(quoteTable(table))}) as found`,
  );
  return rows[0]?.found ?? false;
}

/** Undefined column, schema, function, table, type or operator. */
const MISSING = new Set(['42703', '3F000', '42883', '42P01', '42704']);

/** Lets the server parse and plan a statement, its parameters unbound; nothing runs. */
export async function checkStatement(database: Database, text: string): Promise<StatementComplaint | undefined> {
  try {
    await database.transaction(async (session) => {
      // A PREPARE of the extended protocol would run nothing either, but `pg` executes what it parses.
      await session.query({ strings: [`prepare waybill_check as ${text}`], values: [] });
      await session.query(sql`deallocate waybill_check`);
    });
    return undefined;
  } catch (error) {
    const failure = error as Error & { code?: string; position?: string; hint?: string };
    if (failure.code === undefined || !/^(42|22|0A|25)/.test(failure.code)) throw error;
    const unknown = unknownIn(failure.message);
    return {
      message: failure.message,
      missing: MISSING.has(failure.code),
      ...(unknown && { unknown }),
      ...(failure.hint !== undefined && { hint: failure.hint }),
      ...(failure.position ? { position: Number(failure.position) - 'prepare waybill_check as '.length } : {}),
    };
  }
}

/** See `Dialect.hasOrder`: of arrays and rows the server looks at what they are of. */
export async function hasOrder(database: Database, { castType }: ColumnFacts): Promise<boolean> {
  return (await checkStatement(database, `select order by null::${castType}`)) === undefined;
}

/** Names are in quotes but for those of columns with their table, and of functions. */
const UNKNOWN = [
  ['column', /^column "?(.+?)"?(?: of relation ".*")? does not exist$/],
  ['table', /^relation "(.+)" does not exist$/],
  ['function', /^function (.+?)\(.*\) does not exist$/],
] as const;

function unknownIn(message: string): StatementComplaint['unknown'] {
  for (const [what, form] of UNKNOWN) {
    const name = form.exec(message)?.[1];
    if (name !== undefined) return { what, parts: name.split('.') };
  }
  return undefined;
}
