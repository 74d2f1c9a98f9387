/** `npm run demo:mot`: vehicles and their tests, copied by tasks into another database, twice; then compared with plain SQL. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startMysql } from '../../src/dev/mysql-server.ts';
import { ConfigurationError, EXIT, LoadFailedError, WaybillError } from '../../src/errors.ts';
import { allowed } from '../flights/connect.ts';
import { withDatabase, type DemoDatabase } from '../flights/demo/database.ts';
import { number, say } from '../flights/demo/terminal.ts';
import { changeSource, fillSource } from './fill-source.ts';
import { markUnchanged, prove, unmark } from './proof.ts';

const HELP = `Vehicles, their tests, and why they were rejected: delta loads by tasks, from one MySQL database into another.

  npm run demo:mot                       start a MySQL, load, change the source, load what changed, compare
  npm run demo:mot -- --server mariadb   the same on MariaDB
  npm run demo:mot -- --server URL       on a server of yours, which must not have the databases mot and mot_copy
  npm run demo:mot -- --vehicles N       how many vehicles there are (20000), with two tests each
  npm run demo:mot -- --seed N           other vehicles

Exit codes are those of waybill: 0 done and compared, 1 a load failed or the comparison did, 2 an argument or the server's set-up is
wrong, 5 the server cannot be reached, or lets that user not in.`;

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const MOST_VEHICLES = 50_000_000;

interface Options {
  help: boolean;
  server: string;
  vehicles: number;
  seed: number;
}

function parseOptions(args: string[]): Options {
  const options = {
    help: { type: 'boolean' },
    server: { type: 'string' },
    vehicles: { type: 'string' },
    seed: { type: 'string' },
  } as const;
  let values;
  try {
    ({ values } = parseArgs({ args, options }));
  } catch (error) {
    throw new ConfigurationError((error as Error).message, { next: 'npm run demo:mot -- --help' });
  }
  const { help = false, server = 'mysql' } = values;
  const [vehicles, seed] = [Number(values.vehicles ?? 20_000), Number(values.seed ?? 1)];
  if (!Number.isInteger(vehicles) || vehicles < 1 || vehicles > MOST_VEHICLES) {
    throw new ConfigurationError(
      `--vehicles must be a whole number from 1 to ${MOST_VEHICLES}, not ${values.vehicles}.`,
    );
  }
  if (!Number.isSafeInteger(seed)) throw new ConfigurationError(`--seed must be a whole number, not ${values.seed}.`);
  if (!/^(mysql|mariadb|(mysql|mariadb):\/\/.+)$/.test(server)) {
    throw new ConfigurationError('--server must be mysql, mariadb, or a mysql:// or mariadb:// URL.');
  }
  return { help, server, vehicles, seed };
}

async function demo(options: Options): Promise<void> {
  const started = /:/.test(options.server)
    ? undefined
    : await startMysql({ flavour: options.server === 'mariadb' ? 'MariaDB' : 'MySQL', onProgress: say });
  const urlOf = (database: string): string => {
    if (started) return started.url(database);
    const url = new URL(options.server);
    url.pathname = `/${database}`;
    return url.href;
  };
  try {
    await makeDatabases(urlOf(''));
    await withDatabase(urlOf('mot'), async (mot) => {
      await mot.run(await readFile(`${FOLDER}schema/mot.sql`, 'utf8'));
      await fillSource(mot, options);
      say(`Filled mot: ${number(options.vehicles)} vehicles`);
    });
    await withDatabase(urlOf('mot_copy'), async (copy) => {
      await copy.run(await readFile(`${FOLDER}schema/mot_copy.sql`, 'utf8'));
      await load(urlOf('mot_copy'));
      await show(copy);
      await withDatabase(urlOf('mot'), (mot) => changeSource(mot, options));
      say('A day later: plates, a name, results of tests have changed, and tests have come');
      const marked = await markUnchanged(copy);
      await load(urlOf('mot_copy'));
      await showMarks(copy, marked);
      await show(copy);
    });
  } finally {
    await started?.stop();
  }
}

function makeDatabases(url: string): Promise<void> {
  const make = (server: DemoDatabase) => server.run('create database mot; create database mot_copy');
  const next = 'give a server that does not have them, or drop them: the demo fills its own';
  return withDatabase(url, (server) => allowed(url, 'make mot and mot_copy', next, () => make(server)));
}

/** `waybill dev --run nightly`: Temporal and a worker for this one run. */
async function load(url: string): Promise<void> {
  say('waybill dev --run nightly');
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', main, '--project', FOLDER, 'dev', '--run', 'nightly'], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, MOT_COPY_URL: url },
  });
  const [exitCode] = (await once(child, 'exit')) as [number | null];
  if (exitCode !== 0) throw new LoadFailedError(`waybill dev --run nightly ended with exit code ${exitCode}.`);
}

/** Rows that had not changed were marked: whoever looks at all rows again writes the marks over. */
async function showMarks(copy: DemoDatabase, marked: Record<string, number>): Promise<void> {
  const tables = await unmark(copy, marked);
  for (const { table, left, lost } of tables) {
    say(
      lost === 0
        ? `✓ ${table}: ${number(left)} rows had not changed, and were left alone`
        : `✗ ${table}: ${number(lost)} rows had not changed, and were written again`,
    );
  }
  if (tables.some(({ lost }) => lost !== 0)) throw new LoadFailedError('The second load took more than what changed.');
}

async function show(copy: DemoDatabase): Promise<void> {
  const proofs = await prove(copy);
  for (const { table, rows, wrong } of proofs) {
    say(
      `${wrong === 0 ? '✓' : '✗'} ${table}: ${number(rows)} rows${wrong === 0 ? ', as plain SQL makes them' : `, ${number(wrong)} of them wrong`}`,
    );
  }
  if (proofs.some(({ wrong }) => wrong > 0)) throw new LoadFailedError('The copy is not what plain SQL makes.');
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) console.log(HELP);
  else await demo(options);
} catch (error) {
  if (!(error instanceof WaybillError)) throw error;
  console.error(`demo:mot: ${error.message}${error.next === undefined ? '' : `\n  next: ${error.next}`}`);
  process.exitCode = error.exitCode ?? EXIT.failed;
}
