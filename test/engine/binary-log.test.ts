/**
 * A server with a binary log, as MySQL is by default, and an account of few rights: there it may make no trigger (1419), which it may
 * without the log. What that means for snapshots stands in docs/snapshot.md.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { migrate } from '../../src/control/migrate.ts';
import { sql } from '../../src/database/sql.ts';
import { startMysql, type MysqlServer } from '../../src/dev/mysql-server.ts';
import { Scene } from '../database/mysql/snapshot/scene.ts';
import { openLedger } from '../database/ledger-on.ts';
import type { MysqlTestServer } from '../mysql-on-demand.ts';
import { describeOn, ownServers } from '../mysql-servers.ts';
import { oneOf } from '../seed.ts';
import { expectWhole, ORDERS } from './orders.ts';
import { World } from './world.ts';

const TRUST = 'log_bin_trust_function_creators';

describeOn(oneOf(await ownServers(), import.meta.url), 'a $name with a binary log', ({ name, flavour }) => {
  let own: MysqlServer;
  let server: MysqlTestServer;
  beforeAll(async () => {
    own = await startMysql({ flavour, settings: { 'log-bin': 'binlog', 'server-id': '7', [TRUST]: 'OFF' } });
    server = { name, flavour, url: own.url() };
  }, 120_000);
  afterAll(() => own.stop());

  /** The URL of an account that may do everything in databases whose names begin so, and nothing else. */
  async function accountFor(scene: Pick<Scene, 'say'>, prefix: string, url: string): Promise<string> {
    const loader = new URL(url);
    Object.assign(loader, { username: 'loader', password: 'Secret-1' });
    await scene.say(
      "create user if not exists loader@'%' identified by 'Secret-1'",
      `grant all on \`${prefix.replaceAll('_', '\\_')}%\`.* to loader@'%'`,
    );
    return loader.href;
  }

  describe('and an account that may make no triggers', () => {
    let scene: Scene;
    let loader: ReturnType<typeof openLedger>;
    beforeEach(async () => {
      scene = await Scene.open(server);
      await scene.say('create table t (id int auto_increment primary key, n int)', 'insert into t (n) values (1)');
      loader = openLedger(await accountFor(scene, scene.name, own.url(scene.name)), `${scene.name}_waybill`);
    });
    afterEach(async () => {
      await scene.say(`set global ${TRUST} = off`);
      await loader.close();
      await scene.close();
    });
    const guards = () =>
      scene.values(`select trigger_name from information_schema.triggers where event_object_table = 't_processing'`);

    test('takes snapshots that refuse no writes; that one was emptied is seen, and it is dropped like any other', async () => {
      const batch = await scene.batch('t');
      expect(await scene.take(batch, loader)).toEqual({ kind: 'taken', tables: ['t'] });
      expect(await guards()).toEqual([]);
      await scene.say('update t_processing set n = 2');
      const [record] = await scene.records(batch);
      const holds = async () => {
        const still = loader.dialect.isStill('t_processing', record!);
        return (await loader.query<{ holds: boolean }>(sql`select ${still} as holds`)).rows[0]!.holds;
      };
      expect(await holds()).toBe(true);
      await scene.say('truncate table t_processing');
      expect(await holds()).toBe(false);
      await scene.setState(batch, 'published');
      expect(await scene.drop(batch, loader)).toEqual({ dropped: ['t_processing'], left: [] });
    });

    test('is told what a table with triggers takes, and nothing has happened; what it is told does it', async () => {
      await scene.say("create definer = loader@'%' trigger tr before insert on t for each row set new.n = 7");
      const batch = await scene.batch('t');
      const error = await scene.take(batch, loader).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        message: expect.stringMatching(/^the triggers of t cannot be made on its twin: .*(SUPER|SET)/) as string,
      });
      expect(JSON.stringify(error)).toContain(`set ${TRUST} = 1 on the server`);
      expect(await scene.values('show tables')).toEqual(['t']);
      expect(await scene.leftBehind()).toEqual([]);

      await scene.say(`set global ${TRUST} = on`);
      expect(await scene.take(batch, loader)).toEqual({ kind: 'taken', tables: ['t'] });
      await expect(scene.say('insert into t_processing (n) values (2)')).rejects.toThrow(/it takes no writes/);
      await scene.say('insert into t (n) values (2)');
      expect(await scene.values('select n from t')).toEqual(['7']);
    });

    test('runs whole core loads, one after the other, while rows come in', async () => {
      const world = await World.create(server, ORDERS(250, { byKey: true }));
      try {
        world.env['WAREHOUSE_URL'] = await accountFor(scene, world.names.prefix, world.env['WAREHOUSE_URL']!);
        await world.worker();
        expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 250, chunks: 3 } });
        await expectWhole(world);
        await world.warehouse.query(`insert into acq.orders select id + 250, customer, amount from kept.orders;
          insert into kept.orders select id + 250, customer, amount from kept.orders`);
        expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 250 } });
        await expectWhole(world);
      } finally {
        await world.close();
      }
    });
  });

  test('of statements: a warehouse is refused before anything is made, one that runs says what to do, a source serves', async () => {
    const scene = await Scene.open(server);
    await scene.say('create table t (id int)', 'set global binlog_format = STATEMENT');
    const next = 'set binlog_format = ROW (or MIXED) on the server';
    const fresh = openLedger(own.url(scene.name), `${scene.name}_fresh`);
    try {
      await expect(migrate(fresh, 'tests')).rejects.toMatchObject({
        name: 'ConfigurationError',
        message: 'the server of connection w has a binary log of statements, which takes no writes at READ COMMITTED',
        next,
      });
      expect(await scene.values(`show databases like "%fresh"`)).toEqual([]);
      const session = await scene.database.openSession('waybill lane');
      const error = await session.query(sql`insert into t values (1)`).catch((thrown: unknown) => thrown);
      const facts = scene.database.dialect.classify(error);
      expect(facts).toMatchObject({ kind: 'permanent', code: '1665', next });
      expect(facts.safeMessage).toMatch(/^Cannot execute statement: .*READ COMMITTED/);
      await session.begin({ readOnly: true });
      expect((await session.query(sql`select count(*) as n from t`)).rows).toHaveLength(1);
      await session.close();
    } finally {
      await scene.say('set global binlog_format = default');
      await fresh.close();
      await scene.close();
    }
  });
});
