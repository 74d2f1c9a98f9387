/**
 * An imported session on a server that has a time zone, as pupdate's had: what its statements do there by hand, whatever they do with
 * times. Of the newest rows nothing is passed over, and nothing comes twice.
 */
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startMysql, type MysqlServer } from '../../src/dev/mysql-server.ts';
import { runSession } from '../engine/session-run.ts';
import { World } from '../engine/world.ts';
import { oneOfEachFamily } from '../every-server.ts';
import { describeOn, ownServers } from '../mysql-servers.ts';
import { addressOf, importInto } from './imported-world.ts';

const own = await ownServers();
const ofMysql = oneOfEachFamily(import.meta.url).flatMap(({ name }) => own.filter((one) => one.name === name));

/** What was written when, in both types; what the clock says, and a time that travels between the types. */
const statement = (into: string, last: string, to: string): string => `
  insert into ${into} (id, by_type, written, stamped, age, day_off)
  select i.id, t.by_type, i.stamped, i.written, timestampdiff(hour, i.written, now()), datediff(curdate(), i.written)
  from item i join (select 'datetime' as by_type union all select 'timestamp') t
  where if(t.by_type = 'datetime', i.written, i.stamped) > ${last} and if(t.by_type = 'datetime', i.written, i.stamped) <= ${to}`;

describeOn(ofMysql, 'an imported session on a $name with a time zone', ({ name, flavour }) => {
  let server: MysqlServer;
  let world: World;
  let sql: Connection;

  beforeAll(async () => {
    server = await startMysql({ flavour });
  }, 120_000);
  afterAll(() => server.stop());
  afterEach(async () => {
    await sql.end();
    await world.close();
  });

  const rows = async (text: string): Promise<RowDataPacket[]> => (await sql.query<RowDataPacket[]>(text))[0];
  const now = async (): Promise<string> => String((await rows('select now(6) as at'))[0]!['at']);

  test.each(['-05:00', '+09:00'])('%s', { timeout: 120_000 }, async (zone) => {
    world = await World.create({ name, url: server.url() }, { files: {} });
    const url = new URL(world.env['WAREHOUSE_URL']!);
    sql = await createConnection({
      uri: url.href.replace(/^mariadb:/, 'mysql:'),
      multipleStatements: true,
      dateStrings: true,
    });
    await sql.query(`set global time_zone = '${zone}', session time_zone = '${zone}'`);
    const made = `(id int, by_type varchar(9), written datetime(6), stamped timestamp(6) null, age int, day_off int,
      by_default datetime default current_timestamp, primary key (id, by_type))`;
    await sql.query(`create table copied ${made}; create table by_hand ${made}; create table newest (id int);
      create table item (id int primary key auto_increment, times int not null default 0, written datetime(6) default current_timestamp(6),
        stamped timestamp(6) null default current_timestamp(6));
      insert into item () values (), (); insert into item (written, stamped) values (now() - interval 3 day, now() - interval 3 day)`);
    const database = url.pathname.slice(1);
    const task = {
      Name: 'copy',
      Dsn: `${addressOf(url)}/${database}`,
      PreSteps: ['delete from copied where written > now()'],
      Exec: statement('copied', "'$last_etl'", "'$etl_to'"),
    };
    const counting = {
      ...{ Name: 'count', Dsn: task.Dsn, Exec: 'update item set times = times + 1 where id>=%d and id<%d' },
      ...{ Min: 1, MaxQuery: 'select max(id) from item', Step: 1, Concurrency: 1 },
    };
    // A truncate commits by itself, and what stands before it is still there behind it.
    const keeping = {
      ...{ Name: 'keep', Dsn: task.Dsn },
      Exec: 'create temporary table kept select max(id) as id from item; truncate newest; insert into newest select id from kept',
    };
    await importInto(
      world,
      { 'nightly.json': JSON.stringify({ Tasks: [task, counting, keeping] }) },
      { mot: database, copy: database },
    );
    await world.worker();

    let last = '1970-01-02 00:00:00';
    const seen: number[] = [];
    for (const round of [1, 2, 3]) {
      await sql.query('do sleep(1.1)'); // a session ends at a whole second
      expect(await runSession(world)).toMatchObject({ ok: true });
      const to = await now();
      await sql.query(statement('by_hand', `'${last}'`, `'${to}'`));
      const all = (table: string) =>
        rows(
          `select id, by_type, written, stamped, age, day_off, timestampdiff(minute, by_default, now()) as old from ${table} order by id, by_type`,
        );
      expect(await all('copied'), `round ${round}`).toEqual(await all('by_hand'));
      expect(await rows('select id from newest')).toEqual(await rows('select max(id) as id from item'));
      seen.push((await all('copied')).length);
      last = to;
      await sql.query('insert into item () values ()');
    }
    expect(seen).toEqual([6, 8, 10]);
    // The ledger keeps to UTC, by which it tells whose turn it is.
    expect(await rows('select sum(times) as times, count(*) as n from item')).toEqual([{ times: '12', n: 6 }]);
  });
});
