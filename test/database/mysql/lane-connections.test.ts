import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fence } from '../../../src/control/fence.ts';
import { clearLane, recordLane } from '../../../src/control/lanes.ts';
import type { Database, Session } from '../../../src/database/dialect.ts';
import { sql } from '../../../src/database/sql.ts';
import { describeOn, mysqlServers } from '../../mysql-servers.ts';
import { insertBatch, ledgerOn } from '../ledger-on.ts';

describeOn(await mysqlServers(), 'connections of lanes in the ledger on $name', (server) => {
  let database: Database;
  let lane: Session;
  beforeAll(async () => {
    database = await ledgerOn(server);
    await insertBatch(database, '1', 'core.c');
  });
  afterAll(() => database.close());

  const at = (n: number) => ({ batchId: '1', stage: 1, lane: n });
  const lives = (session: Session) => session.query(sql`select 1`).then(Boolean, () => false);

  /** A lane, one that has ended, and one whose number is that of a connection of somebody else, as after a fail-over. */
  async function recorded() {
    lane = await database.openSession('waybill lane');
    const innocent = await createConnection({ uri: server.url });
    innocent.on('error', () => undefined);
    await recordLane(database, at(1), { connectionId: lane.connectionId, worker: 'w' });
    await recordLane(database, at(2), { connectionId: String(innocent.threadId), worker: 'w' });
    await recordLane(database, at(3), { connectionId: '7', worker: 'w' });
    await clearLane(database, at(3));
    const spared = async () => {
      const [rows] = await innocent.query<RowDataPacket[]>('select 1 as one');
      expect(rows).toHaveLength(1);
      innocent.destroy();
    };
    return { spared };
  }

  test('are ended by a fence, and by who takes a lane over', async () => {
    for (const end of [
      async () => {
        const fence = await database.openAside('waybill fence');
        expect(await database.dialect.endGateHolders(fence, database, '1', fence.connectionId)).toBe(1);
        await fence.close();
      },
      async () => {
        for (const n of [1, 2, 3]) await database.dialect.endLeftLane(database, at(n));
      },
    ]) {
      const { spared } = await recorded();
      expect(await lives(lane)).toBe(true);
      await end();
      await expect.poll(() => lives(lane)).toBe(false);
      await spared();
      lane.destroy();
    }
  });

  test('and others in the gate, that have written nothing, are ended by a fence; nobody who only reads, or is none of ours, or in another gate', async () => {
    await insertBatch(database, '2', 'core.d');
    const rollBack = await database.openSession('waybill 2 roll back');
    await rollBack.begin();
    await rollBack.pipeline(database.dialect.gate(database, '2', 'shared'));
    const chunk = await database.openSession('waybill 1 all lane 1'); // of batch 1, which has been in the gate of batch 2, too
    for (const batch of ['2', '1']) {
      await chunk.begin();
      await chunk.pipeline(database.dialect.gate(database, batch, 'shared'));
      if (batch === '2') await chunk.commit();
    }
    const reader = await database.openSession('waybill read', { reading: true });
    await database.dialect.holdState(reader);
    await reader.query(sql`select * from ${database.ledger('batch')}`);
    const other = await createConnection({ uri: server.url });
    await other.query('begin');
    await other.query(`select * from ${database.controlSchema}.batch where batch_id = 1 lock in share mode`);
    expect(await fence(database, '2', 'rolling_back')).toBe('rolling_back');
    expect(await lives(rollBack)).toBe(false);
    expect(await lives(chunk)).toBe(true);
    expect(await lives(reader)).toBe(true);
    expect((await other.query<RowDataPacket[]>('select 1 as one'))[0]).toHaveLength(1);
    for (const session of [rollBack, chunk, reader]) session.destroy();
    other.destroy();
  });
});
