import { availableParallelism } from 'node:os';
import { ConfigurationError } from '../src/errors.ts';
import { nearest } from '../src/sql/names.ts';
import { SERVERS, type ServerName } from './benchmark.ts';
import { argumentsOf } from './command.ts';

export interface BenchOptions {
  help: boolean;
  /** Also written here, as JSON. */
  json: string | undefined;
  /** Only these cases; empty: all. */
  only: string[];
  /** Only the cases that compare on these servers alone; empty: all. */
  servers: ServerName[];
  rows: number;
  rounds: number;
  /** Of a load whose case has no number of its own, and connections of the loop beside it. */
  lanes: number;
}

export const HELP = `Measures Waybill against bare SQL, side by side on one server and in one run.

  npm run bench                        every case
  npm run bench -- --only CASE         only this one (may be given again)
  npm run bench -- --server NAME       only those that need no others of postgres, mysql, mariadb (may be given again)
  npm run bench -- --rows N            flights of the big cases (3,000,000)
  npm run bench -- --rounds N          how often each side runs (3, and never less)
  npm run bench -- --lanes N           lanes of a load, and connections of a loop (as many as processors)
  npm run bench -- --json FILE         writes the results as JSON, too

Ends with 0, aims met or missed; with 1 when a case broke, as it does when the two sides made different rows.`;

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'string' },
  only: { type: 'string', multiple: true },
  server: { type: 'string', multiple: true },
  rows: { type: 'string' },
  rounds: { type: 'string' },
  lanes: { type: 'string' },
} as const;

/** @throws ConfigurationError when the arguments make no sense. */
export function parseOptions(args: string[], cases: string[]): BenchOptions {
  const values = argumentsOf(args, OPTIONS, HELP);
  for (const name of values.only ?? []) {
    if (cases.includes(name)) continue;
    throw unknown('case', name, cases);
  }
  return {
    help: values.help === true,
    json: values.json,
    only: values.only ?? [],
    servers: (values.server ?? []).map(serverName),
    rows: wholeNumber('--rows', values.rows, 3_000_000),
    rounds: wholeNumber('--rounds', values.rounds, 3),
    lanes: wholeNumber('--lanes', values.lanes, availableParallelism()),
  };
}

export function serverName(name: string): ServerName {
  const found = SERVERS.find((server) => server === name);
  if (found === undefined) throw unknown('server', name, SERVERS);
  return found;
}

function unknown(what: string, name: string, all: readonly string[]): ConfigurationError {
  const near = nearest(name, all);
  return new ConfigurationError(`there is no ${what} ${name}.`, {
    next: near === undefined ? `There are: ${all.join(', ')}` : `Did you mean ${near}?`,
  });
}

export function wholeNumber(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text.replaceAll(/[_,]/g, ''));
  if (Number.isInteger(value) && value > 0) return value;
  throw new ConfigurationError(`${option} must be a whole number above 0, not ${text}.`);
}
