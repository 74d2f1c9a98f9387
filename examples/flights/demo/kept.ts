import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandLine, isAlive, stopProcess } from '../../../src/dev/server-process.ts';
import { stopPostgres } from '../../../src/dev/postgres-server.ts';
import { stopTemporal } from '../../../src/dev/temporal-server.ts';

/** Where `--keep` keeps: data, logs, and what runs where. */
export const KEPT_FOLDER = fileURLToPath(new URL('../../../.waybill/demo', import.meta.url));
const STATE = join(KEPT_FOLDER, 'state.json');

/** What one run with `--keep` tells the next. */
export interface Kept {
  /** How many runs there were: each adds other flights. */
  runs: number;
  postgres?: { port: number };
  temporal?: { pid: number; address: string; port: number; uiPort: number };
  worker?: { pid: number };
}

export async function readKept(): Promise<Kept> {
  const text = await readFile(STATE, 'utf8').catch(() => '{"runs":0}');
  return JSON.parse(text) as Kept;
}

export async function writeKept(kept: Kept): Promise<void> {
  await mkdir(KEPT_FOLDER, { recursive: true });
  await writeFile(`${STATE}.new`, `${JSON.stringify(kept, undefined, 2)}\n`);
  await rename(`${STATE}.new`, STATE);
}

/** Ends the worker of an earlier run: the project may have changed since it started. */
export async function stopKeptWorker(kept: Kept): Promise<boolean> {
  if (kept.worker === undefined || !isWorker(kept.worker.pid)) return false;
  await stopProcess(kept.worker.pid, [{ signal: 'SIGTERM', waitMs: 15_000 }]);
  return true;
}

/** Ends everything that is still up; what it was, for the reader. The data stays. */
export async function stopKept(): Promise<string[]> {
  const kept = await readKept();
  const stopped: string[] = [];
  if (await stopKeptWorker(kept)) stopped.push('the worker');
  if (kept.temporal !== undefined && (await stopTemporal(kept.temporal.pid))) stopped.push('Temporal');
  const postgres = join(KEPT_FOLDER, 'postgres');
  if (existsSync(postgres) && (await stopPostgres(postgres))) stopped.push('PostgreSQL');
  return stopped;
}

function isWorker(pid: number): boolean {
  return isAlive(pid) && commandLine(pid)?.includes('cli/main.ts') === true;
}
