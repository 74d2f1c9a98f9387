/** The connection dies between every two statements of a swap and of a drop; the next attempt, or the next start, goes on. */
import { afterEach, beforeEach, expect, inject, test, vi } from 'vitest';
import { recordSwap } from '../../../../src/control/snapshots.ts';
import { ownName } from '../../../../src/database/mysql/snapshot/place.ts';
import { inTurns } from '../../../every-server.ts';
import { describeOn, mysqlServers } from '../../../mysql-servers.ts';
import { hashOf } from '../../../seed.ts';
import { cutBefore, type CutPlace } from './cut.ts';
import { Scene } from './scene.ts';

vi.setConfig({ testTimeout: 300_000 });

/** Places where something is cut off: each of them where all are wanted, else every third one, other ones with another seed. */
const STEP = inject('seed').all ? 1 : 3;
const FIRST = 1 + (hashOf(import.meta.url)[6]! % STEP);
const places = (n: number): number[] =>
  Array.from({ length: n }, (_, i) => i + 1).filter((m) => (m - FIRST) % STEP === 0);

const TABLES = [
  'create table dim (id int primary key)',
  'insert into dim values (1)',
  `create table a (id int auto_increment primary key, d int default 1, seen int default 0,
     constraint to_dim foreign key (d) references dim (id), constraint seen_once check (seen < 2)) comment 'mine'`,
  'create trigger count_it before insert on a for each row set new.seen = new.seen + 1',
  'create table b (id int primary key)',
];

const known = await mysqlServers();

describeOn(known, 'a swap of two inputs that breaks off on $name', (server) => {
  const turn = inTurns(import.meta.url, server, known);
  let scene: Scene;
  beforeEach(async () => {
    scene = await Scene.open(server);
    await scene.say(...TABLES);
  });
  afterEach(() => scene.close());

  const write = () => scene.say('insert into a (d) values (1)');
  const looks = async () => ({
    a: await scene.definition('a'),
    b: await scene.definition('b'),
    triggers: await scene.triggers('a'),
  });
  const statements = async (): Promise<string[]> => {
    await write();
    const { database, sent } = cutBefore(scene.database, server.url, 0);
    const batch = await scene.batch('a', 'b');
    await scene.take(batch, database);
    await scene.finish(batch);
    return sent;
  };
  /** All that was written, with how often the trigger fired: `1:1, 2:1`. */
  const all = async (...tables: string[]): Promise<string> =>
    (
      await scene.values(`select concat(id, ':', seen) as x from (${tables.map((t) => `select * from ${t}`).join(' union all ')}) w
                         order by id`)
    ).join();

  async function expectTaken(batch: string, before: unknown, written: number): Promise<void> {
    expect(await looks()).toEqual(before);
    expect(await scene.leftBehind()).toEqual([]);
    const records = await scene.records(batch);
    expect(records.map(({ table }) => table)).toEqual(['a', 'b']);
    for (const { processing, relationId, storageId } of records) {
      const found = await scene.database.transaction((session) =>
        scene.database.dialect.tableIdentity(session, processing),
      );
      expect(found).toEqual({ relationId, storageId });
    }
    const rows = (await all('a', 'a_processing')).split(',');
    expect(rows.map((row) => row.split(':')[1])).toEqual(Array<string>(written).fill('1'));
    await expect(scene.say('delete from b_processing')).resolves.toBeUndefined(); // it is empty
    await expect(scene.say('delete from a_processing')).rejects.toThrow(/takes no writes/);
  }

  turn('is finished by the next attempt of it, wherever it was', async () => {
    const sent = await statements();
    const before = await looks();
    for (const n of places(sent.length)) {
      await scene.say('delete from a');
      await write();
      const batch = await scene.batch('a', 'b');
      const cut = cutBefore(scene.database, server.url, n);
      await expect(scene.take(batch, cut.database), sent[n - 1]).rejects.toThrow();
      expect(cut.sent.at(n - 1), `${n}`).toBeDefined();
      await write();
      expect((await scene.take(batch)).kind).toBe('taken');
      await write();
      await expectTaken(batch, before, 3);
      await scene.finish(batch);
    }
  });

  /** As the next start does with what a batch has left that ended. */
  const settle = (batch: string, database = scene.database): Promise<void> =>
    database.dialect.settleSwap(database, batch, (session, taken, since) =>
      recordSwap(session, scene.database, batch, taken, since),
    );

  /** The batch has ended in the middle of its swap and was settled: its snapshot is whole, or the next one takes it. True: undone. */
  async function expectSettled(batch: string, before: unknown): Promise<boolean> {
    const undone = (await scene.records(batch)).length === 0;
    let whose = batch;
    if (undone) {
      expect(await looks()).toEqual(before);
      expect(await scene.values("show tables like '%processing'")).toEqual([]);
      whose = await scene.batch('a', 'b');
      await scene.take(whose);
    }
    await write();
    await expectTaken(whose, before, 3);
    await scene.finish(whose);
    return undone;
  }

  /** One that ended where its swap was cut off, before this statement; a row has landed before, and one after. */
  async function endedBefore(n: CutPlace, statement: string): Promise<string> {
    await scene.say('delete from a');
    await write();
    const batch = await scene.batch('a', 'b');
    await expect(scene.take(batch, cutBefore(scene.database, server.url, n).database), statement).rejects.toThrow();
    await write();
    await scene.setState(batch, 'failed');
    return batch;
  }

  turn('is finished or undone by the next start, wherever it was', async () => {
    const sent = await statements();
    const before = await looks();
    const of = { undone: 0, finished: 0 };
    for (const n of places(sent.length)) {
      const batch = await endedBefore(n, sent[n - 1]!);
      await settle(batch);
      of[(await expectSettled(batch, before)) ? 'undone' : 'finished'] += 1;
    }
    for (const times of Object.values(of)) expect(times).toBeGreaterThan(STEP === 1 ? 3 : 0);
  });

  // Not by their numbers: a table that is busy for a moment is asked for again, which is some statements more.
  const beforeRename: CutPlace = (sent) => sent.at(-1)!.startsWith('rename table');
  const behindRename: CutPlace = async () => (await scene.values("show tables like 'a_processing'")).length > 0;

  for (const [what, place] of [
    ['undone', beforeRename],
    ['finished', behindRename],
  ] as const) {
    turn(`is ${what} by a start that breaks off itself, wherever it was`, async () => {
      const before = await looks();
      for (let m = FIRST, broke = true; broke; m += STEP) {
        const batch = await endedBefore(place, `${what}, ${m}`);
        const cut = cutBefore(scene.database, server.url, m);
        broke = await settle(batch, cut.database).then(
          () => false,
          () => true,
        );
        if (broke) await settle(batch);
        else expect(m).toBeGreaterThan(what === 'undone' ? 2 : 8);
        expect(await expectSettled(batch, before), `${m}: ${cut.sent.at(-1)}`).toBe(what === 'undone');
      }
    });
  }

  const standIns = (): Promise<string[]> =>
    scene.values(`select trigger_name from information_schema.triggers
                  where trigger_schema = database() and trigger_name like 'waybill_tr_%' order by action_order`);
  /** Those of both triggers, as versions made them that named them by their table and did not ask for themselves. */
  async function asBefore(): Promise<void> {
    const bodies = { count_it: 'set new.seen = new.seen + 1', and_more: 'set new.d = new.seen' };
    for (const [trigger, body] of Object.entries(bodies)) {
      const [first] = await standIns();
      await scene.say(
        `drop trigger ${first}`,
        `create trigger ${ownName('tr', `a.${trigger}`)} before insert on a for each row
         begin if not exists (select 1 from information_schema.triggers where trigger_schema = database()
         and event_object_table = 'a' and trigger_name = '${trigger}') then ${body}; end if; end`,
      );
    }
  }

  for (const [where, place] of [
    ['behind the rename', behindRename],
    ['while a trigger and its stand-in change places', (sent) => /^drop trigger .*waybill_tr_/.test(sent.at(-1)!)],
  ] satisfies [string, CutPlace][]) {
    test(`is finished by the next attempt where an older version has left it: ${where}`, async () => {
      await scene.say('create trigger and_more before insert on a for each row set new.d = new.seen');
      const before = await looks();
      await write();
      const batch = await scene.batch('a', 'b');
      await expect(scene.take(batch, cutBefore(scene.database, server.url, place).database)).rejects.toThrow();
      await asBefore();
      await write();
      expect((await scene.take(batch)).kind).toBe('taken');
      expect(await standIns()).toEqual([]);
      await write();
      await expectTaken(batch, before, 3);
    });
  }

  test('is finished by the next attempt though somebody dropped a stand-in: triggers fire in their order', async () => {
    await scene.say('create trigger and_more before insert on a for each row set new.d = new.seen');
    const before = await looks();
    await write();
    const batch = await scene.batch('a', 'b');
    await expect(scene.take(batch, cutBefore(scene.database, server.url, behindRename).database)).rejects.toThrow();
    await scene.say(`drop trigger ${(await standIns())[0]}`);
    expect((await scene.take(batch)).kind).toBe('taken');
    await write();
    await expectTaken(batch, before, 2);
  });

  turn('and is undone by hand: the next start has nothing to finish, and says so of a half', async () => {
    const before = await looks();
    const batch = await endedBefore(behindRename, 'behind the rename');
    await scene.say('drop table b', 'rename table b_processing to b');
    await expect(settle(batch)).rejects.toMatchObject({
      message: expect.stringMatching(/\.b_processing is gone, which is part of a snapshot/) as string,
      next: expect.stringMatching(/rename it back \(a_processing to a\)/) as string,
    });
    await scene.say('delete from a', 'drop table a', 'rename table a_processing to a');
    await write();
    await settle(batch);
    expect(await expectSettled(batch, before)).toBe(true);
  });

  turn('and an adoption, which the next one takes up', async () => {
    const { dialect } = scene.database;
    const adopt = (database = scene.database) =>
      dialect.adoptSnapshots(database, ['a', 'b'], (_, taken) => Promise.resolve(taken));
    await write();
    await scene.say(
      'rename table a to a_processing, b to b_processing',
      'create table a (id int auto_increment primary key, d int default 1, seen int default 0)',
      'create table b like b_processing',
    );
    for (let n = FIRST, broke = true; broke; n += STEP) {
      const cut = cutBefore(scene.database, server.url, n);
      broke = await adopt(cut.database).then(
        () => false,
        () => true,
      );
      if (!broke) expect(n).toBeGreaterThan(8);
      const adopted = await adopt();
      expect(adopted).toMatchObject([{ table: 'a' }, { table: 'b' }]);
      for (const { table, ...identity } of adopted) {
        const found = await scene.database.transaction((session) =>
          dialect.tableIdentity(session, `${table}_processing`),
        );
        expect(found, cut.sent.at(-1)).toEqual(identity);
        await expect(scene.say(`insert into ${table}_processing (id) values (7)`)).rejects.toThrow(/takes no writes/);
      }
      expect(await all('a_processing')).toBe('1:1');
    }
  });

  turn('and its drop, too', async () => {
    const batch = await scene.batch('a', 'b');
    await scene.take(batch);
    await scene.setState(batch, 'published');
    const { database, sent } = cutBefore(scene.database, server.url, 0);
    await scene.drop(batch, database);
    expect(sent.filter((text) => text.startsWith('drop table')).length).toBe(2);
    // Of nothing: whether it comes through is all the same.
    for (const n of places(sent.length).filter((place) => sent[place - 1] !== 'rollback')) {
      await write();
      const next = await scene.batch('a', 'b');
      await scene.take(next);
      await scene.setState(next, 'published');
      await expect(scene.drop(next, cutBefore(scene.database, server.url, n).database), sent[n - 1]).rejects.toThrow();
      await scene.drop(next);
      expect(await scene.values("show tables like '%processing'")).toEqual([]);
      expect((await scene.records(next)).map(({ dropped }) => dropped)).toEqual([true, true]);
    }
    expect(await scene.values('select count(*) from a')).toEqual(['0']);
  });
});
