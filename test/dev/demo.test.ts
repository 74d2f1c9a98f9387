import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseOptions } from '../../examples/flights/demo/options.ts';

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

describe('the demo', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('leaves no port behind when %s interrupts it', async (signal) => {
    const demo = spawn(process.execPath, ['--import', 'tsx', 'examples/flights/demo.ts'], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TEMPORAL_ADDRESS: '' },
    });
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
