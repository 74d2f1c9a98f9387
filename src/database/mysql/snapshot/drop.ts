import { LoadFailedError } from '../../../errors.ts';
import type { DropResult } from '../../snapshot-dialect.ts';
import type { Dialect } from '../../dialect.ts';
import type { MysqlSession } from '../session.ts';
import { aloneWith, SWAP_WAITS } from './alone-with.ts';
import { isBusy } from './busy.ts';
import { holdersOf } from './holders.ts';
import { tableIdentity } from './identity.ts';
import { withTablesLocked } from './lock-tables.ts';
import { at, findPlace } from './place.ts';
import { inSession } from './settings.ts';

/** How long a reader of the snapshot is waited for, at a time. */
const WAIT_SECONDS = 2;

/** The table is another's now, with which it cannot go: ER_FK_CANNOT_DROP_PARENT, ER_ROW_IS_REFERENCED_2, ER_ROW_IS_REFERENCED. */
const REFERRED_TO = new Set([3730, 1451, 1217]);

/**
 * State and identity are proved while this connection holds the name, and the table is locked when it is looked at: nobody can
 * put another in its place. An attempt that is asleep after that is ended by whoever comes next, before that one does anything.
 */
export async function dropSnapshot(
  session: MysqlSession,
  { table, processing, relationId }: { table: string; processing: string; relationId: string },
  ledger: Parameters<Dialect['dropSnapshot']>[2],
): Promise<DropResult> {
  const alone = async (): Promise<DropResult> => {
    await session.begin();
    await ledger.prove(session);
    await session.commit();
    const result = await dropLocked(session, processing, relationId);
    if (result.kind === 'busy') return result;
    await session.begin();
    await ledger.record(session, result.kind);
    await session.commit();
    return result;
  };
  return aloneWith(session, [table], alone, SWAP_WAITS);
}

async function dropLocked(session: MysqlSession, processing: string, relationId: string): Promise<DropResult> {
  // Whoever has it to himself is waited for no longer than a reader: looks wait, too.
  return inSession(session, { lock_wait_timeout: String(WAIT_SECONDS) }, async () => {
    try {
      return await dropThat(session, processing, relationId);
    } catch (error) {
      if (!isBusy(error)) throw error;
      return { kind: 'busy', holders: [] };
    }
  });
}

async function dropThat(session: MysqlSession, processing: string, relationId: string): Promise<DropResult> {
  const place = await findPlace(session, processing);
  if (!place) return { kind: 'gone' };
  const found = await tableIdentity(session, processing);
  if (found?.relationId !== relationId) return { kind: found ? 'other' : 'gone' };
  const table = at(place, place.name);
  const dropThis = async (): Promise<DropResult> => {
    const now = await tableIdentity(session, processing);
    if (now?.relationId !== relationId) return { kind: now ? 'other' : 'gone' };
    try {
      await session.say(`drop table ${table}`);
    } catch (cause) {
      if (!REFERRED_TO.has((cause as { errno?: number }).errno ?? 0)) throw cause;
      throw new LoadFailedError(`snapshot ${processing} cannot be dropped: ${(cause as Error).message}`, {
        next: 'Drop the foreign key that refers to the snapshot; then start the load again.',
        cause,
      });
    }
    return { kind: 'dropped' };
  };
  const result = await withTablesLocked(session, [table], dropThis);
  return result === 'busy' ? { kind: 'busy', holders: await holdersOf(session, place, place.name) } : result;
}
