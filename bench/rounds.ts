import type { Bench } from './benchmark.ts';
import { processorTime, used } from './processor-time.ts';
import { say } from './report.ts';

/** One side of a comparison. Only `run` is timed. */
export interface Side {
  /** Brings the tables into the state that `run` starts from. */
  prepare?(): Promise<void>;
  /** Does the work; what it took, in the unit of the case. */
  run(): Promise<number>;
  /** A checksum of what `run` made. */
  result(): Promise<string>;
}

/** Fewer say too little on a machine that does other things besides. */
export const LEAST_ROUNDS = 3;

/**
 * Runs both sides in turn, the first one changing with each round, so that whatever else the machine does meets both.
 * Gives the median of each side; throws when the sides made different rows. `on`: the servers whose processor time is said.
 */
export async function alternate(
  { rounds, servers }: Pick<Bench, 'rounds' | 'servers'>,
  sides: { ours: Side; reference: Side },
  on: readonly { pid: number }[] = [servers.postgres],
): Promise<{ ours: number; reference: number }> {
  const took = { ours: [] as number[], reference: [] as number[] };
  for (let round = 0; round < Math.max(LEAST_ROUNDS, rounds); round += 1) {
    const order = round % 2 === 0 ? (['ours', 'reference'] as const) : (['reference', 'ours'] as const);
    const made = { ours: '', reference: '' };
    const processors: string[] = [];
    for (const name of order) {
      const side = sides[name];
      await side.prepare?.();
      const before = await processorTime(on);
      took[name].push(await side.run());
      const after = await processorTime(on);
      if (before && after) processors.push(`${name} ${used(before, after)}`);
      made[name] = await side.result();
    }
    if (made.ours !== made.reference) {
      throw new Error(`round ${round + 1} made different rows: ours ${made.ours}, the reference ${made.reference}`);
    }
    const cpu = processors.length > 0 ? ` (processor s, servers + here: ${processors.sort().join(', ')})` : '';
    say(
      `round ${round + 1}: ours ${took.ours.at(-1)!.toFixed(3)}, reference ${took.reference.at(-1)!.toFixed(3)}${cpu}`,
    );
  }
  return { ours: median(took.ours), reference: median(took.reference) };
}

/** The middle value; of an even number, the mean of the two in the middle. */
export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Seconds that `work` takes. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
