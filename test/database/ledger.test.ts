import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BatchContext } from '../../src/activities/batch-context.ts';
import { attemptChunks, type ChunkWork, type Turn } from '../../src/activities/chunk-transaction.ts';
import { splitChunk } from '../../src/control/bad-rows.ts';
import {
  claimChunks,
  completeChunks,
  countAttempt,
  countChunks,
  markAttempt,
  type Claim,
} from '../../src/control/chunks.ts';
import { leftUndone } from '../../src/control/continued.ts';
import { fence } from '../../src/control/fence.ts';
import { changeState, inGate } from '../../src/control/gate.ts';
import { recordLane, steerLanes } from '../../src/control/lanes.ts';
import { readParts } from '../../src/control/output.ts';
import { writePlan } from '../../src/control/plan.ts';
import { migrate } from '../../src/control/migrate.ts';
import { filesOf, insertFiles, publishedFiles, settleFiles } from '../../src/control/source-files.ts';
import { nextBatchId, requireProject } from '../../src/control/project.ts';
import { markStepAttempt, markStepDone, openSteps, skipSteps } from '../../src/control/steps.ts';
import type { Database, Session } from '../../src/database/dialect.ts';
import { keepAwake } from '../../src/database/keep-awake.ts';
import { raw, sql } from '../../src/database/sql.ts';
import { everyServer } from '../every-server.ts';
import { describeOn, mysqlServers } from '../mysql-servers.ts';
import { emptyLedgerOn, insertBatch, ledgerOn, openLedger } from './ledger-on.ts';

describe.each(everyServer)('the ledger on $name', (server) => {
  const sleep = server.url.startsWith('postgres') ? 'pg_sleep' : 'sleep';
  let database: Database;
  let last = 100;
  const opened: Session[] = [];

  beforeAll(async () => {
    database = await ledgerOn(server);
  });
  afterEach(() => {
    for (const session of opened.splice(0)) session.destroy();
  });
  afterAll(() => database.close());

  async function batch(chunks = 0, load?: string): Promise<string> {
    const batchId = String((last += 1));
    await insertBatch(database, batchId, load ?? `core.l${batchId}`);
    const ranges = Array.from({ length: chunks }, (_, i) => ({ from: String(i), to: String(i + 1) }));
    await database.transaction((session) => writePlan(session, database, { batchId, stage: 1 }, 'key', ranges));
    return batchId;
  }
  async function open(purpose = 'waybill lane'): Promise<Session> {
    const session = await database.openSession(purpose);
    opened.push(session);
    return session;
  }
  test('takes thousands of files by a few statements, none of which has more text than a server takes', async () => {
    const batchId = await batch(0, 'acquisition.files');
    const names = Array.from({ length: 5_000 }, (_, i) => `${i} ${'é'.repeat(i % 50 === 0 ? 2_000 : 10)}.csv`);
    const sent: { values: readonly unknown[] }[] = [];
    await database.transaction((session) => {
      const query: Session['query'] = (statement) => {
        sent.push(statement);
        return session.query(statement);
      };
      return insertFiles(Object.assign(Object.create(session) as Session, { query }), database, batchId, names);
    });
    expect(await filesOf(database, batchId)).toEqual(names);
    expect(sent.length).toBeLessThan(10);
    for (const { values } of sent) {
      expect(values.length).toBeLessThan(65_535);
      expect(values.join('').length).toBeLessThan(210_000);
    }
    await database.query(sql`update ${database.ledger('batch')} set state = 'published' where batch_id = ${batchId}`);
    await settleFiles(
      database,
      names.slice(1).map((name, i) => ({ batchId, n: i + 2, name, state: `state ${i + 2}` })),
    );
    await database.query(sql`update ${database.ledger('source_file')} set size = 1, sha256 = 'x'`);
    const known = await publishedFiles(database, ['acquisition.files']);
    expect(names.map((name) => known.get(name)?.state)).toEqual([
      null,
      ...names.slice(1).map((_, i) => `state ${i + 2}`),
    ]);
  });

  /** A transaction of a lane, with its claim. */
  async function begin(batchId: string, lane = 1): Promise<Claim & { session: Session }> {
    const session = await open();
    const at = { batchId, stage: 1, lane };
    await recordLane(database, at, { connectionId: session.connectionId, worker: 'w' });
    return { session, ...(await claim(session, batchId, lane)) };
  }
  const claim = (session: Session, batchId: string, lane = 1) =>
    claimChunks(session, database, { batchId, stage: 1, lane, lowWater: 1, most: 1 }, { relaxed: true });
  const again = async (session: Session, batchId: string) => {
    await session.rollback();
    return (await claim(session, batchId)).chunks[0];
  };
  const complete = (session: Session, batchId: string, n: number) =>
    completeChunks(session, database, { batchId, stage: 1 }, { chunks: [{ ...done, n }], holds: [] }, undefined);
  const enter = async (session: Session, batchId: string, mode: 'shared' | 'exclusive') =>
    (await session.pipeline(database.dialect.gate(database, batchId, mode))).at(-1)!.rows[0]?.['state'];
  const stateOf = async (batchId: string) =>
    (
      await database.query<{ state: string }>(
        sql`select state from ${database.ledger('batch')} where batch_id = ${batchId}`,
      )
    ).rows[0]?.state;
  const done = {
    attempts: 0,
    rows: 5,
    rowsRead: null,
    worker: 'w',
    startedAt: new Date(),
    finishedAt: new Date(),
  };

  test('leaves a step as it is that was done or skipped when an attempt at it fails, later than that', async () => {
    const batchId = await batch();
    const at = (n: number) => ({ batchId, phase: 'after' as const, n });
    for (const n of [1, 2, 3]) {
      await database.query(
        sql`insert into ${database.ledger('step')} (batch_id, phase, n) values (${batchId}, 'after', ${n})`,
      );
    }
    await markStepAttempt(database, at(2), { error: 'first', failed: false });
    await database.transaction(async (session) => {
      await markStepDone(session, database, at(1), { rows: 0, startedAt: new Date() });
      await skipSteps(session, database, batchId, 'after');
    });
    for (const n of [1, 2, 3]) await markStepAttempt(database, at(n), { error: 'late', failed: true });
    const { rows } = await database.query(sql`
      select n, state, attempts, error from ${database.ledger('step')} where batch_id = ${batchId} order by n`);
    expect(rows).toEqual([
      { n: 1, state: 'done', attempts: 1, error: null },
      { n: 2, state: 'skipped', attempts: 1, error: 'first' },
      { n: 3, state: 'skipped', attempts: 0, error: null },
    ]);
    expect(await openSteps(database, batchId, 'after')).toEqual([]);
  });

  test('knows all batches that a task goes on with, though each of the last 1,100 starts has failed', async () => {
    const [first, newest] = [1001, 2100];
    const numbers = Array.from({ length: newest - first + 1 }, (_, i) => first + i);
    const rows = numbers.map((n) => {
      const before = n === first ? 'null' : String(n - 1);
      return `(${n}, 'task.often', 'task', 'failed', ${before}, 'h', '{}', '{}', '[]', 'run-${n}', current_timestamp)`;
    });
    const columns = `batch_id, load_name, kind, state, reprocess_of, definition_hash, definition, params, invisible,
      first_run_id, deadline_at`;
    await database.query(sql`
      insert into ${database.ledger('batch')} (${raw(columns)}) values ${raw(rows.join(', '))}`);
    await database.query(sql`
      insert into ${database.ledger('stage')} (batch_id, n, name, method, planned_chunks)
      values (${first}, 1, 'task', 'range', 2)`);
    await database.query(sql`
      insert into ${database.ledger('output_part')} (batch_id, stage, chunk, n, body)
      values (${first}, 1, 1, 0, 'a'), (${first}, 1, 1, 1, 'of the first'), (${newest}, 1, 2, 0, 'a'),
        (${newest}, 1, 2, 1, 'of the last')`);
    expect(await leftUndone(database, database, String(newest), 1)).toMatchObject({ batchId: String(first) });
    const parts: string[] = [];
    for await (const text of readParts(database, String(newest))) parts.push(text);
    expect(parts).toEqual(['a', 'of the first', 'of the last']);
  });

  test('holds one unfinished batch a load, and any number of finished ones', async () => {
    const first = await batch(0, 'core.once');
    await expect(batch(0, 'core.once')).rejects.toThrow(/duplicate/i);
    for (const state of ['checking', 'published'] as const) await changeState(database, first, state);
    expect(await stateOf(first)).toBe('published');
    await batch(0, 'core.once');
  });

  test('gives ids one after another, and none to an opening that failed', async () => {
    const failing = database.transaction(async (session) => {
      await nextBatchId(session, database, '50');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    const take = () => database.transaction((session) => nextBatchId(session, database, '41'));
    expect((await Promise.all([take(), take(), take()])).sort()).toEqual(['42', '43', '44']);
  });

  test('is refused where a newer program made it, or another edition of this one', async () => {
    const other = await ledgerOn(server);
    try {
      await other.query(sql`insert into ${other.ledger('migration')} (version, name, checksum) values (999, 'n', 'c')`);
      const newer = { name: 'ConfigurationError', message: 'the control tables on w were made by a newer Waybill' };
      await expect(requireProject(other, 'tests')).rejects.toMatchObject(newer);
      await expect(migrate(other, 'tests')).rejects.toMatchObject(newer);
      await other.query(sql`delete from ${other.ledger('migration')} where version = 999`);
      await requireProject(other, 'tests');
      await other.query(sql`update ${other.ledger('migration')} set checksum = 'of another' where version = 1`);
      await expect(migrate(other, 'tests')).rejects.toMatchObject({
        name: 'ConfigurationError',
        message:
          'the control tables on w were made by another edition of Waybill: its 001.control-tables.sql is not that of this one',
      });
    } finally {
      await other.close();
    }
  });

  test('is not made where somebody else has its names', async () => {
    const other = await emptyLedgerOn(server);
    const schema = raw(other.dialect.quoteName(other.controlSchema));
    try {
      await other.query(sql`create schema ${schema}`);
      await other.query(sql`create table ${schema}.event (id int, what varchar(10))`);
      await other.query(sql`create view ${schema}.job_control as select id from ${schema}.event`);
      await expect(migrate(other, 'tests')).rejects.toMatchObject({
        name: 'ConfigurationError',
        message: expect.stringMatching(
          /has event, job_control of somebody else's, where the control tables would stand$/,
        ) as string,
        next: 'give the connection a control_schema of its own in waybill.yaml',
      });
      await other.query(sql`drop view ${schema}.job_control`);
      await other.query(sql`drop table ${schema}.event`);
      expect((await migrate(other, 'tests')).length).toBeGreaterThan(0);
      expect(await migrate(other, 'tests')).toEqual([]);
    } finally {
      await other.close();
    }
  });

  const onPostgres = server.url.startsWith('postgres') ? test : undefined; // none rather than skipped: in CI a skip is a failure
  onPostgres?.('is refused in a database of another encoding than UTF8', async () => {
    const name = `latin_${randomBytes(4).toString('hex')}`;
    const create = `create database ${name} encoding 'LATIN1' template template0 lc_collate 'C' lc_ctype 'C'`;
    await database.query({
      strings: [`${create}${/18/.test(server.name) ? ` locale_provider 'libc'` : ''}`],
      values: [],
    });
    const url = new URL(server.url);
    url.pathname = `/${name}`;
    const latin = openLedger(url.href, 'waybill');
    try {
      await expect(migrate(latin, 'tests')).rejects.toMatchObject({
        name: 'ConfigurationError',
        message: 'the database of connection w has the encoding LATIN1, and a warehouse takes UTF8',
      });
    } finally {
      await latin.close();
      await database.query({ strings: [`drop database ${name} with (force)`], values: [] });
    }
  });

  test('plans a stage once', async () => {
    const batchId = await batch(3);
    const again = database.transaction((session) => writePlan(session, database, { batchId, stage: 1 }, 'key', []));
    expect(await again).toBe(false);
    expect(await countChunks(database, database, { batchId, stage: 1 })).toMatchObject({ planned: 3, pending: 3 });
  });

  test('gives each lane a chunk of its own; a dead lane gives its chunk back', async () => {
    const batchId = await batch(2);
    const [a, b, c] = [await begin(batchId, 1), await begin(batchId, 2), await begin(batchId, 3)];
    expect(a.chunks[0]?.n).toBe(1);
    expect(b.chunks).toEqual([{ n: 2, range: { from: '1', to: '2' }, attempts: 0 }]);
    expect(c.chunks).toEqual([]);
    a.session.destroy();
    await expect.poll(async () => (await again(c.session, batchId))?.n).toBe(1);
    expect(await complete(c.session, batchId, 1)).toEqual({ claim: undefined });
    await again(c.session, batchId);
    expect(await complete(c.session, batchId, 1)).toBe(undefined);
    await b.session.rollback();
    expect(await countChunks(database, database, { batchId, stage: 1 })).toMatchObject({
      pending: 1,
      done: 1,
      rows: 5,
    });
  });

  test('keeps a chunk that failed until its time has come', async () => {
    const batchId = await batch(1);
    const { session } = await begin(batchId);
    await markAttempt(
      session,
      database,
      { batchId, stage: 1, n: 1 },
      { error: 'deadlock', waitSeconds: 1, failed: false, worker: 'w' },
    );
    await session.commit();
    const later = await begin(batchId);
    expect(later.chunks).toEqual([]);
    await expect.poll(() => again(later.session, batchId), { timeout: 5_000 }).toMatchObject({ n: 1, attempts: 1 });
  });

  describe('a chunk that another lane has while the transaction of the first one is lost', () => {
    const deadlock = Object.assign(new Error('deadlock'), { code: '40P01', errno: 1213 });
    const badRow = Object.assign(new Error('a value'), { code: '23514', errno: 3819 });
    const OUTCOME = { rows: 1, rowsRead: null };

    /** One turn of a lane, whose only attempt this is, and whose chunk of numbers is halved where a row of it is bad. */
    async function turn(batchId: string, work: Partial<ChunkWork>, on?: Session, lane = 1): Promise<Turn> {
      const definition = { maxAttempts: 1, sessionParams: {} };
      const at = { connection: 'w', batchId, stage: 1, lane, lowWater: 1, most: 1, worker: 'w', longestWaitSeconds: 1 };
      return attemptChunks(
        on ?? (await open()),
        { database, batch: { batchId, definition } } as unknown as BatchContext,
        {
          ...at,
          suspicious: false,
          searchMs: 0,
          claim: undefined,
          work: { run: () => Promise.resolve(OUTCOME), close: () => Promise.resolve(), ...work },
        },
      );
    }
    const bad: ChunkWork['bad'] = {
      cut: (_, { from, to }) => {
        const middle = String((Number(from) + Number(to)) / 2);
        const ranges = [
          { from, to: middle },
          { from: middle, to },
        ];
        return Promise.resolve({ ranges, smallest: false });
      },
      rows: () => Promise.resolve([]),
      countsRead: false,
    };
    const losing = (error: Error, meanwhile: () => Promise<unknown>): Partial<ChunkWork> => ({
      bad,
      run: async (session) => {
        await session.rollback();
        await meanwhile();
        throw error;
      },
    });
    const chunksOf = async (batchId: string) =>
      (
        await database.query(sql`
          select n, range_from, range_to, state, attempts from ${database.ledger('chunk')}
          where batch_id = ${batchId} order by n`)
      ).rows;
    const HALVES = [
      { n: 1, range_from: '0', range_to: '0.5', state: 'pending', attempts: 0 },
      { n: 2, range_from: '0.5', range_to: '1', state: 'pending', attempts: 0 },
    ];

    test('is cut in two once', async () => {
      const batchId = await batch(1);
      const other = (): Promise<Turn> => turn(batchId, { bad, run: () => Promise.reject(badRow) });
      expect(await turn(batchId, losing(badRow, other))).toEqual({ kind: 'again' });
      expect(await chunksOf(batchId)).toEqual(HALVES);
    });

    test('is not failed when it is done', async () => {
      const batchId = await batch(1);
      expect(
        await turn(
          batchId,
          losing(deadlock, () => turn(batchId, {})),
        ),
      ).toEqual({ kind: 'again' });
      expect(await chunksOf(batchId)).toMatchObject([{ state: 'done', attempts: 0 }]);
    });

    test('is not failed when it is done and the next claim, in the same round trip, fails', async () => {
      const batchId = await batch(2);
      const session = await open();
      const commitAfter = session.commitAfter.bind(session);
      session.commitAfter = async (last) => {
        await commitAfter(last, []);
        throw deadlock;
      };
      expect(await turn(batchId, {}, session)).toEqual({ kind: 'again' });
      expect(await chunksOf(batchId)).toMatchObject([{ state: 'done' }, { state: 'pending', attempts: 0 }]);
    });

    test('fails all the same where the first one cannot say what it has left behind', async () => {
      const batchId = await batch(1);
      const committed = new Error('it ended the transaction that it ran in');
      expect(
        await turn(
          batchId,
          losing(committed, () => turn(batchId, {})),
        ),
      ).toMatchObject({ kind: 'failed', n: 1 });
    });

    test('is claimed anew when it was cut in two before an attempt that was counted', async () => {
      const batchId = await batch(1);
      const { session, chunks } = await begin(batchId);
      const commit = session.commit.bind(session);
      session.commit = async () => {
        await commit();
        const { ranges } = await bad.cut(session, chunks[0]!.range);
        await database.transaction((other) => splitChunk(other, database, { batchId, stage: 1, n: 1 }, ranges));
      };
      const at = { batchId, stage: 1, lane: 1, lowWater: 1, most: 1 };
      expect(await countAttempt(session, database, at, chunks[0]!, { error: 'begun', worker: 'w' })).toBe(undefined);
      expect(await chunksOf(batchId)).toEqual(HALVES);
    });

    test('leaves a lane that has nothing to read from to hear that it is to stop', async () => {
      const batchId = await batch(1);
      await begin(batchId, 2);
      const idle = (): Promise<Turn> => turn(batchId, { ready: () => Promise.resolve(false) }, undefined, 2);
      expect(await idle()).toEqual({ kind: 'nothing' });
      await steerLanes(database, { batchId, stage: 1 }, 0, 2);
      expect(await idle()).toEqual({ kind: 'stopped' });
      await fence(database, batchId, 'rolling_back');
      expect(await idle()).toEqual({ kind: 'fenced' });
    });
  });

  test('lets a lane be asked to stop in the middle of its chunk', async () => {
    const batchId = await batch(1);
    await begin(batchId);
    await steerLanes(database, { batchId, stage: 1 }, 0, 1);
    const session = await open();
    expect(await claim(session, batchId)).toMatchObject({ state: 'running', stop: true });
  });

  test('lets no lane in that waited for the fence, and changes nothing for one that came too late', async () => {
    const batchId = await batch(1);
    const fenced = await open('fence');
    await fenced.begin();
    expect(await enter(fenced, batchId, 'exclusive')).toBe('running');
    const waiting = begin(batchId);
    await fenced.query(sql`update ${database.ledger('batch')} set state = 'rolling_back' where batch_id = ${batchId}`);
    await fenced.commit();
    expect((await waiting).state).toBe('rolling_back');
    await expect(inGate(database, batchId, ['running'], () => Promise.resolve())).rejects.toThrow(
      `batch ${batchId} is rolling_back, not running`,
    );
    const published = await batch(1);
    for (const state of ['checking', 'published'] as const) await changeState(database, published, state);
    expect(await fence(database, published, 'rolling_back')).toBe('published');
  });

  test('shuts the gate in no time while four lanes overlap', async () => {
    const batchId = await batch(200);
    let lanes = true;
    const work = async (lane: number): Promise<void> => {
      const session = await open();
      while (lanes) {
        const { state, chunks } = await claim(session, batchId, lane);
        if (state !== 'running') return session.rollback();
        await session.run({ text: `select ${sleep}(0.15)`, values: [] });
        expect(await complete(session, batchId, chunks[0]!.n)).toBeDefined();
      }
    };
    const all = [1, 2, 3, 4].map(async (lane) => {
      await new Promise((resolve) => setTimeout(resolve, lane * 40));
      await work(lane);
    });
    await new Promise((resolve) => setTimeout(resolve, 800));
    const began = Date.now();
    expect(await changeState(database, batchId, 'rolling_back')).toBe('rolling_back');
    const took = Date.now() - began;
    lanes = false;
    await Promise.all(all);
    expect(took).toBeLessThan(1_150);
    expect((await countChunks(database, database, { batchId, stage: 1 })).done).toBeGreaterThan(5);
  });

  test('ends the SQL of those who hold the gate, and nothing of other batches', async () => {
    const [batchId, other] = [await batch(1), await batch(1)];
    const [holder, bystander] = [await begin(batchId), await begin(other)];
    const sleeping = holder.session.run({ text: `select ${sleep}(60)`, values: [] }).catch((error: unknown) => error);
    const began = Date.now();
    expect(await fence(database, batchId, 'rolling_back')).toBe('rolling_back');
    expect(Date.now() - began).toBeLessThan(10_000);
    expect(await sleeping).toBeInstanceOf(Error);
    expect(await complete(bystander.session, other, 1)).toBeDefined();
  });

  test('ends a publish or a roll back that sleeps in the gate, too, which no lane knows of', async () => {
    const batchId = await batch(0);
    const asleep = await open('publish');
    await asleep.begin();
    await enter(asleep, batchId, 'shared');
    expect(await fence(database, batchId, 'rolling_back')).toBe('rolling_back');
    await expect(asleep.commit()).rejects.toThrow();
  });

  test('lets one transaction at a time publish or retract an output', async () => {
    const [first, second] = [await open(), await open()];
    await first.begin();
    await second.begin();
    await database.dialect.lockOutput(first, database, 'core.flight');
    await database.dialect.lockOutput(second, database, 'core.airport');
    let inside = false;
    const waiting = database.dialect.lockOutput(second, database, 'core.flight').then(() => (inside = true));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(inside).toBe(false);
    await first.commit();
    await waiting;
    await second.commit();
  });

  /** Has the server end its transaction, or the connection, after a second without a word. */
  const endWhenIdle = (session: Session): Promise<unknown> =>
    session.query(
      server.url.startsWith('postgres')
        ? sql`set session idle_in_transaction_session_timeout = 1000`
        : sql`set session wait_timeout = 1`,
    );

  test('keeps the transaction of a lane that waits for what goes on elsewhere', async () => {
    const { session } = await begin(await batch(1));
    await endWhenIdle(session);
    await keepAwake(session, () => new Promise((resolve) => setTimeout(resolve, 2500)), 300);
    await session.commit();
  });

  test('keeps a state that lies idle while the rows that were read of it are written elsewhere', async () => {
    const session = await database.openSession('waybill read test', { reading: true });
    await endWhenIdle(session);
    await database.dialect.holdState(session);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect((await session.query(sql`select 1`)).rowCount).toBe(1);
    await session.rollback();
    await session.close();
  });
});

describeOn(await mysqlServers(), 'lanes in the ledger on $name', (server) => {
  test('takes a lane that was recorded before the server started for nobody', async () => {
    const database = await ledgerOn(server);
    const batchId = '1';
    await insertBatch(database, batchId, 'core.one');
    const innocent = await database.openSession('another application');
    await recordLane(database, { batchId, stage: 1, lane: 1 }, { connectionId: innocent.connectionId, worker: 'w' });
    await database.query(
      sql`update ${database.ledger('lane')} set started_at = started_at - interval 10 year where batch_id = ${batchId}`,
    );
    const ender = await database.openAside('fence');
    expect(await database.dialect.endGateHolders(ender, database, batchId, '0')).toBe(0);
    await recordLane(database, { batchId, stage: 1, lane: 1 }, { connectionId: innocent.connectionId, worker: 'w' });
    expect(await database.dialect.endGateHolders(ender, database, batchId, '0')).toBe(1);
    await ender.close();
    innocent.destroy();
    await database.close();
  });
});
