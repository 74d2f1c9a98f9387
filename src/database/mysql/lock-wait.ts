import { namedTables } from '../../sql/lint.ts';
import { mysqlSql } from '../../sql/mysql.ts';
import { formatTableName, parseTableName } from '../../sql/names.ts';
import { splitTokens } from '../../sql/split.ts';
import type { Database, Holder, LockWait } from '../dialect.ts';
import { raw, sql } from '../sql.ts';
import { unlessNotThere } from './expected-error.ts';
import { processListOf, unlessUnlistable } from './running-statements.ts';
import { rowLockWait } from './row-lock-wait.ts';
import type { MysqlSession } from './session.ts';
import { holdersOf } from './snapshot/holders.ts';

interface Row {
  state: string | null;
  info: string | null;
  db: string | null;
}

/** Schemas of the server's own, in whose tables nobody waits: a look at the catalog names the table beside them. */
const CATALOG = ['information_schema', 'performance_schema'];

/** See `Dialect.lockWait`. Each account sees its own connections, whatever rights it has. */
export const lockWait = (database: Database, connectionId: string): Promise<LockWait | undefined> =>
  database.transaction(async (any) => {
    const session = any as MysqlSession;
    const list = await processListOf(session);
    const answer = await unlessUnlistable(session, () =>
      session.query<Row>(sql`
        select state as state, info as info, db as db from ${raw(list)}
        where id = ${connectionId} and state like 'Waiting for %'`),
    );
    const [waiting] = answer?.rows ?? [];
    if (!waiting) return rowLockWait(session, connectionId, list);
    const tables = (await lockedTable(session, connectionId)) ?? tablesOf(waiting);
    if (tables.length === 0) return { waitingFor: waiting.state!.replace(/^Waiting for /, 'a '), holders: [] };
    const holders: Holder[] = [];
    for (const { schema, name } of tables) {
      const found = await holdersOf(session, { schema }, name, connectionId);
      holders.push(...found.filter((one) => !holders.some(({ connectionId: known }) => known === one.connectionId)));
    }
    return { waitingFor: tables.map((table) => formatTableName(table, mysqlSql)).join(' or '), holders };
  });

interface Table {
  schema: string;
  name: string;
}

/** A server that lists such locks says which one, to whom may read performance_schema. */
async function lockedTable(session: MysqlSession, connectionId: string): Promise<Table[] | undefined> {
  if (!session.server.listsTableLocks) return undefined;
  const answer = await unlessNotThere(session, () =>
    session.query<Table>(sql`
      select l.object_schema as ${raw('`schema`')}, l.object_name as name
      from performance_schema.metadata_locks l join performance_schema.threads t on t.thread_id = l.owner_thread_id
      where t.processlist_id = ${connectionId} and l.lock_status = 'PENDING' and l.object_type = 'TABLE'`),
  );
  return answer && answer.rows.length > 0 ? answer.rows : undefined;
}

/** The tables of its statement: it waits for one of them. */
function tablesOf({ info, db }: Row): Table[] {
  try {
    const text = (info ?? '').replaceAll('?', '0'); // as MariaDB shows a prepared statement, which is no SQL to the lexer
    const [tokens = []] = splitTokens({ text, file: 'processlist', line: 1, column: 1 }, mysqlSql);
    return namedTables({ tokens, dialect: mysqlSql }).flatMap((named) => {
      const { schema = db, name } = parseTableName(named, mysqlSql);
      return schema === null || CATALOG.includes(schema.toLowerCase()) ? [] : [{ schema, name }];
    });
  } catch {
    return []; // cut off, or of other rules: the state says what it waits for
  }
}
