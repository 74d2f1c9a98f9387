import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { withDatabase } from '../../src/cli/dev-database.ts';
import { makeMysqlDatabase } from '../../src/cli/dev-mysql.ts';
import { makePostgresDatabase } from '../../src/cli/dev-postgres.ts';
import { sql } from '../../src/database/sql.ts';
import { startMysql } from '../../src/dev/mysql-server.ts';
import { startPostgres } from '../../src/dev/postgres-server.ts';
import { until } from '../engine/world.ts';
import { ownServers } from '../mysql-servers.ts';
import { compiledCli } from '../servers.ts';

/** Compiled, as an installed Waybill has it. */
const compiled = (file: string): string => join(compiledCli(), '..', `${file}.js`);

const mariadb = (await ownServers()).filter(({ flavour }) => flavour === 'MariaDB');

// A server of its own: what is half-made is taken away, and on a shared one others make databases at the same time.
describe.each([
  {
    on: 'postgres' as const,
    file: 'dev-postgres',
    start: () => startPostgres({}),
    make: makePostgresDatabase,
    pause: 'select pg_sleep(600)',
  },
  ...mariadb.map(() => ({
    on: 'mariadb' as const,
    file: 'dev-mysql',
    start: () => startMysql({ flavour: 'MariaDB' }),
    make: makeMysqlDatabase,
    pause: 'do sleep(600)',
  })),
])('a database for development on $on', { timeout: 120_000 }, ({ on, file, start, make, pause }) => {
  let server: Awaited<ReturnType<typeof start>> | undefined;
  afterEach(() => server?.stop());

  test('whose maker was killed is made anew, with all that it had; a whole one is left alone', async () => {
    const started = (server = await start());
    const schema = (...statements: string[]) => [{ file: 'schema/shop.sql', text: `${statements.join(';\n')};` }];
    const itself = on === 'postgres' ? `alter database shop set timezone = 'UTC'; ` : '';
    const [first, second] = [
      `${itself}create schema stock; create table stock.item (id int)`,
      'create table sale (id int)',
    ];
    const maker = spawn(process.execPath, [
      ...['--input-type=module', '--eval'],
      `import(${JSON.stringify(compiled(file))}).then((made) =>
         Object.values(made)[0]({ url: (name) => name === undefined ? ${JSON.stringify(started.url())} : new URL(name, ${JSON.stringify(started.url('x'))}).href },
           'shop', ${JSON.stringify(schema(first, pause))}));`,
    ]);
    const sleeping =
      on === 'postgres'
        ? sql`select 1 from pg_stat_activity where query like '%pg_sleep(600)%' and pid <> pg_backend_pid()`
        : sql`select 1 from information_schema.processlist where info like 'do sleep%'`;
    await withDatabase(started.url(), (main) => until(async () => (await main.query(sleeping)).rows.length > 0));
    maker.kill('SIGKILL');

    const dev = { on, version: '', url: (name?: string) => started.url(name), stop: () => Promise.resolve() };
    await make(dev, 'shop', schema(first, second));
    const fill = (database: Parameters<Parameters<typeof withDatabase>[1]>[0]) =>
      database.query(sql`insert into sale values (1)`);
    await withDatabase(started.url('shop'), fill);
    await make(dev, 'shop', schema(first, second));
    const rows = await withDatabase(
      started.url('shop'),
      async (database) =>
        (await database.query(sql`select * from sale, (select count(*) as n from stock.item) stock`)).rows,
    );
    expect(rows).toHaveLength(1);
  });
});
