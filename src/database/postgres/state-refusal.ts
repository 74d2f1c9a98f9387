import type { RowSource } from '../row-source.ts';
import type { Session } from '../dialect.ts';
import { sql } from '../sql.ts';
import { planNodes } from './relations-read.ts';

const NEXT =
  'read a materialized view of it, or a table, that is filled before; or name the server where the rows lie as the connection; or leave consistent out';

/**
 * See `Dialect.stateRefusal`. Behind a foreign table each transaction of ours is one of its own on another server, or none; a sequence is
 * what it is now to everybody. What functions read the planner does not say, but for those of dblink, which are named.
 */
export async function stateRefusal(
  session: Session,
  rows: RowSource,
): Promise<{ reason: string; next: string } | undefined> {
  const nodes = await planNodes(session, rows);
  // Their server is sent a query of its own, a join or an aggregate.
  const joined = nodes.find(({ Relations }) => Relations !== undefined)?.Relations;
  if (joined !== undefined) return { reason: `foreign tables (${joined}) are read, ${ELSEWHERE}`, next: NEXT };
  const named = nodes.map((node) => ({
    schema: node.Schema,
    relation: node['Relation Name'],
    routine: node['Function Name'],
  }));
  const { rows: found } = await session.query<{ name: string; kind: 'f' | 'S' | 'dblink' }>(sql`
    with named as (
      select distinct n.oid as namespace, relation, routine
      from json_to_recordset(${JSON.stringify(named)}) as named(schema name, relation name, routine name)
      join pg_namespace n on n.nspname = named.schema)
    select c.oid::regclass::text as name, c.relkind::text as kind
    from named join pg_class c on c.relnamespace = namespace and c.relname = relation where c.relkind in ('f', 'S')
    union all
    select p.oid::regproc::text, x.extname::text
    from named join pg_proc p on p.pronamespace = namespace and p.proname = routine
    join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
    join pg_extension x on d.refclassid = 'pg_extension'::regclass and x.oid = d.refobjid and x.extname = 'dblink'
    order by 2, 1 limit 1`);
  if (!found[0]) return undefined;
  const { name, kind } = found[0];
  if (kind === 'S') {
    return { reason: `${name} is a sequence, which is to everybody what it is now`, next: 'leave consistent out' };
  }
  return {
    reason: kind === 'f' ? `${name} is a foreign table, ${ELSEWHERE}` : `${name} goes elsewhere, ${ELSEWHERE}`,
    next: NEXT,
  };
}

const ELSEWHERE = 'and each chunk would get the rows that are there by then';
