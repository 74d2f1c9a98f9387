/** `from.consistent`: the one state of its source that a batch reads. */
import type { Database } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import { WaybillError } from '../errors.ts';
import type { StageKey } from './plan.ts';

/** Nobody holds the state any more of which a batch may have read a part: it is to be read anew, as a whole. */
export class SourceStateLost extends WaybillError {
  constructor(loadName: string, how: Pick<WaybillError, 'message' | 'next'> = ENDED) {
    super(`the state of the source that this batch reads is gone: ${how.message}`, {
      next: `start it again ${how.next}: waybill run ${loadName}`,
    });
  }
}

const ENDED = {
  message: 'the connection that held it ended, or its worker did',
  next: 'when source and worker are up',
};

/** By the name that sessions join it; undefined: nobody has said so yet. */
export async function sourceState(database: Database, at: StageKey): Promise<string | undefined> {
  const { rows } = await database.query<{ name: string | null }>(sql`
    select source_state as name from ${database.ledger('stage')} where batch_id = ${at.batchId} and n = ${at.stage}`);
  return rows[0]?.name ?? undefined;
}

/**
 * A batch reads one state, and so it is said once. False: another one was said before.
 *
 * @param again this same holder has said it, and does not know whether that is recorded. A name alone proves nothing: a source that was
 * restarted gives old ones anew.
 */
export async function recordSourceState(
  database: Database,
  at: StageKey,
  name: string,
  again: boolean,
): Promise<boolean> {
  const { rowCount } = await database.query(sql`
    update ${database.ledger('stage')} set source_state = ${name}
    where batch_id = ${at.batchId} and n = ${at.stage} and (source_state is null or source_state = ${again ? name : null})`);
  return rowCount === 1;
}
