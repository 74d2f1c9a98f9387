import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseOptions } from '../../examples/flights/demo/options.ts';
import { oneOfEachFamily } from '../every-server.ts';

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

const ofMysql = oneOfEachFamily(import.meta.url).filter(({ name }) => !name.startsWith('PostgreSQL'));

describe.each(ofMysql)('the demo into a $name', ({ name }) => {
  it('loads all flights, and proves it', { timeout: 400_000 }, async () => {
    const demo = startDemo('--warehouse', name.split(' ')[0]!.toLowerCase(), '--flights', '20000');
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
  it.each(['SIGINT', 'SIGTERM'] as const)('leaves no port behind when %s interrupts it', async (signal) => {
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
  });
});
