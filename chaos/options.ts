import { randomBytes } from 'node:crypto';
import type { ServerName } from '../bench/benchmark.ts';
import { argumentsOf } from '../bench/command.ts';
import { serverName, wholeNumber } from '../bench/options.ts';

export interface ChaosOptions {
  help: boolean;
  minutes: number;
  seed: string;
  server: ServerName;
}

export const HELP = `Breaks whatever can be broken under a whole project, at random moments, and then compares every table with plain SQL.

  npm run chaos                        five minutes on PostgreSQL
  npm run chaos -- --minutes N         for how long faults happen (5)
  npm run chaos -- --seed S            the faults of an earlier run, in the same order; its first line says its seed
  npm run chaos -- --server NAME       postgres, mysql or mariadb (postgres)

Ends with 0 when no row was lost, none is there twice and nothing was left behind; with 1 otherwise, and then keeps its folder.`;

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  minutes: { type: 'string' },
  seed: { type: 'string' },
  server: { type: 'string' },
} as const;

/** @throws ConfigurationError when the arguments make no sense. */
export function parseOptions(args: string[]): ChaosOptions {
  const values = argumentsOf(args, OPTIONS, HELP);
  return {
    help: values.help === true,
    minutes: wholeNumber('--minutes', values.minutes, 5),
    seed: values.seed ?? randomBytes(4).toString('hex'),
    server: serverName(values.server ?? 'postgres'),
  };
}
