/** A worker process that freezes (SIGSTOP) at one of its statements, and goes on when the test says so. */
import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { CuttableWay } from './cuttable-way.ts';
import { until, type World } from './world.ts';

/** As in crash/points.ts. */
export type Place = `before ${string} | ${string} | ${string} #${number}`;

export interface Frozen {
  /** It goes on; resolves when it has ended the transaction before which, or in which, it slept. */
  wake(): Promise<void>;
}

export async function freeze(world: World, way: CuttableWay, point: Place, recording: string): Promise<Frozen> {
  const child = world.spawnWorker({
    TEMPORAL_ADDRESS: way.address,
    WAYBILL_STOP_AT: point,
    WAYBILL_RECORD_TO: recording,
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (said: Buffer) => said.includes('stopped') && resolve());
    child.on('exit', () => reject(new Error(`the worker ended before it came to: ${point}`)));
  });
  const said = await readFile(recording, 'utf8');
  return { wake: () => wake(world, child, point.split(' ')[1]!, recording, said.length) };
}

async function wake(
  world: World,
  child: ChildProcess,
  activity: string,
  recording: string,
  from: number,
): Promise<void> {
  child.kill('SIGCONT');
  const end = (world.words.family === 'mysql' && SEVERAL_TRANSACTIONS[activity]) || /^(commit|rollback)/;
  await until(async () => {
    const since = (await readFile(recording, 'utf8')).slice(from).split('\n').slice(0, -1);
    const statements = since.map((line) => JSON.parse(line) as { activity: string; text: string });
    return statements.some((one) => one.activity === activity && end.test(one.text));
  });
  // It was sent: now until it is done. Whoever sleeps in a chunk goes on sleeping.
  await until(async () => (await world.count(world.words.atWork)) === 0);
}

/** The last statement of an activity that needs several transactions there. */
const SEVERAL_TRANSACTIONS: Record<string, RegExp> = { dropSnapshot: /release_lock|^rollback$/ };
