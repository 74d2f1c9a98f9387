import type { Numbering } from '../cursor-dialect.ts';
import type { ColumnFacts, Session } from '../dialect.ts';
import type { RowSource } from '../row-source.ts';
import { raw, sql } from '../sql.ts';
import { classify } from './errors.ts';
import { quoteTable } from './names.ts';
import { blind } from './open-transactions.ts';
import type { MysqlSession } from './session.ts';
import { isTable } from './tables.ts';

/**
 * See `Dialect.numberingsOf`: those of tables. A statement that inserts many rows takes numbers ahead, and so does each of them as it comes to it:
 * they are used, or lost, within its transaction, whatever innodb_autoinc_lock_mode says.
 */
export async function numberingsOf(session: Session, table: RowSource, column: ColumnFacts): Promise<Numbering[]> {
  if (typeof table !== 'string') return [];
  const { server } = session as MysqlSession;
  if (server.remembersNextNumbers) {
    // Whatever was read would look as if the table had been numbered anew.
    await session.query(sql`set session information_schema_stats_expiry = 0`);
    await session.query(sql`select 1 from ${raw(quoteTable(table))} limit 0`);
  }
  const { rows } = await session.query<{ next: string | null; step: string }>(sql`
    select t.auto_increment as next, @@global.auto_increment_increment as step
    from information_schema.tables t join information_schema.columns c using (table_schema, table_name)
    where ${isTable(table)} and c.column_name = ${column.name} and c.extra like '%auto_increment%'`);
  const found = rows[0];
  if (!found) return [];
  const quoted = quoteTable(table);
  return [
    {
      name: `AUTO_INCREMENT of ${quoted}`,
      column: `${table}.${column.name}`,
      certain: true,
      step: String(found.step),
      last: found.next === null ? null : String(BigInt(found.next) - BigInt(found.step)),
      restartWith: (n) => `alter table ${quoted} auto_increment = ${n}`,
    },
  ];
}

/**
 * See `Dialect.isStandby`. Rows come to a replica over channels, to the secondary of a group over the group, and to a server that
 * shares the files of another (a reader of Aurora) by those. One that is read only by choice gets them from nobody unseen.
 */
export async function isStandby(session: Session): Promise<boolean> {
  try {
    // Whether we have PROCESS. Transactions themselves cannot always be listed.
    await session.query(sql`select 1 from information_schema.innodb_cmp limit 1`);
    const channels = await channelsOf(session as MysqlSession);
    if (channels.some(({ Channel_Name: name }) => !String(name ?? '').startsWith('group_replication_'))) return true;
    return await isWrittenByAnother(session);
  } catch (error) {
    throw classify(error).because === 'forbidden' ? blind(session as MysqlSession, error) : error;
  }
}

async function isWrittenByAnother(session: Session): Promise<boolean> {
  const { rows } = await session.query<{ Variable_name: string; Value: string }>(sql`
    show global variables where variable_name in ('innodb_read_only', 'super_read_only', 'group_replication_group_name')`);
  const value = new Map(rows.map((row) => [row.Variable_name.toLowerCase(), row.Value]));
  const isSecondary = (value.get('group_replication_group_name') ?? '') !== '' && value.get('super_read_only') === 'ON';
  return isSecondary || value.get('innodb_read_only') === 'ON';
}

/** Whether they run or not. */
async function channelsOf(session: MysqlSession): Promise<{ Channel_Name?: string }[]> {
  const { allChannels } = session.server.words;
  return (await session.query<{ Channel_Name?: string }>(sql`show ${raw(allChannels)} status`)).rows;
}
