import { formatTableName } from '../../../sql/names.ts';
import { postgresSql } from '../../../sql/postgres.ts';
import type { Database, Holder } from '../../dialect.ts';
import { sql } from '../../sql.ts';

/** Whom a session waits for, and for which relation, where it is one. */
interface Blockers {
  waitingFor?: string;
  holders: Holder[];
}

interface Row {
  schema: string | null;
  name: string | null;
  pid: number;
  user: string | null;
  application: string | null;
  age: number | null;
}

/** A swap without obstacles is over by then; one that waits gives up after 200 ms. */
const LOOK_EVERY_MS = 60;

/**
 * Looks, from another connection, whom this session waits for: once its wait has ended, the server can no longer say. For locks that no
 * plan has, of which most are short. Nothing is asked of the server unless `stop` comes late.
 */
export function watchBlockers(
  database: Database,
  connectionId: string,
): { seen: () => Promise<Blockers>; stop: () => void } {
  let last: Blockers = { holders: [] };
  let looking: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    const found = await blockersOf(database, connectionId);
    if (found.holders.length > 0) last = found;
  };
  const timer = setInterval(() => {
    looking = looking.then(look).catch(() => undefined); // it is for a message only
  }, LOOK_EVERY_MS);
  const stop = (): void => clearInterval(timer);
  const seen = async (): Promise<Blockers> => {
    stop();
    await looking;
    return last;
  };
  return { seen, stop };
}

async function blockersOf(database: Database, connectionId: string): Promise<Blockers> {
  const { rows } = await database.query<Row>(sql`
    select n.nspname::text as schema, c.relname::text as name, b.pid, a.usename::text as user,
      coalesce(nullif(a.application_name, ''), a.backend_type) as application,
      extract(epoch from clock_timestamp() - a.query_start)::float8 as age
    from unnest(pg_blocking_pids(${connectionId}::int)) b(pid)
    left join pg_stat_activity a on a.pid = b.pid
    left join pg_locks l on l.pid = ${connectionId}::int and not l.granted and l.locktype = 'relation'
      and l.database = (select oid from pg_database where datname = current_database())
    left join pg_class c on c.oid = l.relation
    left join pg_namespace n on n.oid = c.relnamespace`);
  const [first] = rows;
  const named = first?.schema && first.name ? { schema: first.schema, name: first.name } : undefined;
  return {
    ...(named && { waitingFor: formatTableName(named, postgresSql) }),
    holders: rows.map(({ pid, user, application, age }) => ({
      connectionId: String(pid),
      user,
      application,
      ageSeconds: age === null ? null : Number(age),
    })),
  };
}
