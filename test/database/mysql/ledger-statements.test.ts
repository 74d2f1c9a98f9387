/** What the rest of the ledger asks: each statement is understood, and finds what it finds on PostgreSQL. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  newestPublished,
  recordInputs,
  stillPublished,
  unconsumed,
  consumedBatches,
} from '../../../src/control/consumption.ts';
import { firstFailure, markAttempt, reopenFailed } from '../../../src/control/chunks.ts';
import { writePlan } from '../../../src/control/plan.ts';
import { recordEvent } from '../../../src/control/events.ts';
import { clearWanted, lockLanding, markWanted, unfinishedWriters, wantedBy } from '../../../src/control/landing.ts';
import { clearLane, recordLane, releaseLanes, steerLanes } from '../../../src/control/lanes.ts';
import { lastBatchId } from '../../../src/control/project.ts';
import * as reading from '../../../src/control/reading.ts';
import { otherWriter, renameHistory } from '../../../src/control/rename.ts';
import { inheritLineage, markDropped, readSnapshots, recordSwap } from '../../../src/control/snapshots.ts';
import { lockStep, markStepAttempt, markStepDone, openSteps, skipSteps } from '../../../src/control/steps.ts';
import type { Database } from '../../../src/database/dialect.ts';
import { part, sql } from '../../../src/database/sql.ts';
import { describeOn, mysqlServers } from '../../mysql-servers.ts';
import { insertBatch, ledgerOn } from '../ledger-on.ts';

describeOn(await mysqlServers(), 'statements of the ledger on $name', (server) => {
  let database: Database;
  beforeAll(async () => {
    database = await ledgerOn(server);
    for (const [id, load, state, kind] of [
      ['1', 'acquisition.a', 'published', 'acquisition'],
      ['2', 'acquisition.a', 'published', 'acquisition'],
      ['3', 'core.c', 'failed', 'core'],
      ['4', 'core.c', 'running', 'core'],
      ['5', 'acquisition.b', 'running', 'acquisition'],
    ] as const) {
      await insertBatch(database, id, load, state);
      await database.query(sql`update ${database.ledger('batch')} set kind = ${kind} where batch_id = ${id}`);
    }
    for (const [id, table] of [
      ['1', 'acq.a'],
      ['2', 'acq.a'],
      ['4', 'core.c'],
      ['5', 'acq.a'],
    ] as const) {
      await database.query(
        sql`insert into ${database.ledger('batch_output')} (batch_id, table_name) values (${id}, ${table})`,
      );
    }
  });
  afterAll(() => database.close());

  test('about what a load consumes', async () => {
    const both = [
      { batchId: '1', load: 'acquisition.a' },
      { batchId: '2', load: 'acquisition.a' },
    ];
    expect(await unconsumed(database, database, ['core.c'], ['acquisition.a'])).toEqual(both);
    await database.transaction((session) => recordInputs(session, database, '3', [both[0]!], 'consumes'));
    expect(await stillPublished(database, database, '3', ['acquisition.a'])).toEqual([both[0]]);
    expect(await consumedBatches(database, '3')).toEqual({ 'acquisition.a': ['1'] });
    expect(await newestPublished(database, database, ['acquisition.a', 'core.c'])).toEqual([both[1]]);
    expect(await unconsumed(database, database, ['core.c'], [])).toEqual([]);
  });

  test('about snapshots and their lineage', async () => {
    await database.transaction(async (session) => {
      const since = part`${database.dialect.words.clock}`;
      await recordSwap(session, database, '3', [{ table: 'acq.a', relationId: '7', storageId: '8' }], since);
      await inheritLineage(session, database, '4', '3', ['acq.a']);
    });
    expect(await readSnapshots(database, database, '3')).toEqual([
      { batchId: '3', table: 'acq.a', processing: 'acq.a_processing', relationId: '7', storageId: '8', dropped: false },
    ]);
    const inputs = await reading.readInputs(database, '4');
    expect(inputs.map(({ batchId, via }) => [batchId, via])).toEqual([
      ['1', 'snapshot'],
      ['2', 'snapshot'],
    ]);
    await database.transaction((session) => markDropped(session, database, '3', 'acq.a'));
    expect((await readSnapshots(database, database, '3'))[0]!.dropped).toBe(true);
    expect(await reading.readUndropped(database)).toEqual([]);
  });

  test('about landing tables', async () => {
    await markWanted(database, ['acq.a'], '4');
    await database.transaction((session) => lockLanding(session, database, ['acq.a', 'acq.b']));
    expect(await wantedBy(database, database, 'acq.a')).toMatchObject({ batchId: '4', load: 'core.c' });
    const writers = await unfinishedWriters(database, database, ['acq.a'], '4');
    expect(writers.map(({ batchId, overdue }) => [batchId, overdue])).toEqual([['5', false]]);
    await database.transaction((session) => clearWanted(session, database, '4'));
    expect(await wantedBy(database, database, 'acq.a')).toBe(undefined);
  });

  test('about steps, lanes and failed chunks', async () => {
    for (const n of [1, 2]) {
      await database.query(sql`insert into ${database.ledger('step')} (batch_id, phase, n) values (4, 'after', ${n})`);
    }
    const at = { batchId: '4', phase: 'after' as const, n: 1 };
    await database.transaction(async (session) => {
      expect(await lockStep(session, database, at)).toEqual({ state: 'pending', attempts: 0 });
      await markStepDone(session, database, at, { rows: 3, startedAt: new Date() });
    });
    await markStepAttempt(database, { ...at, n: 2 }, { error: 'no', failed: true });
    expect(await openSteps(database, '4', 'after')).toEqual([2]);
    expect(await reading.readSteps(database, '4')).toMatchObject([{ state: 'done' }, { state: 'failed', error: 'no' }]);
    const lane = { batchId: '4', stage: 1, lane: 1 };
    await recordLane(database, lane, { connectionId: '5', worker: 'w' });
    await steerLanes(database, lane, 0, 2);
    await clearLane(database, lane);
    await database.transaction(async (session) => {
      await releaseLanes(session, database, '4');
      expect(await writePlan(session, database, lane, 'key', [{ from: null, to: '["é"]' }])).toBe(true);
      const chunk = { batchId: '4', stage: 1, n: 1 };
      await markAttempt(session, database, chunk, { error: 'bad', waitSeconds: 0.5, failed: true, worker: 'w' });
    });
    expect(await firstFailure(database, database, '4')).toMatchObject({ n: 1, from: null, to: '["é"]', error: 'bad' });
    expect(await reading.readTroubledChunks(database, '4')).toMatchObject([{ state: 'failed', attempts: 1 }]);
    await database.transaction(async (session) => {
      await reopenFailed(session, database, '4');
      expect(await skipSteps(session, database, '4', 'after')).toBe(1);
    });
    expect(await reading.readStages(database, '4')).toMatchObject([{ n: 1, total: 1, done: 0, failed: 0, rows: 0 }]);
  });

  test('about what was published together holds it until the end', async () => {
    await database.transaction(async (session) => {
      const { rows } = await session.query<{ state: string }>(sql`
        select state from ${database.ledger('batch')} where batch_id = 1 ${database.dialect.words.shared}`);
      expect(rows).toEqual([{ state: 'published' }]);
      let changed = false;
      const other = database
        .query(sql`update ${database.ledger('batch')} set reason = 'x' where batch_id = 1`)
        .then(() => (changed = true));
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(changed).toBe(false);
      await session.commit();
      await session.begin();
      await other;
    });
  });

  test('about names and history', async () => {
    await recordEvent(database, database, '4', 'opened', { requestedBy: 'mary' });
    expect(await reading.readEvents(database, '4')).toMatchObject([
      { what: 'opened', requestedBy: 'mary', reason: null },
    ]);
    expect(await otherWriter(database, ['core.d'], ['core.c'])).toEqual({
      load: 'core.c',
      table: 'core.c',
      batchId: '4',
    });
    await renameHistory(database, 'acquisition.a', 'acquisition.z');
    const { rows } = await database.query<{ n: string; inputs: string }>(sql`
      select count(*) as n, (select count(*) from ${database.ledger('batch_input')} where producer_load = 'acquisition.z')
        as inputs from ${database.ledger('batch')} where load_name = 'acquisition.z'`);
    expect(rows).toEqual([{ n: '2', inputs: '3' }]); // what batch 4 has, which is unfinished, keeps the old name
    expect(await lastBatchId(database)).toBe('0');
  });
});
