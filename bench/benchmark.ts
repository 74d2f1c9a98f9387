import type { Servers } from './servers.ts';

/** What cases run on; without a choice, all. */
export const SERVERS = ['postgres', 'mysql', 'mariadb'] as const;
export type ServerName = (typeof SERVERS)[number];

/** What a case is given. */
export interface Bench {
  servers: Servers;
  /** Flights of the big cases. */
  rows: number;
  /** How often each side runs; medians count. */
  rounds: number;
  /** Lanes of a load, and connections of a bare loop. */
  lanes: number;
}

/** The medians of both sides, in one unit. */
export interface Measured {
  ours: number;
  reference: number;
  unit: 's' | 'ms' | 'MB';
}

/** The large cases have 10,000,000 flights where the others have 3,000,000. */
export const TIMES_MORE = 10 / 3;

/** One case: what Waybill takes, and what bare SQL takes for the same work. */
export interface Benchmark {
  /** Stable: people compare runs by it. */
  name: string;
  /** What it compares on; `--server` has to name all of them. Default: PostgreSQL alone. */
  servers?: readonly ServerName[];
  /** What is compared with what, in one line. */
  what: string;
  /** The most that it should be. */
  aim: number;
  /** Whether the aim is meant for ours / reference, or for ours in its unit. */
  aimOn: 'ratio' | 'ours';
  /** Throws when the two sides did not make the same rows. */
  measure(bench: Bench): Promise<Measured>;
}

/** This machine cannot run a case (a program is missing): no failure, and no number. */
export class SkippedError extends Error {
  override readonly name = 'SkippedError';
}
