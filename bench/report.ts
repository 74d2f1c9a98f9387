import { availableParallelism, cpus, totalmem } from 'node:os';
import type { Benchmark, Measured } from './benchmark.ts';
import type { Servers } from './servers.ts';

/** One line of `--json`: the contract of DESIGN.md §6. `aim`: the most that `aim_on` should be. */
export interface Result {
  case: string;
  ours: number;
  reference: number;
  unit: Measured['unit'];
  ratio: number;
  aim: number;
  aim_on: 'ratio' | 'ours';
}

const started = performance.now();

/** A line on standard error, after the seconds since the start. */
export function say(message: string): void {
  console.error(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${message}`);
}

export function resultOf({ name, aim, aimOn }: Benchmark, { ours, reference, unit }: Measured): Result {
  const ratio = ours / reference;
  return { case: name, ours: round(ours), reference: round(reference), unit, ratio: round(ratio), aim, aim_on: aimOn };
}

/** Three digits that say something. */
const round = (value: number): number => Number(value.toPrecision(value >= 1000 ? 4 : 3));

export const isMet = (result: Result): boolean => result[result.aim_on] <= result.aim;

export function machine({ postgres }: Servers): string {
  return (
    `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GB, ` +
    `Node ${process.version}, PostgreSQL ${postgres.version}`
  );
}

/** Columns as wide as they must be, numbers to the right. */
export function table(results: Result[]): string {
  const header = ['case', 'ours', 'reference', 'unit', 'ratio', 'aim', ''];
  const lines = results.map((result) => [
    result.case,
    String(result.ours),
    String(result.reference),
    result.unit,
    String(result.ratio),
    result.aim_on === 'ratio' ? `ratio ≤ ${result.aim}` : `ours ≤ ${result.aim} ${result.unit}`,
    isMet(result) ? 'met' : 'missed',
  ]);
  const widths = header.map((name, column) =>
    Math.max(...[header, ...lines].map((cells) => cells[column]!.length), name.length),
  );
  const isNumber = new Set([1, 2, 4]);
  const line = (cells: string[]): string =>
    cells
      .map((cell, i) => (isNumber.has(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [header, ...lines].map(line).join('\n');
}
