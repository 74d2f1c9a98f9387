import { formatTableName } from '../../sql/names.ts';
import { postgresSql } from '../../sql/postgres.ts';
import type { Database, LockWait } from '../dialect.ts';
import { raw, sql } from '../sql.ts';

/** FirstNormalObjectId: rows of the catalog, which DDL waits for, are nobody's table. */
const FIRST_OF_USERS = '16384';

interface Row {
  schema: string | null;
  name: string | null;
  pid: number;
  user: string | null;
  application: string | null;
  age: number | null;
}

/**
 * See `Dialect.lockWait`. Who waits for a row waits for its transaction; the first to do so holds a lock on the row's place meanwhile,
 * which tells the table. A prepared transaction has no process (0): which it is say the locks on its own id, as in snapshot/lock-holders.ts.
 */
export async function lockWait(database: Database, connectionId: string): Promise<LockWait | undefined> {
  const { rows } = await database.query<Row>(sql`
    select n.nspname::text as schema, c.relname::text as name, b.pid, coalesce(a.usename, p.owner)::text as user,
      coalesce(nullif(a.application_name, ''), a.backend_type, 'prepared transaction ' || p.gid) as application,
      extract(epoch from clock_timestamp() - coalesce(a.query_start, p.prepared))::float8 as age
    from (select distinct pid from unnest(pg_blocking_pids(${connectionId}::int)) every(pid)) b
    left join pg_stat_activity a on a.pid = b.pid
    left join pg_locks l on l.pid = ${connectionId}::int
      and (l.locktype = 'relation' and not l.granted or l.locktype = 'tuple' and l.relation >= ${raw(FIRST_OF_USERS)})
      and l.database = (select oid from pg_database where datname = current_database())
    left join pg_class c on c.oid = l.relation
    left join pg_namespace n on n.oid = c.relnamespace
    left join ((select distinct virtualtransaction, database, relation from pg_locks
          where pid is null and granted and locktype = 'relation') h
        join pg_locks own on own.virtualtransaction = h.virtualtransaction and own.pid is null and own.locktype = 'transactionid'
        join pg_prepared_xacts p on p.transaction = own.transactionid)
      on b.pid = 0 and h.database = l.database and h.relation = l.relation
    order by 6 desc nulls last, 3`);
  const [first] = rows;
  if (!first) return undefined;
  const named = first.schema && first.name ? { schema: first.schema, name: first.name } : undefined;
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
