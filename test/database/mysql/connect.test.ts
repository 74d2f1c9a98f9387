import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConnectionDefinition } from '../../../src/config/definition.ts';
import { MysqlDatabase } from '../../../src/database/mysql/database.ts';
import { clusterRefusal } from '../../../src/database/mysql/server-facts.ts';
import { sql } from '../../../src/database/sql.ts';
import { startMysql, type MysqlServer } from '../../../src/dev/mysql-server.ts';
import { describeOn, mysqlServers } from '../../mysql-servers.ts';

const definition = (url: string, tls?: ConnectionDefinition['tls']): ConnectionDefinition => ({
  ...{ name: 'warehouse', url, scheme: 'mysql', maxConnections: 4, controlSchema: 'waybill' },
  ...(tls === undefined ? {} : { tls }),
});

/** What the server answers to one question, over a connection of its own. */
async function ask(url: string, tls?: ConnectionDefinition['tls']): Promise<unknown> {
  const database = new MysqlDatabase(definition(url, tls));
  try {
    return (await database.query(sql`show session status like 'Ssl_version'`)).rows;
  } finally {
    await database.close();
  }
}

// One of the two starts in a third of the time; what is tried here is our side of the connection.
const MARIADB = (await mysqlServers()).filter(({ flavour }) => flavour === 'MariaDB');

describeOn(MARIADB, 'a connection to a server of its own ($name)', () => {
  describe('with certificates', () => {
    let folder: string;
    let server: MysqlServer;
    const file = (name: string) => join(folder, name);

    /** A certificate for this name, by an authority that only this test trusts. */
    function certify(name: string): void {
      const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
      const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
      openssl('req', '-x509', ...key, '-subj', '/CN=authority', '-keyout', 'ca.key', '-out', 'ca.pem');
      openssl(
        ...['req', '-x509', ...key, '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`],
        ...['-CA', 'ca.pem', '-CAkey', 'ca.key', '-keyout', 'server.key', '-out', 'server.pem'],
      );
    }
    const at = (host: string) => server.url().replace('127.0.0.1', host);

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'waybill-tls-'));
      certify('localhost');
      const settings = { 'ssl-cert': file('server.pem'), 'ssl-key': file('server.key'), 'ssl-ca': file('ca.pem') };
      server = await startMysql({ flavour: 'MariaDB', settings });
    });
    afterAll(async () => {
      await server.stop();
      await rm(folder, { recursive: true });
    });

    test('is encrypted where tls: is given, to the server that the URL names', async () => {
      const tls = { ca: file('ca.pem') };
      expect(await ask(at('localhost'), tls)).toEqual([
        { Variable_name: 'Ssl_version', Value: expect.stringMatching(/^TLS/) as string },
      ]);
    });

    test('is refused where nobody known has signed the certificate', async () => {
      await expect(ask(at('localhost'), true)).rejects.toThrow(/cannot connect to warehouse: .*certificate/);
    });

    test('is refused where the certificate is for another host', async () => {
      certify('other.example');
      const direct = new MysqlDatabase(definition(server.url()));
      await direct.query(sql`flush ssl`);
      await direct.close();
      await expect(ask(at('localhost'), { ca: file('ca.pem') })).rejects.toThrow(
        /cannot connect to warehouse: Hostname\/IP does not match certificate/,
      );
    });

    test('wants a name where there is a certificate to compare it with', async () => {
      await expect(ask(server.url(), true)).rejects.toMatchObject({
        name: 'ConfigurationError',
        message: "the URL of warehouse gives an address: TLS checks the server's name",
      });
    });
  });

  test('is refused where the server is part of a Galera cluster', async () => {
    const server = await startMysql({ flavour: 'MariaDB', settings: { 'wsrep-on': 'ON', 'binlog-format': 'ROW' } });
    await expect(ask(server.url())).rejects.toMatchObject({
      name: 'ConfigurationError',
      message:
        'cannot use connection warehouse: the server is part of a Galera cluster, whose servers do not share locks',
      where: 'connection warehouse',
    });
    await server.stop();
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

test.each(['multipleStatements=true', 'flags=LOCAL_FILES', 'ssl=x'])('takes no parameter in a URL: %s', (parameter) => {
  expect(() => new MysqlDatabase(definition(`mysql://u:secret@h/d?${parameter}`))).toThrow(
    /^the URL of warehouse has a parameter, \w+: none is known there$/,
  );
});
