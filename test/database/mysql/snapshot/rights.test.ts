import { afterEach, beforeEach, expect, test } from 'vitest';
import { sql } from '../../../../src/database/sql.ts';
import { describeOn, mysqlServers } from '../../../mysql-servers.ts';
import { startMysql } from '../../../../src/dev/mysql-server.ts';
import type { MysqlTestServer } from '../../../mysql-on-demand.ts';
import { openLedger } from '../../ledger-on.ts';
import { Scene } from './scene.ts';

const RIGHTS = 'select, insert, update, delete, create, alter, drop, lock tables, references';

describeOn(await mysqlServers(), 'an account with few rights on $name', (server) => {
  let scene: Scene;
  let user: string;
  let on = server;
  const enter = async (one: MysqlTestServer): Promise<void> => {
    on = one;
    scene = await Scene.open(on);
    user = `'${scene.name.slice(-16)}'@'127.0.0.1'`;
    await scene.say(
      `create user ${user} identified by 'Secret-1'`,
      `grant ${RIGHTS}, trigger on ${scene.name}.* to ${user}`,
      `grant select, insert, update, delete on ${scene.name}_waybill.* to ${user}`,
      'create table t (id int auto_increment primary key)',
      'insert into t values (1)',
    );
  };
  const leave = async (): Promise<void> => {
    await scene.say(`drop user ${user}`);
    await scene.close();
  };
  beforeEach(() => enter(server));
  afterEach(() => leave());
  const asUser = () => {
    const url = new URL(on.url);
    url.username = scene.name.slice(-16);
    url.password = 'Secret-1';
    url.pathname = `/${scene.name}`;
    return openLedger(url.href, `${scene.name}_waybill`);
  };

  test('takes and drops snapshots, which are known when they are emptied, whether or not it may make triggers', async () => {
    const database = asUser();
    const batch = await scene.batch('t');
    await scene.take(batch, database);
    const [record] = await scene.records(batch);
    const holds = async () =>
      (
        await database.query<{ holds: boolean }>(
          sql`select ${database.dialect.isStill('t_processing', record!)} as holds`,
        )
      ).rows[0]!.holds;
    expect(await holds()).toBe(true);
    await scene.say('truncate table t_processing');
    expect(await holds()).toBe(false);
    await scene.setState(batch, 'published');
    expect(await scene.drop(batch, database)).toEqual({ dropped: ['t_processing'], left: [] });
    await database.close();
  });

  test('is told what a table with triggers takes, and nothing has happened', async () => {
    await scene.say('create trigger tr before insert on t for each row set new.id = new.id');
    const database = asUser();
    const error = await scene.take(await scene.batch('t'), database).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      message: expect.stringMatching(/^the triggers of t cannot be made on its twin: /) as string,
    });
    expect(JSON.stringify(error)).toMatch(/Grant the account TRIGGER on the schema/);
    expect(await scene.values('show tables')).toEqual(['t']);
    expect(await scene.leftBehind()).toEqual([]);
    await database.close();
  });

  test('that may not see triggers is refused: a twin would be without them', async () => {
    await scene.say(`revoke trigger on ${scene.name}.* from ${user}`);
    const database = asUser();
    const reasons = async (table = 't') =>
      (await database.transaction((session) => database.dialect.snapshotRefusals(session, table))).map(
        ({ reason }) => reason,
      );
    expect(await reasons()).toMatchObject([expect.stringMatching(/lacks the privilege TRIGGER/)]);
    await expect(scene.take(await scene.batch('t'), database)).rejects.toThrow(/lacks the privilege TRIGGER/);
    await scene.say(`grant trigger on ${scene.name}.t to ${user}`);
    expect(await reasons()).toEqual([]);
    await scene.say(
      `revoke trigger on ${scene.name}.t from ${user}`,
      `grant trigger on \`${scene.name.slice(0, -3).replaceAll('_', '\\_')}%\`.* to ${user}`,
    );
    await database.close();
    const again = asUser();
    expect(await again.transaction((session) => again.dialect.snapshotRefusals(session, 't'))).toEqual([]);
    await again.close();
  });

  test('that may not see triggers by the grant that fits the schema best is refused, whatever a wider one gives', async () => {
    await scene.say('create trigger tr before insert on t for each row set new.id = new.id');
    const escaped = scene.name.replaceAll('_', '\\_');
    const [exact, longer, wide] = [escaped, `${escaped.slice(0, -3)}%`, `${escaped.slice(0, -5)}%`];
    const refused = async (...grants: [string, string][]): Promise<boolean> => {
      await scene.say(`revoke all, grant option from ${user}`);
      await scene.say(`grant select, insert, update, delete on ${scene.name}_waybill.* to ${user}`);
      for (const [pattern, rights] of grants) await scene.say(`grant ${rights} on \`${pattern}\`.* to ${user}`);
      const database = asUser();
      const found = await database.transaction((session) => database.dialect.snapshotRefusals(session, 't'));
      await database.close();
      return found.length > 0;
    };
    expect(await refused([exact, RIGHTS], [wide, 'all'])).toBe(true);
    expect(await refused([wide, RIGHTS], [exact, 'all'])).toBe(false);
    expect(await refused([longer, RIGHTS], [wide, 'all'])).toBe(true);
    expect(await refused([longer, 'all'], [wide, RIGHTS])).toBe(false);
    // Unescaped, `_` is a wildcard: of two that are equally good, either may be it.
    expect(await refused([scene.name, RIGHTS], [`${scene.name.slice(0, 1)}%`, 'all'])).toBe(true);
  });

  if (server.flavour === 'MySQL')
    test('sees triggers by a role that gives the right by a wider pattern, as the server adds them up', async () => {
      const role = `'r_${scene.name.slice(-12)}'`;
      const wide = `${scene.name.replaceAll('_', '\\_').slice(0, -5)}%`;
      await scene.say(
        'create trigger tr before insert on t for each row set new.id = new.id',
        `revoke trigger on ${scene.name}.* from ${user}`,
        `create role ${role}`,
        `grant ${role} to ${user}`,
        `set default role all to ${user}`,
      );
      const looks = async () => {
        const database = asUser();
        const found = await database.transaction((session) => database.dialect.snapshotRefusals(session, 't'));
        const seen = await database.query<{ n: number }>(
          sql`select count(*) as n from information_schema.triggers where trigger_schema = ${scene.name}`,
        );
        await database.close();
        return { refused: found.length > 0, seen: Number(seen.rows[0]!.n) };
      };
      expect(await looks()).toEqual({ refused: true, seen: 0 });
      await scene.say(`grant trigger on \`${wide}\`.* to ${role}`);
      const { refused, seen } = await looks();
      expect(seen).toBe(1);
      if (server.name.startsWith('MySQL 9')) expect(refused).toBe(false);
      await scene.say(`drop role ${role}`);
    });

  // On a server of its own: there a name with wildcards, which accounts of other tests are granted, means something else.
  if (server.flavour === 'MySQL' && server.noOwn === undefined)
    test('that sees the triggers of all schemas but this one is refused', { timeout: 120_000 }, async () => {
      const own = await startMysql({ flavour: 'MySQL', settings: { 'partial-revokes': 'ON' } });
      await leave();
      await enter({ ...server, url: own.url() });
      try {
        await scene.say(`grant trigger on *.* to ${user}`, `revoke trigger on ${scene.name}.* from ${user}`);
        const reasons = async (): Promise<string[]> => {
          const database = asUser();
          const found = await database.transaction((session) => database.dialect.snapshotRefusals(session, 't'));
          await database.close();
          return found.map(({ reason }) => reason);
        };
        expect(await reasons()).toEqual([]); // its right on the schema alone
        await scene.say(`revoke trigger on ${scene.name}.* from ${user}`);
        expect(await reasons()).toMatchObject([expect.stringMatching(/lacks the privilege TRIGGER/)]);
        await scene.say(`grant trigger on ${scene.name}.t to ${user}`);
        expect(await reasons()).toEqual([]);
        await scene.say(`revoke trigger on ${scene.name}.t from ${user}`);
        // A letter of its own on this server, and no wildcard: a right on another schema.
        await scene.say(
          `revoke all on ${scene.name}.* from ${user}`,
          `revoke trigger on *.* from ${user}`,
          `grant ${RIGHTS} on *.* to ${user}`,
          `grant trigger on \`${scene.name.replace(/.$/, '_')}\`.* to ${user}`,
        );
        expect(await reasons()).toMatchObject([expect.stringMatching(/lacks the privilege TRIGGER/)]);
      } finally {
        await leave();
        await own.stop();
        await enter(server);
      }
    });
  if (server.flavour === 'MariaDB')
    test('sees triggers by a right that everybody has', async () => {
      await scene.say(`revoke trigger on ${scene.name}.* from ${user}`, `grant trigger on ${scene.name}.* to public`);
      const database = asUser();
      expect(await database.transaction((session) => database.dialect.snapshotRefusals(session, 't'))).toEqual([]);
      await database.close();
      await scene.say(`revoke trigger on ${scene.name}.* from public`);
    });

  test('is told of a foreign key from a table that it may not see, where it may look into InnoDB; else by the drop', async () => {
    const [hidden, name] = [`${scene.name}-ö`, 'l`and-é ü'];
    const landing = `\`${name.replace('`', '``')}\``;
    await scene.say(
      `create database \`${hidden}\``,
      `create table ${landing} (id int primary key)`,
      `create table \`${hidden}\`.\`their child\` (id int, constraint \`its fk\` foreign key (id) references ${scene.name}.${landing} (id))`,
    );
    const reasons = async () => {
      const database = asUser();
      try {
        return await database.transaction(async (session) => {
          await session.query(sql`select 1`);
          return database.dialect.snapshotRefusals(session, landing);
        });
      } finally {
        await database.close();
      }
    };
    expect(await reasons()).toEqual([]);
    await scene.say(`grant process on *.* to ${user}`);
    const refusal = {
      reason: `foreign key its fk of ${hidden}.their child refers to it: rows that stay would refer to rows that leave`,
      next: `Drop the foreign key: alter table \`${hidden}\`.\`their child\` drop foreign key \`its fk\`.`,
    };
    expect(await reasons()).toEqual([refusal]);
    // Said once, where both lists have it.
    await scene.say(`grant select, insert on \`${hidden}\`.* to ${user}`); // MariaDB does not count SELECT alone
    expect(await reasons()).toEqual([refusal]);
    await scene.say(`revoke process on *.* from ${user}`);
    expect(await reasons()).toEqual([refusal]);

    await scene.say(`revoke select, insert on \`${hidden}\`.* from ${user}`);
    const database = asUser();
    const batch = await scene.batch(landing);
    await scene.take(batch, database);
    await scene.setState(batch, 'published');
    await expect(scene.drop(batch, database)).rejects.toMatchObject({
      message: expect.stringMatching(/^snapshot .*_processing`? cannot be dropped: .*foreign key/) as string,
    });
    await scene.say(`drop database \`${hidden}\``);
    expect(await scene.drop(batch, database)).toMatchObject({ left: [] });
    await database.close();
  });

  test('that may not end who holds a table’s lock, for it is another account’s, says whose connection that is', async () => {
    const holder = await scene.connect();
    const locked = `concat('waybill ', left(sha2('${scene.name}.t', 256), 40))`;
    await holder.query(`do get_lock(${locked}, 0)`);
    const database = asUser();
    const batch = await scene.batch('t');
    const error = await scene.take(batch, database).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      message: `connection ${holder.threadId} swaps or drops the snapshot of t, and cannot be ended`,
    });
    expect(JSON.stringify(error)).toContain(
      `end it: kill connection ${holder.threadId}; all workers of a project should use one account`,
    );
    expect(await scene.values('show tables')).toEqual(['t']);
    await holder.query(`do release_lock(${locked})`);
    expect(await scene.take(batch, database)).toMatchObject({ kind: 'taken' });
    await database.close();
  });
});
