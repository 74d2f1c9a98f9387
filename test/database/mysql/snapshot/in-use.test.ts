/** Tables that others write to, read and hold while they are swapped and dropped. */
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import type { MysqlSession } from '../../../../src/database/mysql/session.ts';
import { aloneWith } from '../../../../src/database/mysql/snapshot/alone-with.ts';
import { startMysql } from '../../../../src/dev/mysql-server.ts';
import { inTurns } from '../../../every-server.ts';
import { meanwhile } from '../../../meanwhile.ts';
import type { MysqlTestServer } from '../../../mysql-on-demand.ts';
import { describeOn, mysqlServers, processListAt } from '../../../mysql-servers.ts';
import { until } from '../../../engine/world.ts';
import { watched } from './cut.ts';
import { Scene } from './scene.ts';

vi.setConfig({ testTimeout: 120_000 });

const SWAPS = inject('seed').all ? 10 : 4;

const waiting = ({ url }: MysqlTestServer): string =>
  `select 1 from ${processListAt(url)} where state like '%metadata lock%' and info like 'rename%' and db = database()`;

const known = await mysqlServers();

describeOn(known, 'landing tables in use on $name', (server) => {
  const turn = inTurns(import.meta.url, server, known);
  let scene: Scene;
  beforeEach(async () => {
    scene = await Scene.open(server);
    await scene.say(
      'create table a (id bigint auto_increment primary key, seen int default 0)',
      'create table b (id bigint auto_increment primary key, seen int default 0)',
      'create trigger on_a before insert on a for each row set new.seen = new.seen + 1',
      'create table kept (w char(1), id bigint, seen int)',
    );
  });
  afterEach(() => scene.close());

  /** A database to whose connection a statement that begins so does not go before it is woken. */
  function sleepsBefore(beginning: string, on = scene.database) {
    let wake: () => void = () => undefined;
    let asleep = false;
    const awake = new Promise<void>((resolve) => (wake = resolve));
    const database = watched(on, async (text) => {
      if (!text.startsWith(beginning)) return;
      asleep = true;
      await awake;
    });
    return { database, asleep: () => until(() => Promise.resolve(asleep)), wake };
  }

  turn(
    `lose no row of those who write without pause, and none of them fails, through ${SWAPS} swaps of two inputs`,
    async () => {
      const write = async (table: 'a' | 'b') => {
        const writer = await scene.connect();
        return () => writer.query(`insert into ${table} () values ()`);
      };
      const writers = [await write('a'), await write('a'), await write('b')];
      const written = await meanwhile(writers, async () => {
        for (let round = 1; round <= SWAPS; round += 1) {
          const batch = await scene.batch('a', 'b');
          await scene.take(batch);
          await scene.say(
            "insert into kept select 'a', id, seen from a_processing",
            "insert into kept select 'b', id, seen from b_processing",
          );
          await scene.finish(batch);
        }
      });
      const [first, second, third] = written as [number, number, number];
      await scene.say("insert into kept select 'a', id, seen from a", "insert into kept select 'b', id, seen from b");
      expect(first).toBeGreaterThan(10);
      expect(third).toBeGreaterThan(10);
      expect(
        await scene.rows(
          'select w, count(*) as n, min(seen) as least, max(seen) as most from kept group by w order by w',
        ),
      ).toEqual([
        { w: 'a', n: String(first + second), least: 1, most: 1 },
        { w: 'b', n: String(third), least: 0, most: 0 },
      ]);
      // No number is given twice: a reader of both tables sees each once.
      expect(await scene.values('select count(distinct w, id) from kept')).toEqual([String(first + second + third)]);
    },
  );

  turn(
    'meet triggers that do the same between the rename and the end of the swap: in their order, sql_mode, as their definer',
    async () => {
      const definer = `${scene.name.slice(-20)}_d`;
      await scene.say(
        `create user ${definer} identified by 'Secret-1'`,
        `grant all on ${scene.name}.* to ${definer}`,
        "create table c (id int primary key, said varchar(99) default '', who varchar(99))",
        "create trigger one before insert on c for each row set new.said = concat(new.said, 'one ')",
        "create trigger two before insert on c for each row set new.said = concat(new.said, 'two ')",
        `create definer = ${definer} trigger by_mary before insert on c for each row precedes two set new.who = current_user()`,
        "set sql_mode = 'PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES'",
        "create trigger three before insert on c for each row set new.said = new.said || '\\'",
      );
      const batch = await scene.batch('c');
      const swapping = sleepsBefore('create trigger'); // of the guard, the first after the rename
      const taking = scene.take(batch, swapping.database);
      await swapping.asleep();
      const writer = await scene.connect();
      await writer.query('insert into c (id) values (1)');
      swapping.wake();
      expect(await taking).toMatchObject({ kind: 'taken' });
      await writer.query('insert into c (id) values (2)');
      const row = { said: 'one two \\', who: `${definer}@%` };
      expect(await scene.rows('select said, who from c order by id')).toEqual([row, row]);
      await scene.say(`drop user ${definer}`);
    },
  );

  describe('whose writer reads as of its first look (REPEATABLE READ)', () => {
    const FIRST_TRIGGER = 'create trigger'; // of the guard, the first after the rename
    const TWO = ['insert into d (id) values (1)', 'insert into d (id) values (2)'];
    const met = { n: 1, said: 'one two ' };
    beforeEach(() =>
      scene.say(
        "create table d (id int primary key, n int default 0, said varchar(99) default '')",
        'create table seen_of_d (id int)',
        "create trigger one before insert on d for each row set new.n = new.n + 1, new.said = concat(new.said, 'one ')",
        "create trigger two before insert on d for each row set new.said = concat(new.said, 'two ')",
        'create trigger three after insert on d for each row insert into seen_of_d values (new.id)',
      ),
    );
    const looking = async () => {
      const writer = await scene.connect();
      await writer.query('set transaction isolation level repeatable read');
      await writer.query('begin');
      await writer.query('select 1 from b');
      return writer;
    };
    const waits = ({ threadId }: { threadId: number }) =>
      scene.values(
        `select 1 from ${processListAt(server.url)} where id = ${threadId} and state like '%metadata lock%'`,
      );
    /** Each trigger once for each row, and they are the landing table's again. */
    async function expectOnce(ids: string[]): Promise<void> {
      expect(await scene.rows('select n, said from d order by id')).toEqual(ids.map(() => met));
      expect(await scene.values('select id from seen_of_d order by id')).toEqual(ids);
      expect((await scene.triggers('d')).map((one) => (one as { name: string }).name).sort()).toEqual([
        'one',
        'three',
        'two',
      ]);
    }

    test('meet triggers once each: a look before the swap, rows before they are back', async () => {
      const writer = await looking();
      const swapping = sleepsBefore(FIRST_TRIGGER);
      const taking = scene.take(await scene.batch('d'), swapping.database);
      await swapping.asleep();
      for (const insert of TWO) await writer.query(insert);
      swapping.wake();
      await writer.query('commit');
      expect(await taking).toMatchObject({ kind: 'taken' });
      await expectOnce(['1', '2']);
    });

    test('meet triggers once each: a look behind the rename, a row while they change places', async () => {
      const renamed = sleepsBefore(FIRST_TRIGGER);
      const changing = sleepsBefore(`drop trigger if exists \`${scene.name}\`.\`waybill_tr_`, renamed.database);
      const taking = scene.take(await scene.batch('d'), changing.database);
      await renamed.asleep();
      const writer = await looking();
      renamed.wake();
      await changing.asleep();
      let landed = false;
      const landing = writer.query(TWO[0]!).then(() => (landed = true));
      await until(async () => landed || (await waits(writer)).length > 0);
      changing.wake();
      await landing;
      await writer.query('commit');
      expect(await taking).toMatchObject({ kind: 'taken' });
      await expectOnce(['1']);
    });
  });

  for (const [held, other] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    turn(
      `are waited for while a transaction has written to ${held}; who writes to ${other} waits for moments, and no row is lost`,
      async () => {
        const long = await scene.connect();
        await long.query('begin');
        await long.query(`insert into ${held} () values ()`);
        const batch = await scene.batch('a', 'b');
        const taking = scene.take(batch);
        const writer = await scene.connect();
        let [longest, written] = [0, 0];
        for (const began = Date.now(); Date.now() - began < 6_000;) {
          const at = Date.now();
          await writer.query(`insert into ${other} () values ()`);
          longest = Math.max(longest, Date.now() - at);
          written += 1;
        }
        expect(longest).toBeLessThan(3_500);
        expect(await scene.values("show tables like '%processing'")).toEqual([]);
        await long.query('commit');
        expect(await taking).toMatchObject({ kind: 'taken' });
        expect(await scene.values(`select id from ${held}_processing`)).toEqual(['1']);
        expect(await scene.values(`select count(*) from ${other}_processing`)).toEqual([String(written)]);
        expect(await scene.leftBehind()).toEqual([]);
      },
    );
  }

  test('are waited for no more once their triggers are back, while the swap waits for another input', async () => {
    const [ofA, ofB] = ['a', 'b'].map((name) => `alter table \`${scene.name}\`.\`${name}_processing\` comment`);
    let attempts = 0;
    const counted = watched(scene.database, (text) => {
      if (text.startsWith(ofA!)) attempts += 1;
      return Promise.resolve();
    });
    const swapping = sleepsBefore(ofB!, counted);
    const taking = scene.take(await scene.batch('a', 'b'), swapping.database);
    await swapping.asleep();
    const [reader, writer] = [await scene.connect(), await scene.connect()];
    await reader.query('begin');
    await reader.query('select * from b_processing');
    await writer.query('begin');
    await writer.query('insert into a () values ()');
    swapping.wake();
    await until(() => Promise.resolve(attempts >= 2));
    await reader.query('commit');
    const late = new Promise((resolve) => setTimeout(resolve, 20_000, 'it waits for a'));
    expect(await Promise.race([taking, late])).toMatchObject({ kind: 'taken' });
    await writer.query('commit');
    expect(await scene.values('select seen from a')).toEqual(['1']);
  });

  test('are named where a transaction has written to the second of two: that one, with who it is, where the server tells', async () => {
    const long = await scene.connect();
    await long.query('begin');
    await long.query('insert into b () values ()');
    const session = await scene.database.openSession('waybill swap');
    try {
      const request = { batchId: await scene.batch('a', 'b'), tables: ['a', 'b'], waitFirst: undefined, waitMs: 1_000 };
      const busy = await scene.database.dialect.swap(session, scene.database, request, {
        prove: () => Promise.resolve(undefined),
        record: () => Promise.reject(new Error('nothing was swapped')),
      });
      const told = { waitingFor: 'b', holders: [{ connectionId: String(long.threadId) }] };
      // Here anybody with an open transaction may be the one, other tests' too.
      expect(busy).toMatchObject({ kind: 'busy', ...(server.flavour === 'MySQL' ? told : { waitingFor: 'a or b' }) });
    } finally {
      await long.query('rollback');
      await session.close();
    }
  });

  // Such a one MariaDB leaves out of information_schema.
  test('that somebody has to himself are there: looks and a drop wait for him', async () => {
    await scene.say(
      'insert into a () values ()',
      'create table parent (id int primary key, up int, foreign key (up) references parent (id))',
    );
    const batch = await scene.batch('a');
    await scene.take(batch);
    await scene.setState(batch, 'published');
    const { dialect } = scene.database;
    const [record] = await scene.records(batch);
    const whileRenamed = async <T>(look: () => Promise<T>): Promise<T> => {
      const reader = await scene.connect();
      await reader.query('begin');
      await reader.query('select * from kept');
      const renamer = await scene.connect();
      const renaming = renamer
        .query('rename table b to b2, parent to parent2, a_processing to a2, kept to kept2')
        .catch((error: unknown) => error);
      await until(async () => (await scene.values(waiting(server))).length > 0);
      const looking = look();
      await new Promise((done) => setTimeout(done, 300));
      await scene.say(`kill query ${renamer.threadId}`);
      const found = await looking;
      expect(await renaming).toMatchObject({ errno: 1317 });
      await reader.query('commit');
      return found;
    };
    expect(await whileRenamed(() => dialect.describeTable(scene.database, 'b'))).toMatchObject({
      kind: 'table',
      columns: [{ name: 'id' }, { name: 'seen' }],
      indexes: [{ name: 'PRIMARY' }],
    });
    expect(
      await whileRenamed(() =>
        scene.database.transaction((session) => dialect.tableIdentity(session, record!.processing)),
      ),
    ).toEqual({ relationId: record!.relationId, storageId: '1' });
    for (const [table, reasons] of [
      ['b', []],
      ['parent', ['refers to it']],
    ] as const) {
      const found = await whileRenamed(() =>
        scene.database.transaction((session) => dialect.snapshotRefusals(session, table)),
      );
      expect(found.map(({ reason }) => /refers to it|$/.exec(reason)![0])).toEqual(reasons);
    }
    expect(await whileRenamed(() => scene.drop(batch))).toEqual({ dropped: ['a_processing'], left: [] });
    expect(await scene.values("show tables like 'a%'")).toEqual(['a']);
  });

  turn('name who holds them', async () => {
    const reader = await scene.connect();
    const [[row]] = (await reader.query('select connection_id() as id')) as unknown as [[{ id: number }]];
    await scene.say('insert into a () values ()');
    const batch = await scene.batch('a');
    await scene.take(batch);
    await scene.setState(batch, 'published');
    await reader.query('begin');
    await reader.query('select * from a_processing');
    const result = await scene.drop(batch);
    expect(result.dropped).toEqual([]);
    expect(result.left[0]!.processing).toBe('a_processing');
    expect(result.left[0]!.heldBy.join()).toContain(`connection ${row.id} (root`);
    await reader.query('commit');
    expect(await scene.drop(batch)).toEqual({ dropped: ['a_processing'], left: [] });
  });

  turn('are not dropped by one that slept: whoever comes next ends it first', async () => {
    await scene.say('insert into a () values ()');
    const first = await scene.batch('a');
    await scene.take(first);
    await scene.setState(first, 'published');
    const sleeper = sleepsBefore('drop table');
    const zombie = scene.drop(first, sleeper.database).catch((error: unknown) => error);
    await sleeper.asleep();
    expect(await scene.drop(first)).toEqual({ dropped: ['a_processing'], left: [] });
    await scene.say('insert into a () values ()');
    const second = await scene.batch('a');
    await scene.take(second);
    sleeper.wake();
    expect(await zombie).toBeInstanceOf(Error);
    expect(await scene.values('select count(*) from a_processing')).toEqual(['1']);
    expect((await scene.records(second))[0]).toMatchObject({ dropped: false });
  });

  turn(
    'are waited for again where who swaps or drops one was ended, and the server goes on with its statement',
    async () => {
      const holder = (await scene.database.openSession('waybill 1 drop of the snapshot')) as MysqlSession;
      const next = (await scene.database.openSession('waybill landing a')) as MysqlSession;
      // A drop that takes longer than anybody waits: to KILL it changes nothing yet.
      const killed: string[] = [];
      next.say = (text) => Promise.resolve(void killed.push(text));
      try {
        const busy = await aloneWith(holder, ['a'], () =>
          aloneWith(next, ['a'], () => Promise.resolve(), { seconds: 0, endsWithin: 1 }).catch(
            (error: unknown) => error,
          ),
        );
        expect(killed).toEqual([`kill connection ${holder.connectionId}`]);
        expect(scene.database.dialect.classify(busy)).toMatchObject({ kind: 'transient' });
        expect(busy).toMatchObject({
          message: expect.stringMatching(
            `^connection ${holder.connectionId} \\(root, .*\\) still has a to itself: it was told to end, and its statement goes on$`,
          ) as string,
        });
        expect(await aloneWith(next, ['a'], () => Promise.resolve('in'))).toBe('in');
      } finally {
        await holder.close();
        await next.close();
      }
    },
  );

  /** The swap of a new batch that sleeps just before its rename, and never comes to it: the next start settles what it began. */
  async function sleepingSwap() {
    const batch = await scene.batch('a');
    const sleeper = sleepsBefore('rename table');
    const zombie = scene.take(batch, sleeper.database).catch((error: unknown) => error);
    await sleeper.asleep();
    await scene.setState(batch, 'failed');
    const began = Date.now();
    await scene.database.dialect.settleSwap(scene.database, batch, () =>
      Promise.reject(new Error('nothing was swapped')),
    );
    expect(Date.now() - began).toBeLessThan(45_000); // not only when the server ends a sleeper, after a minute
    return { zombie, wake: sleeper.wake };
  }

  turn('are not swapped by one that slept: the batch that comes next ends it first', async () => {
    const { zombie, wake } = await sleepingSwap();
    const second = await scene.batch('a');
    await scene.take(second);
    await scene.finish(second);
    wake();
    expect(await zombie).toBeInstanceOf(Error);
    expect(await scene.values("show tables like '%processing'")).toEqual([]);
    expect(await scene.leftBehind()).toEqual([]);
  });

  turn('nor while the next one is about to do it, with a twin of the same name', async () => {
    const { zombie, wake } = await sleepingSwap();
    const second = await scene.batch('a');
    const next = sleepsBefore('rename table');
    const taking = scene.take(second, next.database);
    await next.asleep();
    wake();
    expect(await zombie).toBeInstanceOf(Error);
    expect(await scene.values("show tables like '%processing'")).toEqual([]);
    next.wake();
    expect(await taking).toMatchObject({ kind: 'taken' });
    await scene.finish(second);
    expect(await scene.leftBehind()).toEqual([]);
  });

  /** A swap of `n` that sleeps just before its rename, and again before its first statement after it that begins so. */
  async function sleepingTwice(second: string) {
    const rename = sleepsBefore('rename table');
    const afterwards = sleepsBefore(second, rename.database);
    const batch = await scene.batch('n');
    const taking = scene.take(batch, afterwards.database);
    await rename.asleep();
    const renamed = async () => {
      rename.wake();
      await afterwards.asleep();
    };
    const done = async () => {
      afterwards.wake();
      expect(await taking).toMatchObject({ kind: 'taken' });
      return scene.values(`select reason from ${scene.name}_waybill.event where what = 'numbers_twice'`);
    };
    return { renamed, done };
  }
  const added = async (): Promise<string> => {
    const [result] = await scene.client.query('insert into n values (null)');
    return String((result as unknown as { insertId: number }).insertId);
  };
  const inBoth = () => scene.values('select id from n join n_processing using (id)');
  const bulk = (rows: number) => scene.say(`insert into n values ${Array<string>(rows).fill('(null)').join(', ')}`);

  // On a server of its own: a backup holds up all who alter tables there.
  if (server.flavour === 'MySQL' && server.noOwn === undefined) {
    test('are waited for while a backup that began beside the swap keeps tables from being altered', async () => {
      const own = await startMysql({ flavour: 'MySQL' });
      const here = await Scene.open({ ...server, url: own.url() });
      try {
        await here.say('create table a (id bigint auto_increment primary key)', 'insert into a () values ()');
        const batch = await here.batch('a');
        const swap = sleepsBefore('rename table', here.database);
        const taking = here.take(batch, swap.database);
        await swap.asleep();
        const backup = await here.connect();
        await backup.query('lock instance for backup');
        swap.wake();
        const writer = await here.connect();
        await writer.query('insert into a () values ()'); // when the swap has let go of the table
        const holders = await here.database.transaction((session) => here.database.dialect.tableHolders(session, 'a'));
        expect(holders.map(({ connectionId }) => connectionId)).toContain(String(backup.threadId));
        await backup.query('unlock instance');
        expect(await taking).toMatchObject({ kind: 'taken' });
        expect(await here.values('select id from a_processing')).toEqual(['1', '2']);
        expect(await here.leftBehind()).toEqual([]);
      } finally {
        await here.close();
        await own.stop();
      }
    });
  }

  // MySQL hands numbers on under a lock.
  if (server.flavour === 'MariaDB') {
    test('cost nobody who has written to one and goes on to another his transaction, while the swap tries without waiting', async () => {
      const spanning = await scene.connect();
      await spanning.query('begin');
      await spanning.query('insert into b () values ()');
      let tries = 0;
      const counted = watched(scene.database, (text) => {
        if (text.startsWith('rename table')) tries += 1;
        return Promise.resolve();
      });
      const batch = await scene.batch('a', 'b');
      const taking = scene.take(batch, counted);
      await until(() => Promise.resolve(tries >= 2));
      await spanning.query('insert into a () values ()'); // one that waited for b, and held a, would be in a deadlock with us
      await spanning.query('commit');
      expect(await taking).toMatchObject({ kind: 'taken' });
      expect(await scene.values('select id from a_processing union all select id from b_processing')).toEqual([
        '1',
        '1',
      ]);
    });

    test('go on behind a number that somebody gave himself while the rename waited, further on than the headroom', async () => {
      await scene.say('create table n (id bigint auto_increment primary key)', 'insert into n values (3)');
      const swap = await sleepingTwice(`alter table \`${scene.name}\`.\`n_processing\` comment`);
      await scene.say('insert into n values (5000000)');
      expect(await added()).toBe('5000001');
      await swap.renamed();
      expect(await added()).toBe('5000002'); // as soon as the number is put right, which is the first thing after the rename
      expect(await swap.done()).toEqual([]);
      expect(await added()).toBe('5000003');
      expect(await inBoth()).toEqual([]);
    });

    test.each(['', 'truncate n'])('go on behind what a table gave that had given none before: %j', async (emptied) => {
      await scene.say('create table n (id bigint auto_increment primary key)');
      if (emptied) await scene.say('insert into n values (null)', emptied);
      const swap = await sleepingTwice(`alter table \`${scene.name}\`.\`n\` auto_increment`);
      await bulk(2);
      await swap.renamed();
      expect(await added()).toBe('1000001');
      expect(await swap.done()).toEqual([]);
      expect(await inBoth()).toEqual([]);
      expect(await scene.values('select id from n_processing')).toEqual(['1', '2']);
    });

    test('go on behind a number whose row is gone, where a reader holds the end of the swap up', async () => {
      await scene.say('create table n (id bigint auto_increment primary key)');
      await bulk(100);
      const afterwards = `alter table \`${scene.name}\`.\`n_processing\` comment`;
      let tries = 0;
      const counted = watched(scene.database, (text) => {
        if (text.startsWith(afterwards)) tries += 1;
        return Promise.resolve();
      });
      const swap = sleepsBefore(afterwards, counted);
      const batch = await scene.batch('n');
      const taking = scene.take(batch, swap.database);
      await swap.asleep(); // and the number is put right
      const reader = await scene.connect();
      await reader.query('begin');
      await reader.query('select * from n_processing');
      await bulk(100);
      await scene.say('delete from n where id > 150');
      swap.wake();
      await until(() => Promise.resolve(tries >= 2));
      await reader.query('commit');
      expect(await taking).toMatchObject({ kind: 'taken' });
      expect(await scene.values('select count(*) from n where id > 100')).toEqual(['50']);
      expect(await added()).toBe('201');
    });

    test('begin at 1 all the same where nobody has written to it yet', async () => {
      await scene.say('create table n (id bigint auto_increment primary key)');
      await scene.take(await scene.batch('n'));
      expect(await added()).toBe('1');
    });

    test.each([
      [100, 15, '121', '`n` auto_increment'], // 26 are left: 20 of them are kept free
      [125, 1, '127', '`n_processing` comment'], // the twin begins where the snapshot ends: nothing is to be put right
    ])(
      'of a tinyint that is nearly full, at %i: %i more rows while the rename waits',
      async (last, rows, next, then) => {
        await scene.say('create table n (id tinyint auto_increment primary key)', `insert into n values (${last})`);
        const swap = await sleepingTwice(`alter table \`${scene.name}\`.${then}`);
        await bulk(rows);
        await swap.renamed();
        expect(await added()).toBe(next);
        expect(await swap.done()).toEqual([]);
        expect(await inBoth()).toEqual([]);
      },
    );

    test('say which numbers were given twice, where all that were kept free have been used before the rename', async () => {
      await scene.say('create table n (id tinyint auto_increment primary key)', 'insert into n values (100)');
      const swap = await sleepingTwice(`alter table \`${scene.name}\`.\`n\` auto_increment`);
      await bulk(23);
      await swap.renamed();
      expect([await added(), await added()]).toEqual(['121', '122']);
      expect(await swap.done()).toEqual(['2 of 121 to 122 in n']);
      expect(await added()).toBe('124');
      expect(await inBoth()).toEqual(['121', '122']);
    });
  }
});
