import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TakenSnapshot } from '../../../../src/database/snapshot-dialect.ts';
import { inTurns } from '../../../every-server.ts';
import { describeOn, mysqlServers } from '../../../mysql-servers.ts';
import { Scene } from './scene.ts';

const LONG = 'l'.repeat(54);

const REFUSED: { what: string; made: string[]; table?: string; reason: RegExp; only?: 'MySQL' | 'MariaDB' }[] = [
  { what: 'what is not there', made: [], reason: /^table t does not exist$/ },
  { what: 'a view', made: ['create view t as select 1 as a'], reason: /^it is a view$/ },
  {
    what: 'an engine that cannot roll back',
    made: ['create table t (a int) engine = MyISAM'],
    reason: /^its engine is MyISAM/,
  },
  {
    what: 'system versions',
    only: 'MariaDB',
    made: ['create table t (a int) with system versioning'],
    reason: /system-versioned/,
  },
  { what: 'a sequence', only: 'MariaDB', made: ['create sequence t'], reason: /^it is a sequence$/ },
  {
    what: 'a name that is too long with its ending',
    table: LONG,
    made: [`create table ${LONG} (a int)`],
    reason: /longer than 64/,
  },
  ...[
    'check (a > 0)',
    'foreign key (a) references dim (id)',
    `constraint ${LONG.slice(0, 50)}_ibfk_x foreign key (a) references dim (id)`,
  ].map((rule) => ({
    what: `a constraint whose generated name is too long with the ending: ${rule}`,
    only: 'MySQL' as const,
    table: LONG.slice(0, 50),
    made: ['create table dim (id int primary key)', `create table ${LONG.slice(0, 50)} (a int, ${rule})`],
    reason: /would call constraint l{50}_(chk|ibfk)_[1x] of the snapshot l{50}_processing_\w+, longer than 64/,
  })),
  {
    what: 'a foreign key that refers to it',
    made: [
      'create table t (a int primary key)',
      'create table other (a int, constraint up foreign key (a) references t (a))',
    ],
    reason: /^foreign key up of .*other refers to it/,
  },
  {
    what: 'a foreign key to itself',
    made: ['create table t (a int primary key, b int, constraint self foreign key (b) references t (a))'],
    reason: /^foreign key self of .*t refers to it/,
  },
  {
    what: 'a foreign key that cascades',
    made: [
      'create table dim (a int primary key)',
      'create table t (a int, constraint up foreign key (a) references dim (a) on delete cascade)',
    ],
    reason: /ON DELETE CASCADE: another table would change/,
  },
  {
    what: 'a snapshot',
    made: ["create table t (a int) comment 'waybill snapshot 12'"],
    reason: /^it is itself a snapshot/,
  },
  {
    what: 'a CHECK with a character of four bytes',
    only: 'MySQL',
    made: [
      `create table t (a varchar(9), check (a <> '?é'), check (a <> convert(x'F09F9880' using utf8mb4)),
         constraint smile check (a <> '😀')) character set utf8mb4`,
    ],
    reason: /^CHECK smile has a character beyond U\+FFFF[^;]*$/,
  },
  {
    what: 'a view where the snapshot would be',
    made: ['create table t (a int)', 'create view t_processing as select 1 as a'],
    reason: /^t_processing is a view$/,
  },
];

const known = await mysqlServers();

describeOn(known, 'what no snapshot is taken of on $name', (server) => {
  const turn = inTurns(import.meta.url, server, known);
  let scene: Scene;
  beforeEach(async () => {
    scene = await Scene.open(server);
  });
  afterEach(() => scene.close());

  const refusals = (table: string) =>
    scene.database.transaction((session) => scene.database.dialect.snapshotRefusals(session, table));

  for (const { what, made, table = 't', reason, only } of REFUSED) {
    const refused = async () => {
      await scene.say(...made);
      const all = () => scene.values('show tables');
      const before = await all();
      expect((await refusals(table)).map((refusal) => refusal.reason).join('; ')).toMatch(reason);
      await expect(scene.take(await scene.batch(table))).rejects.toThrow(/the snapshot cannot be taken/);
      expect(await all()).toEqual(before);
    };
    if (only === undefined) turn(what, refused);
    else if (only === server.flavour) test(what, refused);
  }

  turn('nothing: an ordinary table is refused for no reason', async () => {
    await scene.say('create table t (a int)', 'insert into t values (1)');
    expect(await refusals('t')).toEqual([]);
    expect(await refusals(`${scene.name}.t`)).toEqual([]);
  });

  turn('a name that is taken: nothing is touched, and nothing is left behind', async () => {
    await scene.say('create table t (a int)', 'create table t_processing (a int)', 'insert into t values (1)');
    await expect(scene.take(await scene.batch('t'))).rejects.toThrow(/t_processing exists already/);
    expect(await scene.values('show tables')).toEqual(['t', 't_processing']);
    expect(await scene.leftBehind()).toEqual([]);
    expect(await scene.values('select count(*) from t')).toEqual(['1']);
  });

  turn('one of two inputs: the other is not touched either', async () => {
    await scene.say('create table a (a int)', 'create table b (a int)', 'create table b_processing (a int)');
    await expect(scene.take(await scene.batch('a', 'b'))).rejects.toThrow(/b_processing exists already/);
    expect(await scene.values('show tables')).toEqual(['a', 'b', 'b_processing']);
    expect(await scene.leftBehind()).toEqual([]);
  });

  turn('one whose batch was fenced: the swap finds the gate shut', async () => {
    await scene.say('create table t (a int)');
    const batch = await scene.batch('t');
    await scene.setState(batch, 'rolling_back');
    await expect(scene.take(batch)).rejects.toMatchObject({ type: 'Fenced' });
    expect(await scene.values('show tables')).toEqual(['t']);
  });

  turn('another tool’s is adopted: waited for, numbered, guarded, and dropped in the end', async () => {
    const { dialect } = scene.database;
    await scene.say(
      'create table t (a int)',
      'create table t_processing (a int)',
      'insert into t_processing values (1)',
    );
    const writer = await scene.connect();
    await writer.query('begin');
    await writer.query('insert into t_processing values (2)');
    const adopt = () => dialect.adoptSnapshots(scene.database, ['t'], (_, taken) => Promise.resolve(taken));
    const busy = await adopt().catch((error: unknown) => error);
    expect(dialect.classify(busy)).toMatchObject({
      kind: 'transient',
      message: expect.stringMatching(/^t_processing is in use/) as string,
    });
    await writer.query('commit');
    const taken: TakenSnapshot[] = await adopt();
    expect(taken).toMatchObject([{ table: 't', storageId: '1' }]);
    await expect(scene.say('insert into t_processing values (3)')).rejects.toThrow(/takes no writes/);
    // Should its batch not have opened, it is adopted once more.
    const [again] = await adopt();
    expect(again!.relationId).not.toBe(taken[0]!.relationId);
    const drop = (relationId: string) =>
      scene.database.openSession('waybill drop').then(async (session) => {
        const result = await dialect.dropSnapshot(
          session,
          { table: 't', processing: 't_processing', relationId },
          { prove: () => Promise.resolve(), record: () => Promise.resolve() },
        );
        await session.close();
        return result.kind;
      });
    expect(await drop(taken[0]!.relationId)).toBe('other');
    expect(await scene.values('select count(*) from t_processing')).toEqual(['2']);
    expect(await drop(again!.relationId)).toBe('dropped');
    expect(await drop(again!.relationId)).toBe('gone');
  });

  for (const [what, made, reason] of [
    ['a table of another engine', 'create table t_processing (a int) engine = MyISAM', /engine is MyISAM/],
    [
      'one that is referred to',
      'create table t_processing (a int primary key); create table o (a int references t_processing (a), foreign key (a) references t_processing (a))',
      /refers to it/,
    ],
  ] as const) {
    turn(`no adoption: ${what}`, async () => {
      await scene.say(...made.split('; '));
      const found = await scene.database.transaction((session) =>
        scene.database.dialect.adoptionRefusals(session, 't_processing'),
      );
      expect(found.map((refusal) => refusal.reason).join('; ')).toMatch(reason);
    });
  }
});
