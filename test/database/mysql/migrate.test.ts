import { afterEach, expect, test } from 'vitest';
import { migrate, migrationScript } from '../../../src/control/migrate.ts';
import { requireProject } from '../../../src/control/project.ts';
import type { Database } from '../../../src/database/dialect.ts';
import { PostgresDatabase } from '../../../src/database/postgres/database.ts';
import { raw, sql } from '../../../src/database/sql.ts';
import { describeOn, freshMysqlDatabase, mysqlServers } from '../../mysql-servers.ts';
import { freshDatabase, servers } from '../../servers.ts';
import { emptyLedgerOn, openLedger } from '../ledger-on.ts';

const FILES = [
  '001.control-tables.sql',
  '002.session-parameters.sql',
  '003.file-state.sql',
  '004.planned-with.sql',
  '005.table-identity.sql',
];

async function columnsOf(database: Database): Promise<string[]> {
  const { rows } = await database.query<{ c: string }>(sql`
    select concat(table_name, '.', column_name) as c from information_schema.columns
    where table_schema = ${database.controlSchema}`);
  return rows.map(({ c }) => c).sort();
}

describeOn(await mysqlServers(), 'control tables on $name', (server) => {
  const opened: Database[] = [];
  const keep = (database: Database): Database => {
    opened.push(database);
    return database;
  };
  const fresh = async (): Promise<Database> => keep(await emptyLedgerOn(server));
  afterEach(async () => {
    for (const database of opened.splice(0)) await database.close();
  });

  test('are made once, whoever else does the same', async () => {
    const database = await fresh();
    const other = keep(openLedger(server.url, database.controlSchema));
    const [first, second] = await Promise.all([migrate(database, 'tests'), migrate(other, 'tests')]);
    expect([...first, ...second]).toEqual(FILES);
    expect(await migrate(database, 'tests')).toEqual([]);
    const { rows } = await database.query(sql`select name, last_batch_id from ${database.ledger('project')}`);
    expect(rows).toEqual([{ name: 'tests', last_batch_id: '0' }]);
  });

  test('have the columns of PostgreSQL, and one index, one lock and one intent that PostgreSQL does without', async () => {
    const database = await fresh();
    await migrate(database, 'tests');
    const theirDatabase = await freshDatabase(servers[0]!);
    const postgres = new PostgresDatabase({
      ...{ name: 'p', url: theirDatabase.url, scheme: 'postgres', maxConnections: 4, controlSchema: 'waybill' },
    });
    await migrate(postgres, 'tests');
    const theirs = await columnsOf(postgres);
    await postgres.close();
    await theirDatabase.drop();
    expect(theirs.length).toBeGreaterThan(80);
    const ours = await columnsOf(database);
    expect(ours.filter((column) => !theirs.includes(column))).toEqual([
      'batch.unfinished_load',
      'output_lock.table_name',
      'swap_intent.batch_id',
      'swap_intent.intended_at',
      'swap_intent.plan',
      'swap_intent.relation_id',
      'swap_intent.table_name',
    ]);
    expect(theirs.filter((column) => !ours.includes(column))).toEqual([]);
  });

  test('are all InnoDB', async () => {
    const database = await fresh();
    await migrate(database, 'tests');
    const { rows } = await database.query(sql`
      select distinct engine as engine, table_collation as letters from information_schema.tables
      where table_schema = ${database.controlSchema} and table_type = 'BASE TABLE'`);
    expect(rows).toEqual([{ engine: 'InnoDB', letters: 'utf8mb4_bin' }]);
  });

  test('are made to their end when they were left half made', async () => {
    const database = await fresh();
    await migrate(database, 'tests');
    const whole = await columnsOf(database);
    await database.query(sql`delete from ${database.ledger('migration')}`);
    await database.query(sql`drop table ${database.ledger('event')}`);
    await database.query(sql`drop view ${database.ledger('job_control')}`);
    await database.query(sql`alter table ${database.ledger('session_window')} drop column params`);
    expect(await migrate(database, 'tests')).toEqual(FILES);
    expect(await columnsOf(database)).toEqual(whole);
  });

  test('belong to one project', async () => {
    const database = await fresh();
    await migrate(database, 'tests');
    await expect(migrate(database, 'others')).rejects.toThrow(/belong to project "tests", not to "others"/);
  });

  test('are missing until then, and that is said', async () => {
    const database = await fresh();
    await expect(requireProject(database, 'tests')).rejects.toThrow('the control tables are missing on w');
  });

  test('can be made by a DBA from the script, for an account that may not', async () => {
    const user = `m_${process.pid}`;
    const admin = await fresh();
    const { name } = await freshMysqlDatabase(server);
    const url = Object.assign(new URL(server.url), { username: user, password: 'secret', pathname: `/${name}` });
    await admin.query({ strings: [`create user ${user} identified by 'secret'`], values: [] });
    try {
      const database = keep(openLedger(url.href, admin.controlSchema));
      await admin.query({ strings: [`grant all on ${name}.* to ${user}`], values: [] });
      await expect(migrate(database, 'tests')).rejects.toMatchObject({
        name: 'ConfigurationError',
        message: 'the role of connection w may not create the control tables',
      });
      const script = await migrationScript(database, 'tests');
      const dba = await admin.openAside('dba');
      for (const statement of script.split(/;\s*$/m).filter((text) => text.trim() !== '')) {
        await dba.query({ strings: [statement], values: [] });
      }
      await dba.close();
      await admin.query(
        sql`grant select, insert, update, delete on ${raw(`${admin.controlSchema}.*`)} to ${raw(user)}`,
      );
      expect(await migrate(database, 'tests')).toEqual([]);
    } finally {
      await admin.query({ strings: [`drop user ${user}`], values: [] });
    }
  });
});
