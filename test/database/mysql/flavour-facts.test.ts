import { randomBytes } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import type { FlavourFacts } from '../../../src/database/mysql/flavour-facts.ts';
import type { MysqlSession } from '../../../src/database/mysql/session.ts';
import { factsByVersion, type ServerFacts } from '../../../src/database/mysql/server-facts.ts';
import { describeOn, freshMysqlDatabase, mysqlServers } from '../../mysql-servers.ts';

/** A connection of Waybill's to a server, in an empty database. */
interface Probe {
  session: MysqlSession;
  schema: string;
  say: (...statements: string[]) => Promise<void>;
  /** The first value of the first row. */
  value: (text: string) => Promise<unknown>;
  /** Whether the server takes it. */
  takes: (text: string) => Promise<boolean>;
  /** What an account with no more than these rights finds. */
  asAccount: <T>(rights: string[], work: (takes: Probe['takes']) => Promise<T>) => Promise<T>;
}

/** What grants add up to takes a role and databases of like names: snapshot/rights.test.ts has it. */
type Asked = Exclude<
  keyof ServerFacts,
  'flavour' | 'version' | 'words' | 'letsSetTimestampDefaults' | 'addsUpGrantsOfRoles'
>;
type Probes = Record<Asked, (on: Probe) => Promise<unknown>>;

/** ER_PARSE_ERROR. */
const NOT_UNDERSTOOD = 1064;
const definition = (on: Probe, table: string): Promise<string> =>
  on.session
    .query<Record<string, string>>({ strings: [`show create table ${table}`], values: [] })
    .then(({ rows }) => rows[0]!['Create Table']!);

/** What a server answers to a question about each fact. */
const PROBES: Probes = {
  async renamesLockedTables({ say, takes }) {
    await say('create table locked (a int)', 'lock tables locked write');
    const renamed = await takes('rename table locked to renamed');
    await say('unlock tables');
    return renamed;
  },
  async listsTableLocks({ say, value, schema }) {
    await say('create table held (a int)', 'begin', 'insert into held values (1)');
    const seen = await value(
      `select count(*) from performance_schema.metadata_locks where object_schema = '${schema}' and object_name = 'held'`,
    );
    await say('rollback');
    return Number(seen) > 0;
  },
  listsRowWaitsBy: async ({ takes }) =>
    (await takes('select 1 from performance_schema.data_lock_waits limit 0')) ? 'connection' : 'transaction',
  async listsPreparedIds({ takes }) {
    if (await takes("xa recover format = 'SQL'")) return 'as in a statement';
    return (await takes('xa recover convert xid')) ? 'in hexadecimal' : undefined;
  },

  // While this very statement runs, it is in the list.
  async listsConnectionsIn({ takes }) {
    const isRead = (list: string): Promise<boolean> => takes(`select '😁' from ${list} where id = connection_id()`);
    if (await isRead('information_schema.processlist')) return 'information_schema';
    return (await isRead('performance_schema.processlist')) ? 'performance_schema' : 'information_schema';
  },
  numbersStatements: ({ takes }) => takes('select query_id from information_schema.processlist limit 0'),
  limitsIdleTransactions: ({ takes }) =>
    takes('select @@idle_transaction_timeout, @@idle_readonly_transaction_timeout, @@idle_write_transaction_timeout'),
  async longRecursion({ say, value }) {
    await say(
      'set session /*!80016 cte_max_recursion_depth = 3 *//*M!100600 max_recursive_iterations = 3, max_error_count = 9 */',
    );
    const rows = await value(
      'with recursive n as (select 1 as i union all select i + 1 from n where i < 9) select count(*) from n',
    ).catch(() => 'fails');
    return rows === 'fails' ? rows : Number(rows) < 9 ? 'is cut short' : rows;
  },
  async usualModes({ value }) {
    const modes = String(await value('select @@global.sql_mode')).split(',');
    return modes.filter((mode) => ['ONLY_FULL_GROUP_BY', 'NO_ZERO_IN_DATE', 'NO_ZERO_DATE'].includes(mode));
  },
  letsSetErrorCount: ({ asAccount }) => asAccount([], (takes) => takes('set session max_error_count = 9')),
  choosesNotes: ({ takes }) => takes('select @@note_verbosity'),
  async checksPreparedInserts({ say, session }) {
    await say('create table target (a int)');
    const prepare = session.connection.prepare('insert into target (b) select 1');
    return prepare.then(
      (prepared) => prepared.close().then(() => false),
      () => true,
    );
  },

  async checkNamesAreOfSchema({ say, takes }) {
    await say('create table checked (a int, constraint positive check (a > 0))');
    return !(await takes('create table other (a int, constraint positive check (a > 0))'));
  },
  async limitsNamesMadeOfTables({ say, takes }) {
    const longest = 'c'.repeat(64);
    await say('create table parent (a int primary key)');
    await say('create table child (a int, constraint child_ibfk_1 foreign key (a) references parent (a))');
    return !(await takes(`rename table child to ${longest}`));
  },
  async showsReferenceSystems(on) {
    await on.say('create table places (p point /*M! ref_system_id = 4326 */ not null /*!80003 srid 4326 */)');
    return (await definition(on, 'places')).includes('4326');
  },
  async showsRefusedOptions(on) {
    await on.say('set session innodb_strict_mode = 0');
    await on.say('create table lax (a int) engine = InnoDB row_format = dynamic key_block_size = 4');
    const text = await definition(on, 'lax');
    await on.say('set session innodb_strict_mode = 1', 'drop table lax');
    return !(await on.takes(text));
  },
  async listsTriggersUnescaped({ say, value, schema }) {
    await say('create table fired (a int)');
    await say("create trigger tr before insert on fired for each row set @said = 'it''s'");
    const body = await value(
      `select action_statement from information_schema.triggers where trigger_schema = '${schema}'`,
    );
    return !String(body).includes("'it''s'");
  },
  async repeatsCatalogReads({ say, value, schema, asAccount }) {
    await say('create table seen (a int)');
    return asAccount(['create'], async (takes) => {
      await say('set transaction isolation level repeatable read', 'begin');
      await value('select count(*) from seen');
      expect(await takes(`create table ${schema}.made (a int)`)).toBe(true);
      const found = await value(
        `select count(*) from information_schema.tables where table_schema = '${schema}' and table_name = 'made'`,
      );
      await say('rollback');
      return Number(found) === 0;
    });
  },
  async listsForeignKeysByFileNames({ say, takes, value, schema }) {
    await say('create table `café` (a int primary key)', 'create table `thé` (a int references `café` (a))');
    await say('alter table `thé` add constraint served foreign key (a) references `café` (a)');
    const list = (await takes('select 1 from information_schema.innodb_foreign limit 0')) ? 'foreign' : 'sys_foreign';
    const name = await value(
      `select ref_name from information_schema.innodb_${list} where cast(id as binary) = '${schema}/served'`,
    );
    return name === `${schema}/caf@0p` ? true : name === `${schema}/café` ? false : name;
  },
  async remembersNextNumbers({ say, value, schema }) {
    await say('create table numbered (n int auto_increment primary key)', 'insert into numbered values (7)');
    const next = (): Promise<unknown> =>
      value(
        `select auto_increment from information_schema.tables where table_schema = '${schema}' and table_name = 'numbered'`,
      );
    expect(Number(await next())).toBe(8);
    await say('insert into numbered values (10)');
    return Number(await next()) !== 11;
  },
  makesHiddenKeys: ({ takes }) => takes('select @@sql_generate_invisible_primary_key'),

  // Neither role is there: it is about the words.
  activeRoles: ({ session }) =>
    session.say('set role no_such_role, nor_this_one').then(
      () => undefined,
      (error: { errno?: number }) => (error.errno === NOT_UNDERSTOOD ? 'one' : 'several'),
    ),
  revokesInPart: ({ takes }) => takes('select @@partial_revokes'),
  grantsToPublic: ({ takes, schema }) => takes(`grant select on ${schema}.* to public`),
};

describeOn(await mysqlServers(), 'a fact of $name', (server) => {
  let database: MysqlDatabase;
  let session: MysqlSession;
  let on: Probe;

  beforeEach(async () => {
    const { url, name: schema } = await freshMysqlDatabase(server);
    database = new MysqlDatabase({
      ...{ name: 'w', url, scheme: 'mysql', maxConnections: 4, controlSchema: 'waybill' },
    });
    session = await database.openAside('facts');
    const say = async (...statements: string[]): Promise<void> => {
      for (const statement of statements) await session.say(statement);
    };
    const value = async (text: string): Promise<unknown> => {
      const { rows } = await session.query<Record<string, unknown>>({ strings: [text], values: [] });
      return Object.values(rows[0] ?? {})[0];
    };
    const takenBy = (ask: (text: string) => Promise<unknown>) => (text: string) =>
      ask(text).then(
        () => true,
        () => false,
      );
    on = {
      ...{ session, schema, say, value },
      takes: takenBy(value),
      async asAccount(rights, work) {
        const user = `u_${randomBytes(6).toString('hex')}`;
        await say(`create user ${user} identified by 'Secret-1'`);
        if (rights.length > 0) await say(`grant ${rights.join(', ')} on *.* to ${user}`);
        const own = new URL(url);
        Object.assign(own, { username: user, password: 'Secret-1', pathname: '/' });
        const connection = await createConnection(own.href);
        try {
          return await work(takenBy((text) => connection.query(text)));
        } finally {
          await connection.end();
          await say(`drop user ${user}`);
        }
      },
    };
  });
  afterEach(async () => {
    await session.close();
    await database.close();
  });

  test.each(Object.keys(PROBES) as (keyof Probes)[])('is what it answers: %s', async (fact) => {
    expect(await PROBES[fact](on)).toEqual(session.server[fact]);
  });

  test('is what it lets any account set, where that is relied upon: letsSetTimestampDefaults', async () => {
    const lets = await on.asAccount([], (takes) => takes('set session explicit_defaults_for_timestamp = 1'));
    expect(lets || !session.server.letsSetTimestampDefaults).toBe(true);
  });

  test.each(['isolation', 'readOnly', 'statementLimit'] as const)('is what it calls a variable: %s', async (word) => {
    expect(await on.takes(`select @@session.${session.server.words[word]}`)).toBe(true);
  });

  test('is what it calls the list of channels, and the privilege to see it', async () => {
    const { allChannels, seesChannels } = session.server.words;
    const shows = (takes: Probe['takes']): Promise<boolean> => takes(`show ${allChannels} status`);
    expect(await on.asAccount([], shows)).toBe(false);
    expect(await on.asAccount([seesChannels], shows)).toBe(true);
  });
});

/** Not of the first release that is named, and of the second. */
const SINCE: [string, (facts: FlavourFacts) => boolean, string, string][] = [
  ['listsConnectionsIn', (facts) => facts.listsConnectionsIn === 'performance_schema', '8.0.21', '8.0.22'],
  ['words.allChannels', (facts) => facts.words.allChannels === 'replica', '8.0.21', '8.0.22'],
  ['makesHiddenKeys', (facts) => facts.makesHiddenKeys, '8.0.29', '8.0.30'],
  ['addsUpGrantsOfRoles', (facts) => facts.addsUpGrantsOfRoles, '8.4.7', '9.0.0'],
  ['letsSetTimestampDefaults', (facts) => facts.letsSetTimestampDefaults, '10.6.8-MariaDB', '10.6.9-MariaDB'],
  ['grantsToPublic', (facts) => facts.grantsToPublic, '10.10.7-MariaDB', '10.11.0-MariaDB'],
];

test.each(SINCE)('some releases only have it: %s', (_, has, before, since) => {
  expect(has(factsByVersion(before))).toBe(false);
  expect(has(factsByVersion(since))).toBe(true);
});
