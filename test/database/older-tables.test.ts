/** A DBA keeps the control tables for a role that may only read and write them, and a newer version needs more than they have. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrate, migrationScript } from '../../src/control/migrate.ts';
import { readMigrations } from '../../src/control/migrations.ts';
import { claimProject, requireProject } from '../../src/control/project.ts';
import type { Database } from '../../src/database/dialect.ts';
import { raw, sql } from '../../src/database/sql.ts';
import { everyServer } from '../every-server.ts';
import { freshDatabase } from '../servers.ts';
import { insertBatch, ledgerOn, openLedger } from './ledger-on.ts';

/** What the version had that made them. */
const OLDER = 3;

describe.each(everyServer)('control tables on $name that a DBA made for an older version', (server) => {
  const onPostgres = server.url.startsWith('postgres');
  let [admin, worker]: Database[] = [];
  let loader = '';
  let schema = '';
  const say = (text: string) => admin!.query({ strings: [text], values: [] });

  const grantRows = async (): Promise<void> => {
    const rights = 'grant select, insert, update, delete on';
    await say(
      onPostgres ? `${rights} all tables in schema ${schema} to ${loader}` : `${rights} ${schema}.* to ${loader}`,
    );
  };

  /** As a client does that is given a file. */
  async function runScript(script: string): Promise<void> {
    const dba = await admin!.openAside('dba');
    const statements = onPostgres ? [script] : script.split(/;\s*$/m).filter((text) => text.trim() !== '');
    for (const statement of statements) await dba.query({ strings: [statement], values: [] });
    await dba.close();
  }

  const columns = async (database: Database): Promise<string[]> => {
    const { rows } = await database.query<{ c: string }>(sql`
      select concat(table_name, '.', column_name) as c from information_schema.columns
      where table_schema = ${database.controlSchema}`);
    return rows.map(({ c }) => c).sort();
  };

  beforeEach(async () => {
    const { prefix, url } = await freshDatabase(server);
    schema = `${prefix}waybill`;
    loader = `${prefix}loader`;
    const made = openLedger(url, schema);
    admin = made;
    await made.dialect.migration.run(made, async (session) => {
      for (const { version, name, checksum, text } of (await readMigrations(made)).slice(0, OLDER)) {
        await made.dialect.migration.apply(session, text);
        await session.query(
          sql`insert into migration (version, name, checksum) values (${version}, ${name}, ${checksum})`,
        );
      }
      await claimProject(session, made, 'tests');
    });
    await say(
      onPostgres ? `create role ${loader} login password 'Secret-1'` : `create user ${loader} identified by 'Secret-1'`,
    );
    if (onPostgres) await say(`grant usage on schema ${schema} to ${loader}`);
    await grantRows();
    const asLoader = Object.assign(new URL(url), { username: loader, password: 'Secret-1' });
    if (!onPostgres) asLoader.pathname = `/${schema}`;
    worker = openLedger(asLoader.href, schema);
  });
  afterEach(async () => {
    await worker!.close();
    await say(onPostgres ? `drop owned by ${loader}; drop role ${loader}` : `drop user ${loader}`);
    await admin!.close();
  });

  test('are brought up to date by the script, run again or not, and keep what they hold', async () => {
    await insertBatch(admin!, '7', 'core.item', 'published');
    const script = await migrationScript(worker!, 'tests');
    await runScript(script);
    const whole = await ledgerOn(server);
    expect(await columns(admin!)).toEqual(await columns(whole));
    await whole.close();
    await runScript(script);
    await grantRows();
    expect(await migrate(worker!, 'tests')).toEqual([]);
    const { rows } = await worker!.query(sql`select batch_id, unreached from ${worker!.ledger('batch_output')}`);
    expect(rows).toEqual([]);
    const { rows: batches } = await worker!.query(sql`select batch_id from ${worker!.ledger('batch')}`);
    expect(batches).toEqual([{ batch_id: '7' }]);
    await worker!.query(sql`
      insert into ${worker!.ledger('batch_consumed')} (batch_id, table_name, relation_id, storage_id)
      values (7, 'core.item', 1, 1)`);
  });

  test('would have been made by the same script, from the first one on', async () => {
    await say(onPostgres ? `drop schema ${schema} cascade` : `drop schema ${schema}`);
    const script = await migrationScript(worker!, 'tests');
    await runScript(script);
    await runScript(script);
    const whole = await ledgerOn(server);
    expect(await columns(admin!)).toEqual(await columns(whole));
    await whole.close();
    expect(await migrate(admin!, 'tests')).toEqual([]);
  });

  test('are not changed by the role, which hears of the script and of the rights that new tables take', async () => {
    await expect(migrate(worker!, 'tests')).rejects.toMatchObject({
      name: 'ConfigurationError',
      message: 'the role of connection w may not bring the control tables up to date',
      where: `connection w, schema ${schema}`,
      next:
        'let a DBA run the SQL of `waybill migrate --print`, which does only what is missing, ' +
        'and grant the role SELECT, INSERT, UPDATE and DELETE on all control tables',
    });
    const { rows } = await admin!.query<{ n: string }>(
      sql`select max(version) as n from ${raw(admin!.dialect.quoteName(schema))}.migration`,
    );
    expect(Number(rows[0]!.n)).toBe(OLDER);
  });

  test('are refused until then', async () => {
    await expect(requireProject(worker!, 'tests')).rejects.toMatchObject({
      name: 'ConfigurationError',
      message: 'the control tables on w are those of an older Waybill',
      where: `connection w, schema ${schema}`,
      next: expect.stringMatching(/^run `waybill migrate`/) as string,
    });
    await runScript(await migrationScript(worker!, 'tests'));
    await requireProject(worker!, 'tests');
  });
});
