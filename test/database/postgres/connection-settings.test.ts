/**
 * What a connection is like before anything is said on it: the same whatever the role has by default, whatever a pooler drops or makes
 * up, and whatever a platform does not know.
 */
import { randomBytes } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fence } from '../../../src/control/fence.ts';
import { migrate } from '../../../src/control/migrate.ts';
import { whyNeverTakenBack } from '../../../src/control/take-back.ts';
import { PostgresDatabase } from '../../../src/database/postgres/database.ts';
import type { Session } from '../../../src/database/dialect.ts';
import { raw, sql } from '../../../src/database/sql.ts';
import { insertBatch } from '../ledger-on.ts';
import { freshDatabase, servers, type FreshDatabase } from '../../servers.ts';

/** What no role may do to us, and what it comes to on a connection that writes. */
const PINNED = {
  default_transaction_isolation: ['serializable', 'read committed'],
  default_transaction_read_only: ['on', 'off'],
  client_encoding: ['latin1', 'UTF8'],
  intervalstyle: ['iso_8601', 'postgres'],
  extra_float_digits: ['-15', '1'],
  bytea_output: ['escape', 'hex'],
  array_nulls: ['off', 'on'],
  standard_conforming_strings: ['off', 'on'],
  row_security: ['on', 'off'],
  idle_in_transaction_session_timeout: ['0', '1min'],
  client_connection_check_interval: ['0', '2s'],
  synchronous_commit: ['off', 'on'],
  statement_timeout: ['7s', '0'],
} as const;
const SINCE_17 = { transaction_timeout: ['7s', '0'] } as const;
/** What a source has against those who read it. */
const LIMITS = ['statement_timeout', 'transaction_timeout'];

describe.each(servers)('a connection to $name', (server) => {
  const settings = { ...PINNED, ...(server.name.endsWith(' 15') ? {} : SINCE_17) };
  let role: string;
  let fresh: FreshDatabase;
  let owner: pg.Client;
  let database: PostgresDatabase | undefined;
  let pooler: Pooler | undefined;
  const sessions: Session[] = [];
  beforeEach(async () => {
    role = `hostile_${randomBytes(4).toString('hex')}`;
    fresh = await freshDatabase(server);
    owner = new pg.Client(fresh.url);
    await owner.connect();
    await owner.query(`create role ${role} login password 'Secret-1'`);
  });
  afterEach(async () => {
    for (const session of sessions.splice(0)) session.destroy();
    await database?.close();
    await pooler?.close();
    database = pooler = undefined;
    for (const one of [role, `${role}_owner`]) {
      await owner.query(`do $$ begin if exists (select from pg_roles where rolname = '${one}') then drop owned by ${one}; end if; end $$;
        drop role if exists ${one}`);
    }
    await owner.end();
    await fresh.drop();
  });

  const urlOf = (port?: number, options?: string): string => {
    const url = new URL(fresh.url);
    Object.assign(url, { username: role, password: 'Secret-1', ...(port && { hostname: '127.0.0.1', port }) });
    if (options) url.searchParams.set('options', options);
    return url.href;
  };
  const open = (url: string): PostgresDatabase =>
    (database = new PostgresDatabase({
      ...{ name: 'warehouse', url, scheme: 'postgres', maxConnections: 4, controlSchema: 'waybill' },
    }));
  /** One of every kind: of control, a fence's, a lane's, and one that reads only. */
  async function everyKind(of: PostgresDatabase): Promise<[Session, reads: boolean][]> {
    sessions.push(await of.controlSession(), await of.openAside('test aside'), await of.openSession('test lane'));
    sessions.push(await of.openSession('test reader', { reading: true }));
    return sessions.map((session, i) => [session, i === 3]);
  }

  async function expectPinned(of: PostgresDatabase): Promise<void> {
    for (const [session, reads] of await everyKind(of)) {
      const { rows } = await session.query<Record<string, string>>(sql`
        select pg_backend_pid()::text as "is"${raw(
          Object.keys(settings)
            .map((name) => `, current_setting('${name}') as ${name}`)
            .join(''),
        )}`);
      const { is, ...found } = rows[0]!;
      const expected = Object.entries(settings).map(([name, [given, pinned]]) => {
        const own = reads && (LIMITS.includes(name) || name === 'default_transaction_read_only');
        return [name, own ? given : pinned];
      });
      expect(found).toEqual(Object.fromEntries(expected));
      expect(session.connectionId).toBe(is);
    }
  }

  async function hostile(): Promise<void> {
    for (const [name, [value]] of Object.entries(settings)) {
      await owner.query(`alter role ${role} set ${name} = '${value}'`);
    }
  }

  test('is as we need it, whatever the role has by default; one that reads keeps its limits', async () => {
    await hostile();
    await expectPinned(open(urlOf()));
  });

  test('is that behind a pooler which drops the options of a connection, and makes up its number', async () => {
    await hostile();
    pooler = await Pooler.to(fresh.url, 'drops');
    await expectPinned(open(urlOf(pooler.port)));
  });

  test('comes about behind a pooler that refuses options; those of the URL are said to be what it refuses', async () => {
    await hostile();
    pooler = await Pooler.to(fresh.url, 'refuses');
    await expectPinned(open(urlOf(pooler.port)));
    for (const session of sessions.splice(0)) session.destroy();
    await database?.close();
    await expect(open(urlOf(pooler.port, '-c search_path=acq')).query(sql`select 1`)).rejects.toMatchObject({
      message: 'cannot connect to warehouse: unsupported startup parameter: options',
      next: 'leave `options` out of the URL of connection warehouse (and PGOPTIONS unset): what is at its host does not take them',
    });
  });

  test('is ended by a fence as that of the same login, whatever role it takes; what may not be ended is said', async () => {
    await owner.query(`create role ${role}_owner; grant ${role}_owner to ${role};
      do $$ begin execute format('grant create on database %I to ${role}_owner', current_database()); end $$;
      alter role ${role} set role = ${role}_owner`);
    const of = open(urlOf());
    await migrate(of, 'tests');
    await insertBatch(of, '1', 'core.one');
    const zombie = await of.openSession('waybill lane');
    sessions.push(zombie);
    await zombie.pipeline([...of.dialect.begin(), ...of.dialect.gate(of, '1', 'shared')]);
    const began = Date.now();
    const refused: string[] = [];
    const cannotEnd = (error: unknown) => void refused.push(of.dialect.classify(error).safeMessage);
    expect(await fence(of, '1', 'rolling_back', {}, cannotEnd)).toBe('rolling_back');
    expect(Date.now() - began).toBeLessThan(5_000);
    expect(refused).toEqual([]);
    await expect(zombie.commit()).rejects.toThrow();

    await insertBatch(of, '2', 'core.two');
    await owner.query(`begin; select pg_advisory_xact_lock_shared(hashtextextended('waybill:2', 0))`);
    setTimeout(() => void owner.query('rollback'), 600);
    expect(await fence(of, '2', 'rolling_back', {}, cannotEnd)).toBe('rolling_back');
    expect(new Set(refused)).toEqual(
      new Set([expect.stringMatching(/^permission denied to terminate process|^must be a superuser to terminate/)]),
    );
  });

  test('has the options of its URL, but for what is ours', async () => {
    const of = open(urlOf(undefined, '-c search_path=acq -c row_security=on -c work_mem=5MB'));
    const { rows } = await of.query(sql`
      select current_setting('search_path') as path, current_setting('row_security') as policies, current_setting('work_mem') as memory`);
    expect(rows).toEqual([{ path: 'acq', policies: 'off', memory: '5MB' }]);
  });

  test('may not take a batch back from a table, or a partition, of which policies hide rows, and says so before it writes', async () => {
    await owner.query(`create schema core; grant usage on schema core to ${role};
      create table core.sale (id int, batch_id bigint) partition by range (id);
      create table core.sale_all partition of core.sale default;
      grant all on core.sale, core.sale_all to ${role}`);
    const of = open(urlOf());
    expect(await whyNeverTakenBack(of, 'core.sale')).toBeUndefined();
    for (const part of ['core.sale_all', 'core.sale']) {
      await owner.query(`alter table ${part} enable row level security`);
      expect(await whyNeverTakenBack(of, 'core.sale')).toEqual({
        message: `core.sale would keep the rows of a batch that has to be taken back: row level security of ${part} would hide some from ${role}`,
        next: `alter role ${role} bypassrls, or alter table ${part} disable row level security`,
      });
      await owner.query(`alter table ${part} disable row level security`);
    }
  });

  test('comes about where the platform cannot check for a client that is gone', async () => {
    // As PostgreSQL on Windows answers.
    await owner.query(`
      create schema platform;
      grant usage on schema platform to ${role};
      create function platform.set_config(name text, value text, local boolean) returns text language plpgsql as $$ begin
        if name = 'client_connection_check_interval' then
          raise exception 'invalid value for parameter "client_connection_check_interval": 2000' using errcode = '22023';
        end if;
        return pg_catalog.set_config(name, value, local);
      end $$;
      alter role ${role} set search_path = platform, pg_catalog;
      alter role ${role} set row_security = on`);
    const of = open(urlOf());
    for (const [session] of await everyKind(of)) {
      const { rows } = await session.query(sql`
        select current_setting('client_connection_check_interval') as checks, current_setting('row_security') as policies`);
      expect(rows).toEqual([{ checks: '0', policies: 'off' }]);
    }
  });
});

/** What a pooler does to the messages by which a connection begins: as PgBouncer does without, and with, ignore_startup_parameters. */
class Pooler {
  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async to(url: string, options: 'drops' | 'refuses'): Promise<Pooler> {
    const { hostname, port } = new URL(url);
    const server = createServer((client) => {
      const upstream = connect(Number(port), hostname);
      const end = (): void => [client, upstream].forEach((socket) => socket.destroy());
      for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
      client.once('data', (startup: Buffer) => {
        const { given, message } = withoutOptions(startup);
        if (given && options === 'refuses') return client.end(REFUSAL);
        upstream.write(message);
        client.pipe(upstream);
      });
      upstream.on('data', (answer: Buffer) => client.write(otherNumber(answer)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Pooler(server, (server.address() as AddressInfo).port);
  }

  async close(): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** Length and version, then names and values, each of which a zero ends, and one more at the end. */
function withoutOptions(startup: Buffer): { given: boolean; message: Buffer } {
  const said = startup.subarray(8).toString().split('\0');
  const at = said.findIndex((text, i) => i % 2 === 0 && text === 'options');
  if (at >= 0) said.splice(at, 2);
  const message = Buffer.concat([startup.subarray(0, 8), Buffer.from(said.join('\0'))]);
  message.writeInt32BE(message.length);
  return { given: at >= 0, message };
}

/** BackendKeyData: a letter, the length of 12, the number and a secret. */
function otherNumber(answer: Buffer): Buffer {
  const at = answer.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]));
  if (at >= 0) answer.writeInt32BE(-220_968_126, at + 5);
  return answer;
}

const REFUSAL = ((): Buffer => {
  const fields = Buffer.from('SFATAL\0C08P01\0Munsupported startup parameter: options\0\0');
  const head = Buffer.from([0x45, 0, 0, 0, 0]);
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
})();
