import type { ClientBase } from 'pg';
import { lasting } from '../../prepared-statements.ts';
import { LoadFailedError } from '../../../../errors.ts';
import type { SteppedAside } from '../step-aside.ts';

/** The server gives one to a table with columns for it, and leaves it where those are dropped. */
const WITHOUT_TOAST = 'no TOAST table';
const OF_TOAST = 'option toast.';

/**
 * What a table has, a line each, by names: no expressions, which the server may write in another way each time it has read them.
 * `$1`: the table's OID; `$2`, `$3`: OIDs of what has stepped aside, and the names that those had.
 */
const LINES = `
with t as (
  select c.*, n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = $1::oid
), aside as (
  select * from unnest($2::oid[], $3::text[]) a(oid, name)
), columns as (
  select a.*, row_number() over (order by a.attnum) as position
  from t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
), indexes as (
  select x.*, i.indisclustered, i.indisreplident, coalesce(aside.name, format('%I.%I', t.nspname, x.relname)) as name
  from t join pg_index i on i.indrelid = t.oid join pg_class x on x.oid = i.indexrelid left join aside on aside.oid = x.oid
), sequences as (
  select s.*, coalesce(aside.name, format('%I.%I', t.nspname, s.relname)) as name
  from t join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid and d.classid = 'pg_class'::regclass and d.deptype = 'i'
  join pg_class s on s.oid = d.objid and s.relkind = 'S' left join aside on aside.oid = s.oid
), acl(what, acl) as (
  select 'table', coalesce(relacl, acldefault('r', relowner)) from t
  union all select format('column %I', attname), attacl from columns
  union all select format('sequence %s', name), coalesce(relacl, acldefault('s', relowner)) from sequences
), line(line, comment) as (
  select format('owner %I', pg_get_userbyid(relowner)), obj_description(oid, 'pg_class') from t
  union all select 'row type', obj_description(reltype, 'pg_type') from t
  union all select 'row level security', null from t where relrowsecurity
  union all select 'forced row level security', null from t where relforcerowsecurity
  union all select format('persistence %s, replica identity %s %s', relpersistence,
      -- "i" whose index was dropped is as good as "nothing".
      case when relreplident = 'i' and not exists (select from indexes where indisreplident) then 'n' else relreplident end,
      (select name from indexes where indisreplident)), null from t
  union all select format('option %s', o), null from t cross join unnest(t.reloptions) o
  union all select format('${OF_TOAST}%s', o), null from t join pg_class k on k.oid = t.reltoastrelid cross join unnest(k.reloptions) o
  union all select '${WITHOUT_TOAST}', null from t where reltoastrelid = 0
  union all select format('column %s %I %s%s identity %s generated %s storage %s statistics %s %s', position, attname,
      format_type(atttypid, atttypmod), case when attnotnull then ' not null' end, attidentity, attgenerated, attstorage,
      coalesce(attstattarget, -1), attoptions), col_description(attrelid, attnum) from columns
  union all select format('constraint %s%s%s', case when c.contype in ('p', 'u', 'x') then (select name from indexes where oid = c.conindid)
      else quote_ident(c.conname) end, case when c.condeferrable then ' deferrable' end, case when not c.convalidated then ' not valid' end),
      obj_description(c.oid, 'pg_constraint')
    from t join pg_constraint c on c.conrelid = t.oid and c.conparentid = 0
  union all select format('index %s %s%s%s', name, reloptions, case when indisclustered then ' clustered' end,
      (select format(' statistics %s', string_agg(coalesce(a.attstattarget, -1)::text, ' ' order by a.attnum)) from pg_attribute a
        where a.attrelid = indexes.oid and coalesce(a.attstattarget, -1) <> -1)),
      obj_description(oid, 'pg_class') from indexes
  union all select format('identity sequence %s', name), obj_description(oid, 'pg_class') from sequences
  union all select format('statistics %s of %I %s', coalesce(aside.name, format('%I.%I', n.nspname, s.stxname)), pg_get_userbyid(s.stxowner),
      coalesce(s.stxstattarget, -1)),
      obj_description(s.oid, 'pg_statistic_ext')
    from t join pg_statistic_ext s on s.stxrelid = t.oid join pg_namespace n on n.oid = s.stxnamespace left join aside on aside.oid = s.oid
  union all select format('trigger %I (%s)', g.tgname, g.tgenabled), obj_description(g.oid, 'pg_trigger')
    from t join pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal
  union all select format('rule %I (%s)', r.rulename, r.ev_enabled), obj_description(r.oid, 'pg_rewrite') from t join pg_rewrite r on r.ev_class = t.oid
  union all select format('policy %I', p.polname), null from t join pg_policy p on p.polrelid = t.oid
  union all select format('publication %I', p.pubname), null
    from t join pg_publication_rel r on r.prrelid = t.oid join pg_publication p on p.oid = r.prpubid
  union all select format('%s: %s to %s by %I%s', what, privilege_type, case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
      pg_get_userbyid(grantor), case when is_grantable then ' with grant option' end), null
    from acl cross join aclexplode(acl.acl)
)
select line || coalesce(' comment ' || comment, '') as line from line order by 1`;

/** `aside`: what of it has other names by now; it is listed by those that it had. */
export async function linesOf(client: ClientBase, oid: string, aside: readonly SteppedAside[]): Promise<string[]> {
  const values = [oid, aside.map((one) => one.oid), aside.map((one) => one.before)];
  const { rows } = await client.query<{ line: string }>(lasting('lines', LINES, values));
  return rows.map((row) => row.line);
}

/** What it lacks by now, and what it has besides, in words; undefined: nothing. */
export function differenceOf(before: readonly string[], now: readonly string[]): string | undefined {
  const lacks = before.filter((line) => !now.includes(line));
  const has = now.filter((line) => !before.includes(line));
  const differs = [lacks.length > 0 && `it lacks ${lacks.join(', ')}`, has.length > 0 && `it has ${has.join(', ')}`];
  return differs.some(Boolean) ? differs.filter(Boolean).join('; ') : undefined;
}

/**
 * Is the twin what the table is? An event trigger may have done something to it that no statement of ours undoes.
 *
 * @throws LoadFailedError that says in what they differ.
 */
export function mustBeAlike(name: string, table: readonly string[], twin: readonly string[]): void {
  const bare = twin.includes(WITHOUT_TOAST);
  const expected = table.filter((line) => line !== WITHOUT_TOAST && !(bare && line.startsWith(OF_TOAST)));
  const differs = differenceOf(
    expected,
    twin.filter((line) => line !== WITHOUT_TOAST),
  );
  if (differs === undefined) return;
  throw new LoadFailedError(`the new ${name} would not be what the table is: ${differs}`, {
    where: name,
    next: 'Nothing was changed. An event trigger may change tables as they are made (select evtname from pg_event_trigger): have it leave this one alone.',
  });
}
