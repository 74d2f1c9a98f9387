import type { TakenSnapshot } from '../../snapshot-dialect.ts';
import type { Database, Session } from '../../dialect.ts';
import { processingName } from '../../../sql/processing-name.ts';
import { quoteText } from '../names.ts';
import type { MysqlSession } from '../session.ts';
import { aloneWith, SWAP_WAITS } from './alone-with.ts';
import { TableBusyError } from './busy.ts';
import { guardSnapshot } from './guard.ts';
import { holdersOf } from './holders.ts';
import { newRelationId, snapshotComment, tableIdentity } from './identity.ts';
import { withTablesLocked } from './lock-tables.ts';
import { at, placeOf } from './place.ts';
import { withDdlSettings } from './settings.ts';

const WAIT_SECONDS = 2;

/**
 * Numbers and guards them first, each under its lock, so that whoever has written to it has ended. Should the work fail, they
 * keep a number that no batch knows, which the next adoption replaces.
 */
export async function adoptSnapshots<T>(
  database: Database,
  tables: readonly string[],
  work: (session: Session, adopted: TakenSnapshot[]) => Promise<T>,
): Promise<T> {
  if (tables.length === 0) return database.transaction((session) => work(session, []));
  const session = (await database.openSession('waybill adopt')) as MysqlSession;
  const alone = async (): Promise<T> => {
    const adopted: TakenSnapshot[] = [];
    for (const table of tables) adopted.push({ table, ...(await adopt(session, table)) });
    return database.transaction((own) => work(own, adopted));
  };
  try {
    return await aloneWith(session, tables, alone, SWAP_WAITS);
  } finally {
    await session.close();
  }
}

async function adopt(session: MysqlSession, table: string): Promise<{ relationId: string; storageId: string }> {
  const place = await placeOf(session, table);
  const processing = processingName(table);
  const relationId = newRelationId();
  return withDdlSettings(session, WAIT_SECONDS, async () => {
    const locked = at(place, place.processing);
    const identity = await withTablesLocked(session, [locked], async () => {
      await session.say(`alter table ${locked} comment = ${quoteText(snapshotComment(relationId))}`);
      await guardSnapshot(session, place, relationId);
      return (await tableIdentity(session, processing))!;
    });
    if (identity !== 'busy') return identity;
    throw new TableBusyError(processing, await holdersOf(session, place, place.processing));
  });
}
