import { escapeIdentifier, type ClientBase } from 'pg';
import { asideName } from './table-name.ts';

/** Something of the old table whose name the new one needs. */
export interface SteppedAside {
  kind: 'index' | 'sequence' | 'statistics';
  /** Its name before and after, qualified, and quoted: before as the server's `%I` does. */
  before: string;
  after: string;
  oid: string;
  /** `alter index … rename to …` */
  rename: string;
}

/** Indexes (a constraint's too, which is renamed with it), identity sequences and extended statistics share names with others of their schema. */
const WITH_NAMES = `
select 'index' as kind, n.nspname::text as schema, c.relname::text as name, c.oid::text as oid, format('%I.%I', n.nspname, c.relname) as before
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
where i.indrelid = $1::oid
union all
select 'sequence', n.nspname, c.relname, c.oid::text, format('%I.%I', n.nspname, c.relname)
from pg_depend d join pg_class c on c.oid = d.objid and c.relkind = 'S' join pg_namespace n on n.oid = c.relnamespace
where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = $1::oid and d.deptype = 'i'
union all
select 'statistics', n.nspname, s.stxname, s.oid::text, format('%I.%I', n.nspname, s.stxname)
from pg_statistic_ext s join pg_namespace n on n.oid = s.stxnamespace
where s.stxrelid = $1::oid`;

/** What must give up its name before the twin is made. Changes nothing: run the `rename` of each. */
export async function whatStepsAside(client: ClientBase, oid: string): Promise<SteppedAside[]> {
  const { rows } = await client.query<Row>(WITH_NAMES, [oid]);
  return rows.map(({ kind, schema, name, oid, before }) => {
    const free = escapeIdentifier(asideName(name, oid));
    return {
      kind,
      oid,
      before,
      after: `${escapeIdentifier(schema)}.${free}`,
      rename: `alter ${kind} ${before} rename to ${free}`,
    };
  });
}

type Row = Pick<SteppedAside, 'kind' | 'oid' | 'before'> & { schema: string; name: string };
