import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startMysql, type MysqlServer } from '../../../../src/dev/mysql-server.ts';
import { inTurns } from '../../../every-server.ts';
import type { MysqlTestServer } from '../../../mysql-on-demand.ts';
import { describeOn, mysqlServers, ownServers } from '../../../mysql-servers.ts';
import { cutBefore } from './cut.ts';
import { DIM, PROPERTIES } from './properties.ts';
import { Scene } from './scene.ts';

/** What people see of a table. */
const looksOf = async (scene: Scene) => ({
  definition: await scene.definition('t'),
  triggers: await scene.triggers('t'),
  catalog: await scene.catalog('t'),
});

const known = await mysqlServers();

describeOn(known, 'what a swap carries on $name', (server) => {
  const turn = inTurns(import.meta.url, server, known);
  let scene: Scene;
  beforeEach(async () => {
    scene = await Scene.open(server);
  });
  afterEach(() => scene.close());

  const setUp = async (statements: string[]) => {
    for (const statement of statements) await scene.client.query(statement.replaceAll(':db', scene.name));
  };
  const looks = () => looksOf(scene);

  for (const { what, made, only } of PROPERTIES) {
    const body = () => carriesThrice(made);
    if (only === undefined) turn(what, body);
    else if (only === server.flavour) test(what, body);
  }

  async function carriesThrice(made: string[]): Promise<void> {
    await setUp(made);
    const before = await looks();
    for (let round = 1; round <= 3; round += 1) {
      const batch = await scene.batch('t');
      expect(await scene.take(batch)).toEqual({ kind: 'taken', tables: ['t'] });
      expect(await looks()).toEqual(before);
      expect(await scene.leftBehind()).toEqual([]);
      await scene.finish(batch);
      expect(await scene.values("show tables like '%processing'")).toEqual([]);
    }
    await scene.client.query(`drop database if exists ${scene.name}_other`).catch(() => undefined);
  }

  if (server.flavour === 'MariaDB')
    test('a trigger whose definer is a role', async () => {
      await setUp(['create role :db', 'grant all on :db.* to :db', 'create table t (a int)']);
      await setUp(['create definer = :db trigger tr before insert on t for each row set new.a = new.a + 1']);
      const before = await looks();
      await scene.take(await scene.batch('t'));
      expect(await looks()).toEqual(before);
      await setUp(['insert into t values (1)']);
      expect(await scene.values('select a from t')).toEqual(['2']);
      await setUp(['drop role :db']);
    });

  // By what it does: both servers show such a character as `?`, of the table that has it and of one that has lost it.
  test('characters of four bytes, bytes that are no text, and question marks: labels, defaults, expressions, triggers', async () => {
    const smile = server.flavour === 'MariaDB' ? "check (d <> '😁')," : 'key on_smile ((concat(d, _utf8mb4 "😁"))),';
    await setUp([
      DIM,
      `create table t (id int auto_increment primary key, e enum('😀','b?') default '😀', s set('🙂','a') default '🙂,a',
         d varchar(9) default 'x😀?', x varchar(9) default (concat('😀','a')), g varchar(9) as (concat('😁', d)) stored,
         b binary(2) default x'FFFE', q varchar(9) default '?', w varchar(9), r int, ${smile} check (q <> 'a?'),
         constraint named check (d <> 'b'), constraint to_dim foreign key (r) references dim (id), foreign key (id) references dim (id)
       ) character set utf8mb4 comment 'mine?'`,
      "create trigger tr before insert on t for each row set new.w = '😀é?' -- the end",
      'insert into dim values (1), (2), (3)',
    ]);
    const row = async (id: number) => {
      await scene.say(`insert into t (id) values (${id})`);
      const columns = ['e', 's', 'd', 'x', 'g', 'b', 'q', 'w'].map((name) => `hex(${name})`);
      return scene.values(`select concat_ws(' ', ${columns.join()}) from t where id = ${id}`);
    };
    const before = await looks();
    const wanted = await row(1);
    expect(wanted.join()).toMatch(/^F09F9880 .* F09F9880C3A93F$/);
    for (const id of [2, 3]) {
      const batch = await scene.batch('t');
      await scene.take(batch);
      expect(await looks()).toEqual(before);
      expect(await row(id)).toEqual(wanted);
      await expect(scene.say("insert into t (id, d) values (1, 'b')")).rejects.toThrow(/named/);
      await expect(scene.say('insert into t (id, r) values (1, 9)')).rejects.toThrow(/to_dim/);
      if (server.flavour === 'MariaDB') {
        await expect(scene.say("insert into t (id, d) values (1, '😁')")).rejects.toThrow(/CONSTRAINT/);
      }
      await scene.finish(batch);
    }
  });

  test('triggers that were sent several at once: MySQL keeps the semicolon behind each as a part of it', async () => {
    const several = await scene.connect({ multipleStatements: true });
    await several.query(`
      create table t (id int, n int default 0);
      create trigger one before insert on t for each row set new.n = new.n + 1;
      create trigger two before insert on t for each row begin set new.n = new.n * 10; end ; -- the last
      insert into t (id) values (0)`);
    for (const id of [1, 2]) {
      const batch = await scene.batch('t');
      expect(await scene.take(batch)).toEqual({ kind: 'taken', tables: ['t'] });
      await scene.say(`insert into t (id) values (${id})`);
      expect(await scene.values(`select concat(id, ' ', n) from t`)).toEqual([`${id} 10`]);
      expect(await scene.leftBehind()).toEqual([]);
      await scene.finish(batch);
    }
  });

  // The driver writes latin1 as ISO has it, in which the server's ž and € have no place: here they are sent as the bytes that they are.
  const clients: [string, (text: string) => string][] = [
    ['latin1', (text) => text.replaceAll('ž', '\u009e').replaceAll('€', '\u0080')],
    ['binary', (text) => Buffer.from(text).toString('latin1')],
  ];
  test.each(clients)(
    'a trigger of a %s client whose name, and that of its table, is not ASCII',
    async (client, sent) => {
      await setUp(['create table `tž` (id int, n int default 0)', `set names ${client}`]);
      await setUp([
        sent('create trigger `ž €` before insert on `tž` for each row set new.n = new.n + 1'),
        'set names utf8mb4',
      ]);
      const body = { name: 'ž €', timing: 'BEFORE', event: 'INSERT', body: 'set new.n = new.n + 1' };
      expect(await scene.triggers('tž')).toMatchObject([{ ...body, client }]);
      for (let id = 1; id <= 3; id += 1) {
        const batch = await scene.batch('`tž`');
        expect(await scene.take(batch)).toEqual({ kind: 'taken', tables: ['`tž`'] });
        expect(await scene.triggers('tž')).toMatchObject([body]);
        await scene.say(`insert into \`tž\` (id) values (${id})`);
        expect(await scene.values('select n from `tž`')).toEqual(['1']);
        expect(await scene.leftBehind()).toEqual([]);
        await scene.finish(batch);
      }
    },
  );

  turn('grants on the table and its columns, which go by name; the snapshot gets none', async () => {
    await setUp(['create table t (a int, b int)', 'insert into t values (1, 2)']);
    const user = `'${scene.name.slice(-20)}'@'127.0.0.1'`;
    await setUp([`create user ${user} identified by 'Secret-1'`, `grant select (a), insert on t to ${user}`]);
    const grants = () => scene.values(`show grants for ${user}`);
    const before = await grants();
    expect(before.join()).toMatch(/`t`/);
    await scene.take(await scene.batch('t'));
    expect(await grants()).toEqual(before);
    await scene.say(`drop user ${user}`);
  });

  turn('views and procedures, which go by name', async () => {
    await setUp([
      'create table t (a int)',
      'insert into t values (1)',
      'create view v as select * from t',
      'create procedure p() select count(*) as n from t',
    ]);
    await scene.take(await scene.batch('t'));
    expect(await scene.values('select count(*) from v')).toEqual(['0']);
    await scene.say('insert into t values (2), (3)');
    expect(await scene.values('select a from v order by a')).toEqual(['2', '3']);
    expect(await scene.values('select count(*) from t_processing')).toEqual(['1']);
  });

  turn('the next number of AUTO_INCREMENT, exactly', async () => {
    await setUp([
      'create table t (id bigint unsigned auto_increment primary key, a int)',
      'insert into t (a) values (1),(2),(3)',
      'delete from t where id = 3',
    ]);
    for (let next = 4; next < 7; next += 1) {
      const batch = await scene.batch('t');
      await scene.take(batch);
      await scene.say('insert into t (a) values (4)');
      expect(await scene.values('select id from t')).toEqual([String(next)]);
      await scene.finish(batch);
    }
  });

  // MariaDB's numbers may have a gap there (docs/snapshot.md).
  const options = [
    ['no options', ''],
    ['the tablespace of the system', 'tablespace innodb_system'],
    ['a tablespace whose name looks like options', 'tablespace `:db ENGINE=x AUTO_INCREMENT=7`'],
    ['growth by four megabytes', 'autoextend_size = 4M'],
  ];
  if (server.flavour === 'MySQL')
    test.each(options)(
      '%s, and the next number of a table to which somebody writes without pause',
      async (_, option = '') => {
        if (option.includes(':db')) await setUp([`create ${option} add datafile ':db.ibd'`]);
        await setUp([`create table t (id bigint auto_increment primary key) ${option} comment 'x AUTO_INCREMENT=5'`]);
        await scene.say('insert into t values (12)');
        const before = await scene.definition('t');
        const writer = await scene.connect();
        let [writing, written] = [true, 1];
        const all = (async () => {
          for (; writing; written += 1) await writer.query('insert into t values (null)');
        })();
        const batch = await scene.batch('t');
        expect(await scene.take(batch)).toEqual({ kind: 'taken', tables: ['t'] });
        writing = false;
        await all;
        expect(await scene.definition('t')).toBe(before);
        await scene.say('insert into t values (null)');
        // The numbers go on where they were, each once.
        expect(
          await scene.rows(`select count(*) as n, max(id) as most, min(id) as least
        from (select id from t union all select id from t_processing) both_tables`),
        ).toEqual([{ n: String(written + 1), most: String(written + 12), least: '12' }]);
        await scene.finish(batch);
        await scene.say('drop table t');
        if (option.includes(':db')) await setUp([`drop ${option}`]);
      },
    );

  for (const type of ['tinyint', 'int unsigned', 'bigint unsigned']) {
    turn(`numbers that are nearly used up: ${type}`, async () => {
      const most = { tinyint: 127n, 'int unsigned': 2n ** 32n - 1n, 'bigint unsigned': 2n ** 64n - 1n }[type]!;
      await setUp([`create table t (id ${type} auto_increment primary key)`, `insert into t values (${most - 3n})`]);
      await scene.take(await scene.batch('t'));
      await scene.say('insert into t values (null)');
      expect(await scene.values('select id from t')).toEqual([String(most - 2n)]);
    });
  }

  const GREATEST: [string, bigint][] = [
    ['tinyint unsigned', 255n],
    ['int', 2n ** 31n - 1n],
    ['bigint', 2n ** 63n - 1n],
    ['bigint unsigned', 2n ** 64n - 2n],
  ];
  if (server.flavour === 'MySQL')
    test.each(GREATEST)('numbers that are used up: none is given again: %s', async (type, most) => {
      await setUp([`create table t (id ${type} auto_increment primary key)`, `insert into t values (${most})`]);
      for (let round = 1; round <= 2; round += 1) {
        const batch = await scene.batch('t');
        await scene.take(batch);
        await expect(scene.say('insert into t values (null)')).rejects.toThrow(/auto-increment/);
        await scene.finish(batch);
      }
    });

  turn('the snapshot holds the rows, refuses writes, and says where to write', async () => {
    await setUp(['create table t (a int primary key)', 'insert into t values (1), (2)']);
    const batch = await scene.batch('t');
    await scene.take(batch);
    expect(await scene.values('select a from t_processing order by a')).toEqual(['1', '2']);
    for (const write of [
      'insert into t_processing values (3)',
      'update t_processing set a = 3',
      'delete from t_processing',
    ]) {
      await expect(scene.say(write)).rejects.toThrow(
        /a batch of Waybill reads t_processing: it takes no writes. Write to t$/,
      );
    }
    const [record] = await scene.records(batch);
    expect(record).toMatchObject({ table: 't', processing: 't_processing', dropped: false, storageId: '1' });
    await scene.database.transaction(async (session) => {
      expect(await scene.database.dialect.tableIdentity(session, 't_processing')).toEqual({
        relationId: record!.relationId,
        storageId: '1',
      });
    });
  });

  turn('a table of another schema than the connection, whose own has all the names that it uses, too', async () => {
    const other = `${scene.name}_other`;
    await setUp(['create database :db_other']);
    for (const schema of [scene.name, other]) {
      await setUp([
        `use ${schema}`,
        'create table dim (id int primary key)',
        'create table log (a int)',
        ...(server.flavour === 'MariaDB' ? ['create sequence numbers'] : []),
      ]);
    }
    await setUp([
      'insert into dim values (7)',
      `create table t (a int, b int ${server.flavour === 'MariaDB' ? 'default nextval(numbers)' : ''},
       constraint to_dim foreign key (a) references dim (id), foreign key (b) references dim (id), check (a < 9))`,
      'create trigger tr before insert on t for each row insert into log values (new.a)',
      'use :db',
    ]);
    const before = await scene.definition(`${other}.t`);
    await scene.take(await scene.batch(`${other}.t`));
    expect(await scene.definition(`${other}.t`)).toBe(before);
    expect(await scene.values(`show tables from ${other} like 't%'`)).toEqual(['t', 't_processing']);
    await scene.say(`insert into ${other}.t (a, b) values (7, null)`);
    expect(await scene.values(`select a from ${other}.log union all select a + 100 from log`)).toEqual(['7']);
    expect(await scene.leftBehind()).toEqual([]);
    await scene.say(`drop database ${other}`);
  });

  turn('two inputs, of which only the first names its schema: the other is the one of the connection', async () => {
    const other = `${scene.name}_other`;
    await setUp([
      'create database :db_other',
      'create table :db_other.flight (id int primary key)',
      'create table :db_other.visit (id int primary key)', // of the same name, and none of the load's
      'create table visit (id int primary key)',
      'insert into :db_other.flight values (1)',
      'insert into :db_other.visit values (2)',
      'insert into visit values (3)',
    ]);
    const batch = await scene.batch(`${other}.flight`, 'visit');
    expect(await scene.take(batch)).toEqual({ kind: 'taken', tables: [`${other}.flight`, 'visit'] });
    expect(await scene.values('select id from visit_processing')).toEqual(['3']);
    expect(await scene.values(`select id from ${other}.flight_processing`)).toEqual(['1']);
    expect(await scene.values(`show tables from ${other}`)).toEqual(['flight', 'flight_processing', 'visit']);
    expect(await scene.values(`select id from ${other}.visit`)).toEqual(['2']);
    await scene.finish(batch);
    expect(await scene.values("show tables like '%processing'")).toEqual([]);
    await scene.say(`drop database ${other}`);
  });
});

/** On servers of their own: what a server sets for all its sessions would be set for those of other tests, too. */
describeOn(await ownServers(), 'what a swap carries on a $name of its own', (like) => {
  let own: MysqlServer;
  let server: MysqlTestServer;
  let scene: Scene;
  beforeAll(async () => {
    own = await startMysql({ flavour: like.flavour });
    server = { ...like, url: own.url() };
  }, 120_000);
  afterAll(() => own.stop());
  beforeEach(async () => {
    scene = await Scene.open(server);
  });
  afterEach(() => scene.close());

  test('what a server takes that gives timestamps defaults of its own, or is not strict', async () => {
    const isMysql = server.flavour === 'MySQL';
    // One without a default MySQL would give one as its next number is set.
    const [none, lax] = isMysql ? ["default '2020-01-01'", ''] : ['', 'row_format = dynamic key_block_size = 8'];
    await scene.say(
      'set innodb_strict_mode = off',
      `create table t (id int auto_increment primary key, at timestamp not null ${none}, then_at timestamp null) ${lax}`,
      'set innodb_strict_mode = on',
      'insert into t (at) values (now())',
      'create table u (id int auto_increment primary key, at timestamp not null)',
    );
    const variable = 'explicit_defaults_for_timestamp';
    const [global] = await scene.values(`select @@global.${variable}`);
    const byLike = async (): Promise<boolean> => {
      const { database, sent } = cutBefore(scene.again(), server.url, 0);
      const batch = await scene.batch('t');
      const before = await looksOf(scene);
      await scene.take(batch, database);
      expect(await looksOf(scene)).toEqual(before);
      await scene.finish(batch);
      return sent.some((text) => /^create table \S+ like /.test(text));
    };
    try {
      await scene.say(`set global ${variable} = off`);
      expect(await byLike()).toBe(isMysql); // MariaDB lets us say how it is to be read
      const taking = scene.batch('u').then((batch) => scene.take(batch, scene.again()));
      if (isMysql) await expect(taking).rejects.toThrow(/u has a timestamp without a default/);
      else await taking;
      expect(await scene.leftBehind()).toEqual([]);
      await scene.say(`set global ${variable} = on`);
      expect(await byLike()).toBe(false);
    } finally {
      await scene.say(`set global ${variable} = ${global}`);
    }
  });
});
