/** The table `lane`: who works on a stage, on which connection, and whether it was asked to stop. */
import type { Database, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';

export interface LaneKey {
  batchId: string;
  stage: number;
  lane: number;
}

/** A lane begins (again). Its stop flag stays as it is: only `steerLanes` sets it. */
export async function recordLane(
  database: Database,
  at: LaneKey,
  facts: { connectionId: string; worker: string },
): Promise<void> {
  await database.query(sql`
    insert into ${database.ledger('lane')} (batch_id, stage, n, connection_id, worker, started_at)
    values (${at.batchId}, ${at.stage}, ${at.lane}, ${facts.connectionId}, ${facts.worker}, ${database.dialect.words.now})
    ${database.dialect.words.onDuplicate(['batch_id', 'stage', 'n'], ['connection_id', 'worker', 'started_at'])}`);
}

/**
 * A lane comes back. This always writes, and its commit waits for the disk: with it every chunk is flushed that had been
 * committed when it began, by whichever lane. So what a lane says of the ledger outlives a crash of the server.
 */
export async function clearLane(database: Database, at: LaneKey): Promise<void> {
  await database.query(sql`
    insert into ${database.ledger('lane')} (batch_id, stage, n) values (${at.batchId}, ${at.stage}, ${at.lane})
    ${database.dialect.words.onDuplicate(['batch_id', 'stage', 'n'], ['connection_id'])}`);
}

/** No lane is asked to stop any more: whoever asked steered another workflow than the one that goes on now. */
export async function releaseLanes(session: Session, database: Database, batchId: string): Promise<void> {
  await session.query(sql`update ${database.ledger('lane')} set stop_asked = false where batch_id = ${batchId}`);
}

/** Lanes 1 … `keep` may go on, those above stop after their chunk. `keep` 0 stops all. `most`: the highest lane there is. */
export async function steerLanes(
  database: Database,
  at: { batchId: string; stage: number },
  keep: number,
  most: number,
): Promise<void> {
  await database.transaction(async (session) => {
    for (let lane = 1; lane <= most; lane += 1) {
      await session.query(sql`
        insert into ${database.ledger('lane')} (batch_id, stage, n, stop_asked)
        values (${at.batchId}, ${at.stage}, ${lane}, ${lane > keep})
        ${database.dialect.words.onDuplicate(['batch_id', 'stage', 'n'], ['stop_asked'])}`);
    }
  });
}
