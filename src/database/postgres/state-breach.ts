/** What took rows from a state that is held, for TRUNCATE and DDL ask no snapshot. */
import type { Database, Session } from '../dialect.ts';
import { sql, type SqlStatement } from '../sql.ts';

/** A table, a partition or a view, as one state of the catalog has it. */
interface Relation {
  oid: string;
  name: string;
  /** The file of its rows. */
  storage: string;
  /** A digest of what a view reads. */
  rule: string | null;
  /** OIDs, as a text; null: none. */
  parents: string | null;
  children: string | null;
}

/**
 * See `Dialect.stateBreach`. What a transaction has read it has locked: partitions, what lies below views, and what functions read, too.
 * Asked within the state, the catalog says how that was when the state was taken; on another connection, how it is now.
 */
export async function stateBreach(database: Database, session: Session): Promise<string | undefined> {
  const { rows: locked } = await session.query<{ oid: string }>(sql`
    select distinct relation::text as oid from pg_locks
    where pid = pg_backend_pid() and locktype = 'relation' and relation >= ${FIRST_OF_USERS}::oid
      and database = (select oid from pg_database where datname = current_database())`);
  const oids = locked.map(({ oid }) => oid);
  if (oids.length === 0) return undefined;
  const { rows: past } = await session.query<Relation>(relations(oids));
  const { rows: now } = await database.query<Relation>(relations(oids));
  const byOid = new Map(past.map((relation) => [relation.oid, relation]));
  for (const relation of now) {
    const change = changeOf(byOid.get(relation.oid), relation);
    if (change !== undefined) return `${relation.name} ${change}`;
  }
  return undefined;
}

/** Those below are the server's own, which nobody may truncate. */
const FIRST_OF_USERS = 16384;

/** But for indexes, which may come and go. */
const relations = (oids: string[]): SqlStatement => sql`
  select c.oid::text as oid, format('%I.%I', n.nspname, c.relname) as name, c.relfilenode::text as storage,
    (select md5(ev_action::text) from pg_rewrite where ev_class = c.oid and c.relkind = 'v' and ev_type = '1') as rule,
    (select string_agg(inhparent::text, ' ' order by inhparent) from pg_inherits where inhrelid = c.oid) as parents,
    (select string_agg(inhrelid::text, ' ') from pg_inherits where inhparent = c.oid) as children
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid = any(${oids}::oid[]) and c.relkind in ('r', 'p', 'm', 'v')`;

function changeOf(was: Relation | undefined, is: Relation): string | undefined {
  // A partition that has been made since has no row that the state could see: nothing is amiss.
  if (was === undefined) return is.parents !== null ? undefined : 'was made anew';
  if (was.storage !== is.storage) return 'was truncated, or its rows were rewritten';
  if (was.rule !== is.rule) return 'was replaced by another view';
  const children = new Set(is.children?.split(' '));
  if (was.children?.split(' ').some((oid) => !children.has(oid))) return 'lost a partition or a child';
  if (was.parents !== is.parents) return 'became a partition or a child, or is none any more';
  return undefined;
}
