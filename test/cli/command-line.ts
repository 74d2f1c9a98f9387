/** The command line for tests: inside this process, or as a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { Writable } from 'node:stream';
import { expect } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
import { main } from '../../src/cli/program.ts';
import type { World } from '../engine/world.ts';
import { compiledCli } from '../servers.ts';

export interface Answer {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** What a command of this world's project finds in its environment. */
export function environment(world: World): NodeJS.ProcessEnv {
  return {
    ...world.env,
    TEMPORAL_ADDRESS: world.address,
    TEMPORAL_NAMESPACE: world.namespace,
    WAYBILL_UI: 'http://ui',
  };
}

/** Runs a command inside this process, in the world's project folder. */
export async function waybill(world: World, ...argv: string[]): Promise<Answer> {
  return world.names.outOf(await run(argv, { env: environment(world), cwd: world.directory }));
}

/** Runs a command inside this process. Whatever it says is looked through for what must never be said. */
export async function run(argv: string[], at: { env?: NodeJS.ProcessEnv; cwd?: string } = {}): Promise<Answer> {
  const [stdout, stderr] = [new Collected(), new Collected()];
  const io: Io = {
    stdout,
    stderr,
    env: at.env ?? {},
    cwd: at.cwd ?? '/',
    onInterrupt: () => () => undefined,
  };
  const exitCode = await main(argv, io);
  const answer = { exitCode, stdout: stdout.text, stderr: stderr.text };
  expectDecent(answer, io.env);
  return answer;
}

export interface Spawned {
  child: ChildProcess;
  /** What it has said so far, on both streams. */
  said: () => string;
  answer: Promise<Answer>;
}

/** Starts a command as a process of its own, in the world's project. */
export function spawnWaybill(world: World, argv: string[], env: NodeJS.ProcessEnv = environment(world)): Spawned {
  const spawned = spawnCli([compiledCli()], ['--project', world.directory, ...argv], { env });
  world.processes.push(spawned.child);
  return spawned;
}

/** Starts the command line as a process: `program` is what node is given, the compiled one, and its options. */
export function spawnCli(
  program: string[],
  argv: string[],
  { env, cwd }: { env: NodeJS.ProcessEnv; cwd?: string },
): Spawned {
  const child = spawn(process.execPath, [...program, ...argv], { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr] = [new Collected(), new Collected()];
  child.stdout.pipe(stdout);
  child.stderr.pipe(stderr);
  const answer = new Promise<Answer>((resolve, reject) =>
    child.on('close', (code) => {
      const said = { exitCode: code ?? -1, stdout: stdout.text, stderr: stderr.text };
      try {
        expectDecent(said, env);
        resolve(said);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    }),
  );
  return { child, answer, said: () => stdout.text + stderr.text };
}

/** No stack trace, no password. */
function expectDecent({ stdout, stderr }: Answer, env: NodeJS.ProcessEnv): void {
  const said = stdout + stderr;
  expect(said).not.toMatch(/^\s+at .*[(:]/m);
  for (const name of ['SOURCE_URL', 'WAREHOUSE_URL']) {
    const password = env[name] === undefined ? '' : new URL(env[name]).password;
    if (password !== '') expect(said).not.toContain(password);
  }
}

/** The JSON document of an answer: its last line on standard output. */
export function document(answer: Answer): unknown {
  return JSON.parse(answer.stdout.trimEnd().split('\n').at(-1)!);
}

class Collected extends Writable {
  text = '';

  override _write(chunk: Buffer | string, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
