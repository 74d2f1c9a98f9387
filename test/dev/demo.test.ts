import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseOptions } from '../../examples/flights/demo/options.ts';
import { freePort } from '../../src/dev/free-port.ts';
import { oneOfEachFamily } from '../every-server.ts';
import { describeOn, freshMysqlDatabase, mysqlServers } from '../mysql-servers.ts';
import { oneOf } from '../seed.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return once(socket, 'connect').then(
    () => {
      socket.destroy();
      return true;
    },
    () => false,
  );
}

describe("the demo's arguments", () => {
  it('are all flights, nothing kept, nothing killed', () => {
    expect(parseOptions([])).toEqual({
      ...{ help: false, keep: false, stop: false, crash: false },
      warehouse: undefined,
      flights: 3_000_000,
    });
  });

  it.each([
    [['--crash', '--keep'], /do not go together/],
    [['--flights', '0'], /whole number from 1 to 3000000/],
    [['--flights', 'many'], /whole number/],
    [['--warehouse', 'oracle://localhost/x'], /postgres:\/\/, mysql:\/\/ or mariadb:\/\/ URL/],
    [['--warehouse', 'mysql', '--keep'], /that server ends with the demo/],
    [['--kepe'], /Unknown option '--kepe'/],
  ])('%j is refused', (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
  });
});

/** As a process of its own, as people start it, with servers of its own. */
const startDemo = (...args: string[]) =>
  spawn(process.execPath, ['--import', 'tsx', 'examples/flights/demo.ts', ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TEMPORAL_ADDRESS: '' },
  });

const chosen = oneOfEachFamily(import.meta.url);
const ofMysql = (await mysqlServers()).filter(({ name }) => chosen.some((one) => one.name === name));

// `.ci/run` has it by the server's word, and killed.
describeOn(ofMysql, 'the demo into the URL of a $name', (server) => {
  it('loads all flights, and proves it', { timeout: 400_000 }, async () => {
    const demo = startDemo('--warehouse', (await freshMysqlDatabase(server)).url, '--flights', '20000');
    let said = '';
    for (const stream of [demo.stdout, demo.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()));
    const [exitCode] = (await once(demo, 'close')) as [number];
    expect(exitCode, said).toBe(0);
    expect(said.match(/✓/g), said).toHaveLength(5);
    expect(said).not.toContain('✗');
    expect(said).toContain('✓ every flight of the source is in core.flight: 20,000 and 20,000');
  });
});

describe('the demo', () => {
  it.each(oneOf(['postgres', 'mysql'], import.meta.url))(
    'says which %s server does not answer, and no password',
    async (scheme) => {
      const port = await freePort();
      const demo = startDemo('--warehouse', `${scheme}://somebody:secret@127.0.0.1:${port}/x`);
      let said = '';
      for (const stream of [demo.stdout, demo.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()));
      const [exitCode] = (await once(demo, 'close')) as [number];
      expect(said.split('\n').slice(-3)).toEqual([
        expect.stringMatching(
          `s  cannot connect to the database 127.0.0.1:${port}/x: connect ECONNREFUSED 127.0.0.1:${port}$`,
        ),
        '         next:  start that server, or correct the URL',
        '',
      ]);
      expect(exitCode).toBe(5);
      expect(said).not.toContain('secret');
    },
  );

  it.each(oneOf(['SIGINT', 'SIGTERM'] as const, 'signals'))(
    'leaves no port behind when %s interrupts it',
    async (signal) => {
      const demo = startDemo();
      demo.stderr.pipe(process.stderr);
      const ports: number[] = [];
      for await (const line of createInterface(demo.stdout)) {
        ports.push(
          ...[...line.matchAll(/PostgreSQL \S+ on port (\d+), Temporal on \S+:(\d+)/g)].flatMap((m) => [
            Number(m[1]),
            Number(m[2]),
          ]),
        );
        if (ports.length > 0 && !demo.killed) {
          expect(await Promise.all(ports.map(listens))).toEqual([true, true]);
          demo.kill(signal);
        }
      }
      expect(demo.exitCode ?? (await once(demo, 'exit'))[0]).toBe(3);
      expect(await Promise.all(ports.map(listens))).toEqual([false, false]);
    },
  );
});
