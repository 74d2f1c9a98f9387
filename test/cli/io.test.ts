/** Signals as a process of its own hears them, and a terminal that goes from under it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compiledCli } from '../servers.ts';

/** Compiled, as an installed Waybill has it. */
const MODULE = join(compiledCli(), '../io.js');

let folder: string;
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'waybill-io-'))));
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true });
});

const linesOf = async (name: string): Promise<string[]> =>
  (await readFile(join(folder, name), 'utf8').catch(() => '')).split('\n').slice(0, -1);

/** Waits until so many lines stand in a file of the folder. */
async function lines(name: string, count: number): Promise<string[]> {
  for (;;) {
    const found = await linesOf(name);
    if (found.length >= count) return found;
    await sleep(50);
  }
}

/** Writes which signals it hears into `heard`, after its number; SIGTERM ends it with 3. `once`: it listens for one alone. */
const listener = (listens: 'always' | 'once'): string => `
  import { appendFileSync } from 'node:fs';
  import { processIo } from ${JSON.stringify(MODULE)};
  const write = (text) => appendFileSync(${JSON.stringify(join(folder, 'heard'))}, text + '\\n');
  const off = processIo.onInterrupt((signal) => {
    write(signal);
    if (${listens === 'once'}) off();
    if (signal === 'SIGTERM') process.exit(3);
  }, true);
  write(process.pid);
  setInterval(() => undefined, 1000);`;

const start = (command: string, args: string[], env = process.env): ChildProcess => {
  const child = spawn(command, args, { stdio: 'ignore', env });
  children.push(child);
  return child;
};

const listening = async (listens: 'always' | 'once' = 'always'): Promise<ChildProcess> => {
  const child = start(process.execPath, ['--input-type=module', '--eval', listener(listens)]);
  await lines('heard', 1);
  return child;
};

/** Longer than one key press is heard twice. */
const send = async (pid: number, ...signals: NodeJS.Signals[]): Promise<void> => {
  for (const signal of signals) {
    process.kill(pid, signal);
    await sleep(400);
  }
};

describe('what ends a process', () => {
  test.each([
    ['a terminal that closes after a Ctrl-C is no second one', ['SIGINT', 'SIGHUP'], ['SIGINT']],
    ['a terminal that closes is heard once, however often it is said', ['SIGHUP', 'SIGHUP', 'SIGHUP'], ['SIGHUP']],
    ['a Ctrl-C after another one is a second one', ['SIGINT', 'SIGINT'], ['SIGINT', 'SIGINT']],
  ] as [string, NodeJS.Signals[], NodeJS.Signals[]][])('%s; SIGTERM is always heard', async (_, sent, heard) => {
    const child = await listening();
    await send(child.pid!, ...sent, 'SIGTERM');
    expect((await linesOf('heard')).slice(1)).toEqual([...heard, 'SIGTERM']);
    expect(child.exitCode).toBe(3);
  });

  test('is no terminal that closes while what was asked for is done, though nobody listens any more', async () => {
    const child = await listening('once');
    await send(child.pid!, 'SIGINT', 'SIGHUP');
    expect([child.exitCode, child.signalCode]).toEqual([null, null]);
    expect((await linesOf('heard')).slice(1)).toEqual(['SIGINT']);
  });

  test('is SIGHUP, not a core dump, where it leaves at once and its terminal is gone', async () => {
    const node = `'${process.execPath}' --input-type=module --eval "$PROGRAM"; echo $? > ${join(folder, 'status')}`;
    const terminal = start('script', ['--quiet', '--command', `trap : HUP; ${node}`, '/dev/null'], {
      ...process.env,
      ...{ SHELL: '/bin/sh', PROGRAM: listener('always') },
    });
    const [pid] = await lines('heard', 1);
    terminal.kill('SIGKILL');
    await once(terminal, 'exit');
    await send(Number(pid), 'SIGHUP', 'SIGTERM'); // not every kernel says so itself
    expect((await linesOf('heard')).slice(1)).toEqual(['SIGHUP', 'SIGTERM']);
    expect(await lines('status', 1)).toEqual(['129']);
  });
});
