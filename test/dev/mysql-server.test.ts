import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { expect, it } from 'vitest';
import { startMysql } from '../../src/dev/mysql-server.ts';
import { isAlive } from '../../src/dev/server-process.ts';
import { describeOn, ownServers } from '../mysql-servers.ts';
import { compiledCli } from '../servers.ts';

/** Compiled, as an installed Waybill has it. */
const MODULE = join(compiledCli(), '../../dev/mysql-server.js');

async function gone(server: { pid: number; directory: string }): Promise<void> {
  await expect
    .poll(() => ({ alive: isAlive(server.pid), directory: existsSync(server.directory) }), { timeout: 15_000 })
    .toEqual({ alive: false, directory: false });
}

// One of the two starts in a third of the time, by the same code.
const MARIADB = (await ownServers()).filter(({ flavour }) => flavour === 'MariaDB');

describeOn(MARIADB, 'a temporary server ($name)', () => {
  it('answers on loopback, to its password only, reads no files of the machine, and leaves nothing when it stops', async () => {
    const server = await startMysql({ flavour: 'MariaDB', settings: { 'max-connections': '17' } });
    const connection = await createConnection(server.url('mysql'));
    const [[row]] = await connection.query<RowDataPacket[]>(
      `select @@bind_address as address, @@max_connections as connections, load_file('/etc/hostname') as file,
              substring_index(version(), '-', 1) as version, @@tmpdir as temporary`,
    );
    const temporary = join(server.directory, 'tmp'); // what others keep in theirs, a MariaDB would remove when it starts
    expect(row).toEqual({ address: '127.0.0.1', connections: 17, file: null, version: server.version, temporary });
    const [users] = await connection.query<RowDataPacket[]>(
      `select count(*) as n from global_priv where user in ('', 'root') and host in ('127.0.0.1', 'localhost', '%')
         and json_value(priv, '$.authentication_string') not like '*%'`,
    );
    expect(users).toEqual([{ n: 0 }]);
    await connection.end();
    const url = new URL(server.url());
    url.password = '';
    await expect(createConnection(url.href)).rejects.toThrow(/Access denied/);
    await server.stop();
    await gone(server);
    await server.stop(); // harmless
  });

  it('ends with the process that started it, even by SIGKILL', async () => {
    const script = `import { startMysql } from ${JSON.stringify(MODULE)};
      const { pid, directory } = await startMysql({ flavour: 'MariaDB' });
      process.stdout.write(JSON.stringify({ pid, directory }) + '\\n');
      setInterval(() => undefined, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    for await (const piece of parent.stdout) {
      said += String(piece);
      if (said.includes('\n')) break;
    }
    const server = JSON.parse(said) as { pid: number; directory: string };
    expect(isAlive(server.pid)).toBe(true);
    parent.kill('SIGKILL');
    await gone(server);
  });
});
