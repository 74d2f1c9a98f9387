/** `npm run bench`: what Waybill costs beyond bare SQL. `-- --help` says what it can; docs/benchmarks.md says how. */
import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { ConfigurationError } from '../src/errors.ts';
import { SkippedError, type Bench, type Benchmark } from './benchmark.ts';
import { acquirePairs } from './cases/acquire.ts';
import { acquireAgainstTools } from './cases/acquire-tools.ts';
import { claimOverhead } from './cases/claim-overhead.ts';
import {
  coreAgainstLoop50k,
  coreAgainstLoop5k,
  coreAgainstOneInsert,
  largeAgainstLoop,
  largeAgainstOneInsert,
} from './cases/core-load.ts';
import { killedWorker } from './cases/kill.ts';
import { onMysql } from './cases/mysql.ts';
import { rollBackAgainstDelete } from './cases/roll-back.ts';
import { taskFewRanges, taskSmallRanges } from './cases/task.ts';
import { tenRows } from './cases/ten-rows.ts';
import { workerMemory } from './cases/worker-memory.ts';
import { command } from './command.ts';
import { HELP, parseOptions, type BenchOptions } from './options.ts';
import { machine, resultOf, say, table, type Result } from './report.ts';
import { startServers } from './servers.ts';

const CASES: Benchmark[] = [
  coreAgainstOneInsert,
  coreAgainstLoop50k,
  coreAgainstLoop5k,
  largeAgainstOneInsert,
  largeAgainstLoop,
  rollBackAgainstDelete,
  tenRows,
  claimOverhead,
  taskSmallRanges,
  taskFewRanges,
  killedWorker,
  ...workerMemory,
  ...onMysql('mysql'),
  ...onMysql('mariadb'),
  ...acquirePairs,
  ...acquireAgainstTools,
];

/** The cases that the options mean. @throws ConfigurationError when there is none. */
function chosen({ only, servers }: BenchOptions): Benchmark[] {
  const cases = CASES.filter(
    ({ name, servers: needed = ['postgres'] }) =>
      (only.length === 0 || only.includes(name)) &&
      (servers.length === 0 || needed.every((server) => servers.includes(server))),
  );
  if (cases.length > 0) return cases;
  throw new ConfigurationError(`${only.join(', ')} is no case of ${servers.join(', ')} alone.`, {
    next: `There are: ${CASES.map(({ name }) => name).join(', ')}`,
  });
}

/** Runs the cases one after the other. True when none broke. */
async function runAll(cases: Benchmark[], options: BenchOptions): Promise<boolean> {
  const servers = await startServers();
  const results: Result[] = [];
  const broken: string[] = [];
  try {
    const bench: Bench = { servers, rows: options.rows, rounds: options.rounds, lanes: options.lanes };
    say(machine(servers));
    for (const benchmark of cases) {
      say(`${benchmark.name}: ${benchmark.what} (load average ${loadavg()[0]!.toFixed(1)})`);
      try {
        results.push(resultOf(benchmark, await benchmark.measure(bench)));
      } catch (error) {
        if (error instanceof SkippedError) say(`skipped: ${error.message}`);
        else {
          broken.push(benchmark.name);
          say(`BROKEN: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
        }
      }
    }
  } finally {
    await servers.stop();
  }
  console.log(table(results));
  for (const name of broken) console.log(`${name}: broken`);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`);
  return broken.length === 0;
}

const names = CASES.map(({ name }) => name);

process.exit(
  await command(
    (args) => parseOptions(args, names),
    HELP,
    (options) => runAll(chosen(options), options),
  ),
);
