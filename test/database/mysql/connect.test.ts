import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConnectionDefinition } from '../../../src/config/definition.ts';
import { whyNotSet } from '../../../src/config/session-settings.ts';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { clusterRefusal, factsByVersion } from '../../../src/database/mysql/server-facts.ts';
import type { Session } from '../../../src/database/dialect.ts';
import { sql } from '../../../src/database/sql.ts';
import type { MysqlFlavour } from '../../../src/dev/mysql-binaries.ts';
import { startMysql, type MysqlServer } from '../../../src/dev/mysql-server.ts';
import { Proxy } from '../../copy/proxy.ts';
import { describeOn, mysqlServers, ownServers } from '../../mysql-servers.ts';

const definition = (url: string, tls?: ConnectionDefinition['tls']): ConnectionDefinition => ({
  ...{ name: 'warehouse', url, scheme: 'mysql', maxConnections: 4, controlSchema: 'waybill' },
  ...(tls === undefined ? {} : { tls }),
});

/** How a connection of its own is encrypted; empty: not at all. */
async function ask(url: string, tls?: ConnectionDefinition['tls']): Promise<string> {
  const database = new MysqlDatabase(definition(url, tls));
  try {
    const { rows } = await database.query<{ Value: string }>(sql`show session status like 'Ssl_version'`);
    return rows[0]!.Value;
  } finally {
    await database.close();
  }
}

describeOn(await ownServers(), 'a connection to a $name of its own', ({ flavour }) => {
  describe('with certificates', () => {
    let folder: string;
    let server: MysqlServer;
    const file = (name: string) => join(folder, name);

    /** A certificate for this name, by an authority that only this test trusts; the first one makes the authority. */
    function certify(name: string): void {
      const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
      const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
      if (!existsSync(file('ca.pem'))) {
        openssl('req', '-x509', ...key, '-subj', '/CN=authority', '-keyout', 'ca.key', '-out', 'ca.pem');
      }
      openssl(
        ...['req', '-x509', ...key, '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`],
        ...['-CA', 'ca.pem', '-CAkey', 'ca.key', '-keyout', 'server.key', '-out', 'server.pem'],
      );
    }
    const at = (host: string) => server.url().replace('127.0.0.1', host);
    /** On a connection without TLS. */
    async function say(text: string): Promise<void> {
      const plain = new MysqlDatabase(definition(server.url()));
      await plain.query({ strings: [text], values: [] });
      await plain.close();
    }

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'waybill-tls-'));
      certify('localhost');
      const settings = { 'ssl-cert': file('server.pem'), 'ssl-key': file('server.key'), 'ssl-ca': file('ca.pem') };
      server = await startMysql({ flavour, settings });
    }, 120_000);
    afterAll(async () => {
      await server.stop();
      await rm(folder, { recursive: true });
    });

    test('is encrypted where tls: is given, to the server that the URL names', async () => {
      expect(await ask(at('localhost'), { ca: file('ca.pem') })).toMatch(/^TLS/);
    });

    test.each([undefined, false])('is not encrypted where tls: is %s', async (tls) => {
      expect(await ask(server.url(), tls)).toBe('');
    });

    test('is refused where nobody known has signed the certificate, and says where to name the authority', async () => {
      await expect(ask(at('localhost'), true)).rejects.toMatchObject({
        name: 'UnreachableError',
        message: expect.stringMatching(/^cannot connect to warehouse: .*certificate/) as string,
        next: "name the file of the authority that signed the server's certificate: tls: { ca: FILE } of connection warehouse",
      });
    });

    test('is refused where another authority than the given one has signed it', async () => {
      const other = await mkdtemp(join(tmpdir(), 'waybill-tls-other-'));
      execFileSync(
        'openssl',
        [
          ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
          ...['-subj', '/CN=another', '-keyout', 'ca.key', '-out', 'ca.pem'],
        ],
        { cwd: other, stdio: 'pipe' },
      );
      await expect(ask(at('localhost'), { ca: join(other, 'ca.pem') })).rejects.toMatchObject({
        name: 'UnreachableError',
        message: expect.stringMatching(/^cannot connect to warehouse: .*certificate/) as string,
        next: expect.stringContaining('tls: { ca: FILE }') as string,
      });
      await rm(other, { recursive: true });
    });

    test('wants a name where there is a certificate to compare it with', async () => {
      await expect(ask(server.url(), true)).rejects.toMatchObject({
        name: 'ConfigurationError',
        message: "the URL of warehouse gives an address: TLS checks the server's name",
      });
    });

    test('says that it has to be encrypted, where the server insists on it', async () => {
      await say('set global require_secure_transport = on');
      try {
        await expect(ask(server.url())).rejects.toMatchObject({
          name: 'UnreachableError',
          // MariaDB denies access, and says no more.
          next:
            flavour === 'MySQL'
              ? 'the server takes encrypted connections only: write tls: true under connection warehouse'
              : 'check user and password in the URL of connection warehouse; if it takes encrypted connections only, write tls: true there',
        });
        expect(await ask(at('localhost'), { ca: file('ca.pem') })).toMatch(/^TLS/);
      } finally {
        const encrypted = new MysqlDatabase(definition(at('localhost'), { ca: file('ca.pem') }));
        await encrypted.query(sql`set global require_secure_transport = off`);
        await encrypted.close();
      }
    });

    // The last one: the server shows that certificate from now on.
    test('is refused where the certificate is for another host', async () => {
      certify('other.example');
      await say(flavour === 'MySQL' ? 'alter instance reload tls' : 'flush ssl');
      await expect(ask(at('localhost'), { ca: file('ca.pem') })).rejects.toMatchObject({
        name: 'UnreachableError',
        message: expect.stringMatching(
          /^cannot connect to warehouse: Hostname\/IP does not match certificate/,
        ) as string,
        next: "write the host in the URL of connection warehouse as the server's certificate names it",
      });
    });
  });

  /** As the server itself says it: a real one of such a cluster needs no other to have these settings. */
  const CLUSTER: Record<MysqlFlavour, { settings: Record<string, string>; what: RegExp }> = {
    MySQL: {
      settings: {
        'plugin-load-add': 'group_replication.so',
        'loose-group-replication-group-name': 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa',
        'loose-group-replication-single-primary-mode': 'OFF',
        'loose-group-replication-start-on-boot': 'OFF',
      },
      what: /the server is part of a multi-primary group, whose servers do not share locks$/,
    },
    MariaDB: {
      settings: { 'wsrep-on': 'ON', 'binlog-format': 'ROW' },
      what: /the server is part of a Galera cluster, whose servers do not share locks$/,
    },
  };

  test('is refused where several servers take writes', async () => {
    const { settings, what } = CLUSTER[flavour];
    const server = await startMysql({ flavour, settings });
    try {
      await expect(ask(server.url())).rejects.toMatchObject({
        name: 'ConfigurationError',
        message: expect.stringMatching(what) as string,
        where: 'connection warehouse',
        next: 'give the URL of a server that alone takes writes (asynchronous replicas of it do no harm)',
      });
      if (flavour === 'MariaDB') return;
      const client = await createConnection(server.url());
      await client.query('set global group_replication_single_primary_mode = on');
      await client.end();
      expect(await ask(server.url())).toBe(''); // one writer: a server like any other
    } finally {
      await server.stop();
    }
  });
});

test.each([
  [{}, false],
  [{ wsrep_on: 'OFF' }, false],
  [{ group_replication_group_name: '', group_replication_single_primary_mode: 'OFF' }, false],
  [{ group_replication_group_name: 'aaaa', group_replication_single_primary_mode: 'ON' }, false],
  [{ group_replication_group_name: 'aaaa', group_replication_single_primary_mode: 'OFF' }, true],
])('knows clusters of several writers by their variables: %j', (variables, refused) => {
  expect(clusterRefusal(new Map(Object.entries(variables as Record<string, string>))) !== undefined).toBe(refused);
});

test.each([
  ['8.0.16', 'MySQL', '8.0.16'],
  ['8.0.36-28', 'MySQL', '8.0.36'],
  ['8.4.0-log', 'MySQL', '8.4.0'],
  ['9.7.0', 'MySQL', '9.7.0'],
  ['10.6.0-MariaDB', 'MariaDB', '10.6.0'],
  ['5.5.5-10.11.6-MariaDB-0+deb12u1-log', 'MariaDB', '10.11.6'],
  ['11.4.2-MariaDB', 'MariaDB', '11.4.2'],
])('knows a server by its version: %s', (text, flavour, version) => {
  expect(factsByVersion(text)).toMatchObject({ flavour, version });
});

test.each([
  ['5.7.44', 'MySQL 5.7.44', 'use MySQL 8.0.16 or later'],
  ['8.0.11', 'MySQL 8.0.11', 'use MySQL 8.0.16 or later'],
  ['8.0.11-TiDB-v7.5.1', 'MySQL 8.0.11', 'use MySQL 8.0.16 or later'],
  ['8.0.15-log', 'MySQL 8.0.15', 'use MySQL 8.0.16 or later'],
  ['7.9.99', 'MySQL 7.9.99', 'use MySQL 8.0.16 or later'],
  ['something else', 'MySQL something else', 'use MySQL 8.0.16 or later'],
  ['5.5.5-10.5.9-MariaDB', 'MariaDB 10.5.9', 'use MariaDB 10.6 or later'],
  ['5.5.68-MariaDB', 'MariaDB 5.5.68', 'use MariaDB 10.6 or later'],
  ['10.5.26-MariaDB', 'MariaDB 10.5.26', 'use MariaDB 10.6 or later'],
])('refuses one that is too old: %s', (text, called, next) => {
  expect(() => factsByVersion(text)).toThrow(
    expect.objectContaining({ name: 'ConfigurationError', message: `the server is ${called}, which is too old`, next }),
  );
});

test.each(['multipleStatements=true', 'flags=LOCAL_FILES', 'ssl=x'])('takes no parameter in a URL: %s', (parameter) => {
  expect(() => new MysqlDatabase(definition(`mysql://u:secret@h/d?${parameter}`))).toThrow(
    /^the URL of warehouse has a parameter, \w+: none is known there$/,
  );
});

describeOn(await mysqlServers(), 'a session on $name', ({ url }) => {
  test('is the first that asks what the server is, or knows it from the one that was', async () => {
    const database = new MysqlDatabase(definition(url));
    // Two questions, of which the server counts one as a SELECT.
    const counted = sql`show session status where variable_name in ('Com_select', 'Com_show_variables')`;
    const asked = async (session: Pick<Session, 'query'>): Promise<number> => {
      const { rows } = await session.query<{ Value: string }>(counted);
      return rows.reduce((sum, { Value }) => sum + Number(Value), 0);
    };
    const sessions: Session[] = [];
    try {
      sessions.push(await database.openSession('first'));
      expect(await asked(sessions[0]!)).toBe(2);
      sessions.push(await database.openSession('second'));
      sessions.push(await database.openSession('a reader', { reading: true }), await database.openAside('aside'));
      for (const session of sessions.slice(1)) expect(await asked(session)).toBe(0);
      expect(await asked(database)).toBe(0);
    } finally {
      for (const session of sessions) await session.close();
      await database.close();
    }
  });

  test('is refused through a proxy that gives connections numbers of its own: by those others would be ended', async () => {
    const greeted = new Set<Buffer>();
    const proxy = await Proxy.create(url, (bytes) => {
      // Sequence 0, protocol 10, the version up to its NUL; then the number.
      if (bytes[3] === 0 && bytes[4] === 10) {
        const at = bytes.indexOf(0, 5) + 1;
        bytes.writeUInt32LE(bytes.readUInt32LE(at) + 7, at);
        greeted.add(bytes);
      }
      return [bytes];
    });
    const database = new MysqlDatabase(definition(proxy.url));
    await expect(database.query(sql`select 1`)).rejects.toMatchObject({
      name: 'ConfigurationError',
      message: expect.stringMatching(/another number for this connection .* a proxy stands between/) as string,
    });
    expect(greeted.size).toBeGreaterThan(0);
    await database.close();
    await proxy.close();
  });

  test('has no setting of session_params by which the server would read other texts than were sent', async () => {
    const connection = await createConnection(url);
    const ask = async (text: string): Promise<RowDataPacket[]> => (await connection.query<RowDataPacket[]>(text))[0];
    const names = await ask(
      `show session variables where variable_name like 'character\\_set%' or variable_name like 'collation%'`,
    );
    const harmful: string[] = [];
    for (const name of names.map((row) => String(row['Variable_name']))) {
      await ask('set names utf8mb4');
      const value = name.startsWith('collation') ? 'latin1_swedish_ci' : 'latin1';
      const set = await ask(`set session ${name} = ${value}`).catch(() => undefined); // some are the server's alone
      const [row] = await ask(`select hex('Ω') as text`);
      if (set && row!['text'] !== 'CEA9') harmful.push(name);
    }
    await connection.end();
    expect(harmful).toContain('collation_connection');
    expect(harmful.filter((name) => whyNotSet(name) === undefined)).toEqual([]);
  });
});
