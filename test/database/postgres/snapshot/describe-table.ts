import type { ClientBase } from 'pg';

/** Everything that a table has, by name: no OIDs except those of sequences that must stay the same. */
export type TableDescription = Record<string, Record<string, unknown>[]>;

const COMMENT = (classoid: string, objoid: string) =>
  `(select json_agg(format('%s %s', objsubid, description) order by objsubid) from pg_description d where d.classoid = '${classoid}'::regclass and d.objoid = ${objoid}) as comments`;

const GRANTS = (acl: string) =>
  `(select json_agg(format('%s %s to %s by %s', privilege_type, is_grantable, case grantee when 0 then 'public' else grantee::regrole::text end, grantor::regrole)
    order by privilege_type, grantee, grantor) from aclexplode(${acl}) x)`;

const VIEWS = `select distinct r.ev_class from pg_depend p join pg_rewrite r on p.classid = 'pg_rewrite'::regclass and r.oid = p.objid
  where p.refclassid = 'pg_class'::regclass and p.refobjid = $1::oid and r.ev_class <> $1::oid`;

/** Each asks one thing; `$1` is the table's OID. Written without looking at the swap's own questions. */
const QUESTIONS: Record<string, string> = {
  table: `select relname, relkind, relpersistence, am.amname, spc.spcname, relowner::regrole, reloptions,
      (select reloptions from pg_class where oid = c.reltoastrelid) as toast, relreplident, relrowsecurity, relforcerowsecurity,
      relhasrules, relhastriggers, relnatts > 0 as columns, ${GRANTS(`coalesce(c.relacl, acldefault('r', c.relowner))`)} as grants,
      ${COMMENT('pg_class', 'c.oid')}, obj_description(c.reltype, 'pg_type') as type_comment
    from pg_class c left join pg_am am on am.oid = relam left join pg_tablespace spc on spc.oid = reltablespace where c.oid = $1::oid`,
  columns: `select a.attname, format_type(atttypid, atttypmod) as type, attcollation::regcollation, attstorage, attcompression, attnotnull,
      attidentity, attgenerated, pg_get_expr(adbin, adrelid) as default, coalesce(attstattarget, -1) as target, attoptions,
      ${GRANTS('attacl')} as grants
    from pg_attribute a left join pg_attrdef on adrelid = attrelid and adnum = attnum
    where attrelid = $1::oid and attnum > 0 and not attisdropped order by attnum`,
  // A foreign key to a partitioned table has one to each partition, which the server names.
  constraints: `select case when conparentid = 0 then conname end as conname, contype, pg_get_constraintdef(oid) as definition, condeferrable, condeferred, convalidated, connoinherit,
      conindid::regclass::text as index, ${COMMENT('pg_constraint', 'c.oid')} from pg_constraint c where conrelid = $1::oid order by 1, 3`,
  indexes: `select c.relname, pg_get_indexdef(c.oid) as definition, c.reloptions, spc.spcname, indisunique, indisprimary, indisexclusion,
      indimmediate, indisclustered, indisvalid, indisreplident, c.relowner::regrole,
      (select json_agg(coalesce(attstattarget, -1) order by attnum) from pg_attribute where attrelid = c.oid) as targets, ${COMMENT('pg_class', 'c.oid')}
    from pg_index i join pg_class c on c.oid = indexrelid left join pg_tablespace spc on spc.oid = c.reltablespace where indrelid = $1::oid order by 1`,
  statistics: `select stxname, stxnamespace::regnamespace, pg_get_statisticsobjdef(oid) as definition, coalesce(stxstattarget, -1) as target,
      stxowner::regrole, ${COMMENT('pg_statistic_ext', 's.oid')} from pg_statistic_ext s where stxrelid = $1::oid order by 1`,
  sequences: `select c.relname, n.nspname, d.deptype, a.attname, c.relowner::regrole, c.relpersistence, seqtypid::regtype, seqstart, seqincrement, seqmax,
      seqmin, seqcache, seqcycle, case d.deptype when 'a' then c.oid end as oid,
      ${GRANTS(`coalesce(c.relacl, acldefault('s', c.relowner))`)} as grants, ${COMMENT('pg_class', 'c.oid')}
    from pg_depend d join pg_class c on c.oid = d.objid and c.relkind = 'S' join pg_namespace n on n.oid = c.relnamespace
    join pg_sequence q on q.seqrelid = c.oid join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = $1::oid order by 1`,
  triggers: `select tgname, pg_get_triggerdef(oid) as definition, tgenabled, tgdeferrable, tginitdeferred, ${COMMENT('pg_trigger', 'g.oid')}
    from pg_trigger g where tgrelid = $1::oid and not tgisinternal order by 1`,
  rules: `select rulename, pg_get_ruledef(oid) as definition, ev_enabled, ${COMMENT('pg_rewrite', 'r.oid')}
    from pg_rewrite r where ev_class = $1::oid order by 1`,
  publications: `select pubname, (select json_agg(attname order by attnum) from pg_attribute where attrelid = prrelid and attnum = any(prattrs::int2[])) as columns,
      pg_get_expr(prqual, prrelid) as filter from pg_publication_rel r join pg_publication p on p.oid = prpubid where prrelid = $1::oid order by 1`,
  views: `select v.oid::regclass::text as view, v.oid, pg_get_viewdef(v.oid) as definition, reloptions, relowner::regrole, ${GRANTS('relacl')} as grants,
      ${COMMENT('pg_class', 'v.oid')},
      (select json_agg(pg_get_expr(adbin, adrelid) order by adnum) from pg_attrdef where adrelid = v.oid) as defaults,
      (select json_agg(pg_get_ruledef(r.oid) || ev_enabled::text order by rulename) from pg_rewrite r where ev_class = v.oid) as rules,
      (select json_agg(pg_get_triggerdef(g.oid) order by tgname) from pg_trigger g where tgrelid = v.oid) as triggers
    from pg_class v where v.oid in (${VIEWS}) order by 1`,
  dependents: `select distinct pg_describe_object(classid, objid, objsubid) as object, pg_describe_object(refclassid, refobjid, refobjsubid) as uses, deptype
    from pg_depend where refclassid = 'pg_class'::regclass and refobjid = $1::oid and deptype <> 'i'
      and not (classid = 'pg_constraint'::regclass and (select conparentid <> 0 from pg_constraint where oid = objid))
      and not (classid = 'pg_trigger'::regclass and (select tgisinternal from pg_trigger where oid = objid)) order by 1, 2, 3`,
};

/** Reads it all into a plain object, sequence positions included. Names in it are qualified. */
export async function describeTable(client: ClientBase, table: string): Promise<TableDescription> {
  const before = (await client.query<{ search_path: string }>('show search_path')).rows[0]!.search_path;
  await client.query('set search_path = pg_catalog');
  const { oid } = (await client.query<{ oid: number }>('select $1::regclass::oid as oid', [table])).rows[0]!;
  const description: TableDescription = {};
  for (const [name, question] of Object.entries(QUESTIONS)) {
    description[name] = (await client.query<Record<string, unknown>>(question, [oid])).rows;
  }
  for (const sequence of description['sequences']!) {
    const name =
      client.escapeIdentifier(sequence['nspname'] as string) +
      '.' +
      client.escapeIdentifier(sequence['relname'] as string);
    Object.assign(sequence, (await client.query(`select last_value, is_called from ${name}`)).rows[0]);
  }
  await client.query(`set search_path = ${before}`);
  return description;
}
