import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { endWithUs } from '../src/dev/server-process.ts';
import type { Servers } from './servers.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Compiles Waybill as `npm run build` does, to a folder of the benchmarks' own: the compiler and the bundler, which work
 * inside a worker that runs from source, would hide what a worker itself needs. Returns the program.
 */
export async function compileWaybill(): Promise<string> {
  const folder = join(ROOT, '.waybill', 'bench');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  await run(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')]);
  await cp(join(ROOT, 'migrations'), join(folder, 'migrations'), { recursive: true });
  await cp(join(ROOT, 'package.json'), join(folder, 'package.json'));
  await run(process.execPath, [join(folder, 'dist', 'worker', 'build-bundle.js')]);
  return join(folder, 'dist', 'cli', 'main.js');
}

/** A worker in a process of its own. */
export interface CompiledWorker {
  /** The most memory it has had in use, MB, by the kernel's account. */
  peakMb(): Promise<number>;
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export function startCompiledWorker(
  program: string,
  { temporal }: Servers,
  project: string,
  urls: { source: string; warehouse: string },
): CompiledWorker {
  const child = spawn(process.execPath, [program, '--project', project, 'worker'], {
    env: {
      ...process.env,
      SOURCE_URL: urls.source,
      WAREHOUSE_URL: urls.warehouse,
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: temporal.namespace,
    },
    stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  const watchdog = endWithUs(child.pid!, 'SIGTERM'); // also when somebody kills us
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    child.kill(signal);
    await ended;
    watchdog.dismiss();
  };
  return {
    peakMb: async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) / 1024;
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}
