import { createHash } from 'node:crypto';
import type { Database, Session } from '../dialect.ts';
import { part, raw, sql, type SqlPart, type SqlStatement } from '../sql.ts';
import { markOf } from './connect.ts';
import { classify } from './errors.ts';
import { killConnection, type MysqlSession } from './session.ts';

/**
 * The gate of a batch is its row: chunks hold it shared, the fence takes it alone. InnoDB lets nobody overtake who waits, so
 * lanes that overlap do not starve the fence (0.12 s, FACTS "The fence, measured"). A locking read sees what was committed
 * last, whatever it had to wait for: the state needs no statement of its own.
 *
 * `lock in share mode`: MariaDB does not know `for share`. What stands in a subquery (`more`) it does not lock, so that a lane can
 * be steered in the middle of a chunk.
 */
export const gate = (
  database: Database,
  batchId: string,
  mode: 'shared' | 'exclusive',
  more: SqlPart = part``,
): SqlStatement[] => [
  sql`select state${more}${raw(marked(database))} from ${database.ledger('batch')} where batch_id = ${batchId}
      ${raw(mode === 'shared' ? 'lock in share mode' : 'for update')}`,
];

/**
 * In whose gate a connection stands, or stood last, by the name of a lock that it takes there: to MariaDB (others read a comment) all
 * transactions that have written nothing are number 0, and a fence that waits for one cannot tell which it is.
 */
function marked(database: Database): string {
  const mark = gateMarkOf(database, 'batch_id', 'connection_id()');
  return `/*M!100000 , if(@waybill_gate <=> ${mark}, 1,
    coalesce(release_lock(@waybill_gate), 0) + get_lock(@waybill_gate := ${mark}, 0)) as marked */`;
}

/** Of the ledger, too: another one on the server numbers its batches alike. `batchId`, `id`: SQL of the numbers. */
function gateMarkOf({ controlSchema }: Database, batchId: string, id: string): string {
  const ledger = createHash('sha256').update(controlSchema).digest('hex').slice(0, 16);
  return `concat('waybill gate ${ledger} ', ${batchId}, ' ', ${id})`;
}

/**
 * Ends the lanes of this batch by their connections in the ledger, which needs no privilege, and whoever else holds back the
 * fence (a publish, a roll back), which only the privilege PROCESS, or SELECT on performance_schema, lets us see. Without it
 * a fence waits for those; what is asleep the server ends after a minute, whatever it is.
 */
export async function endGateHolders(
  session: Session,
  database: Database,
  batchId: string,
  exceptConnection: string,
): Promise<number> {
  const found = new Set([
    ...(await laneConnections(session, database, batchId)),
    ...(await blockersOf(session, database, batchId, exceptConnection)),
  ]);
  found.delete(session.connectionId);
  found.delete(exceptConnection);
  let ended = 0;
  for (const connectionId of found) if (await killConnection(session as MysqlSession, connectionId)) ended += 1;
  return ended;
}

/**
 * Numbers of connections begin anew when the server starts: what was recorded before is void. And another server, to which a name has
 * failed over, has its own: only what bears our mark is a connection of Waybill's there.
 */
async function laneConnections(
  session: Session,
  database: Database,
  batchId: string,
  which: SqlPart = part``,
): Promise<string[]> {
  const { rows: uptime } = await session.query<{ Value: string }>(sql`show global status like 'Uptime'`);
  const { rows } = await session.query<{ connection_id: string }>(sql`
    select connection_id from ${database.ledger('lane')}
    where batch_id = ${batchId}
      and started_at > current_timestamp(6) - interval ${Number(uptime[0]?.Value ?? 0)} second
      and is_used_lock(${raw(markOf('coalesce(connection_id, 0)'))}) = connection_id ${which}`);
  return rows.map((row) => row.connection_id);
}

/**
 * Connections whose locks this connection waits for. Of transactions number 0 only those in the gate of this batch, with rows
 * locked: another batch's chunk that still reads is number 0, too.
 */
async function blockersOf(
  session: Session,
  database: Database,
  batchId: string,
  connectionId: string,
): Promise<string[]> {
  const { listsRowWaitsBy } = (session as MysqlSession).server;
  const mark = gateMarkOf(database, `${BigInt(batchId)}`, 'b.trx_mysql_thread_id');
  try {
    const { rows } = await session.query<{ id: string }>(
      listsRowWaitsBy === 'connection'
        ? sql`
          select distinct b.processlist_id as id from performance_schema.data_lock_waits w
          join performance_schema.threads b on b.thread_id = w.blocking_thread_id
          join performance_schema.threads r on r.thread_id = w.requesting_thread_id
          where r.processlist_id = ${connectionId} and b.processlist_id is not null`
        : sql`
          select distinct b.trx_mysql_thread_id as id from information_schema.innodb_lock_waits w
          join information_schema.innodb_trx b on b.trx_id = w.blocking_trx_id
          join information_schema.innodb_trx r on r.trx_id = w.requesting_trx_id
          where r.trx_mysql_thread_id = ${connectionId} and b.trx_mysql_thread_id > 0
            and (w.blocking_trx_id > 0 or (b.trx_rows_locked > 0
              and is_used_lock(${raw(mark)}) = b.trx_mysql_thread_id))`,
    );
    return rows.map(({ id }) => String(id));
  } catch (error) {
    if (classify(error).because !== 'forbidden') throw error;
    return [];
  }
}

/** See `Dialect.endLeftLane`. */
export async function endLeftLane(
  database: Database,
  { batchId, stage, lane }: { batchId: string; stage: number; lane: number },
): Promise<void> {
  const session = await database.openAside('waybill end');
  try {
    await endLeft(session, database, batchId, part`and stage = ${stage} and n = ${lane}`);
  } finally {
    await session.close();
  }
}

/** See `Dialect.endLeft`. */
export async function endLeft(session: Session, database: Database, batchId: string, which?: SqlPart): Promise<void> {
  for (const id of await laneConnections(session, database, batchId, which))
    await killConnection(session as MysqlSession, id);
}

/** See `Dialect.cutReading`. */
export function cutReading(database: Database, session: Session): void {
  if (session.closed) return; // its number may be another connection's by now
  void endConnection(database, session.connectionId).catch(() => undefined);
  session.destroy();
}

/** Ends one connection, and with it whatever it runs. No error if it has gone. */
export async function endConnection(database: Pick<Database, 'openAside'>, connectionId: string): Promise<void> {
  const session = await database.openAside('waybill end');
  try {
    await killConnection(session as MysqlSession, connectionId);
  } finally {
    await session.close();
  }
}
