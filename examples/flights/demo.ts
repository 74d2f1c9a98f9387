/** `npm run demo`: three million flights, from nothing to a warehouse that is proved right. `-- --help` says what it can. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, LoadFailedError, WaybillError } from '../../src/errors.ts';
import { cleanUpAtTheEnd } from './demo/clean-up.ts';
import type { CleanUp } from './demo/clean-up.ts';
import { killInTheMiddle } from './demo/crash.ts';
import { KEPT_FOLDER, readKept, stopKept, stopKeptWorker, writeKept } from './demo/kept.ts';
import type { Kept } from './demo/kept.ts';
import { HELP, parseOptions } from './demo/options.ts';
import type { DemoOptions } from './demo/options.ts';
import { prove } from './demo/proof.ts';
import { startServers } from './demo/servers.ts';
import type { DemoServers } from './demo/servers.ts';
import { number, say, sayForNow, table } from './demo/terminal.ts';
import { startWorker, waybillLive, workerPolls } from './demo/waybill.ts';
import { ask, batchesSince, lastBatch, makeTables, makeViews, reach } from './demo/warehouse.ts';
import { addNewFlights, fillSource } from './fill-source.ts';

/** Flights that each further run with `--keep` brings. */
const NEW_FLIGHTS = 20_000;
/** How long an interrupted run may take to settle when everything that it used is gone. */
const SETTLE_MS = 5_000;

async function demo(options: DemoOptions, cleanUp: CleanUp): Promise<void> {
  if (options.warehouse?.includes('://')) await reach(options.warehouse);
  const kept: Kept = options.keep ? await readKept() : { runs: 0 };
  await stopKeptWorker(kept);
  const servers = await startServers(options, kept, cleanUp);
  await makeTables(servers.warehouseUrl);

  const logs = options.keep ? KEPT_FOLDER : await temporaryLogs(cleanUp);
  const startOne = (name: string) => startWorker(servers.environment, logs, name, options.keep);
  const worker = await startOne('worker');
  if (options.keep) await remember(kept, servers, worker.pid);
  else await cleanUp.add('the worker', () => worker.stop());

  await Promise.all([fill(options, servers, kept.runs), workerPolls(servers.environment, worker)]);
  say(`A worker polls (process ${worker.pid})`);
  await makeViews(servers.warehouseUrl);

  const before = await lastBatch(servers.warehouseUrl);
  say('waybill run nightly');
  const session = waybillLive(servers.environment, 'run', 'nightly');
  await cleanUp.add('waybill run', () => Promise.resolve(session.stop()));
  if (options.crash) {
    let over = false;
    void session.ended.then(() => (over = true));
    const { done, all } = await killInTheMiddle(servers.warehouseUrl, worker.pid, () => over);
    say(
      `SIGKILL to the worker (process ${worker.pid}): ${done} of ${all} chunks of the core load were done at the kill`,
    );
    const another = await startOne('another-worker');
    await cleanUp.add('the other worker', () => another.stop());
    say(`Started another worker (process ${another.pid})`);
  }
  const exitCode = await session.ended;
  console.log(`\n${table(await batchesSince(servers.warehouseUrl, before))}\n`);
  if (exitCode !== 0) throw new LoadFailedError(`waybill run nightly ended with exit code ${exitCode}.`);

  await showProof(servers);
  if (options.keep) await writeKept({ ...(await readKept()), runs: kept.runs + 1 });
  showWhereItIs(options, servers);
}

/** The first time the whole source; each further time, with `--keep`, a new day. */
async function fill(options: DemoOptions, { sourceUrl }: DemoServers, runs: number): Promise<void> {
  const [there] = await ask<{ filled: boolean }>(sourceUrl, `select to_regclass('flight') is not null as filled`);
  if (there!.filled) {
    const { flights, day } = await addNewFlights(sourceUrl, NEW_FLIGHTS, runs);
    say(`A new day in the source: ${number(flights)} flights of ${day}`);
    return;
  }
  const filled = await fillSource(sourceUrl, {
    flights: options.flights,
    onProgress: (flights) => sayForNow(`Filling the source: ${number(flights)} flights`),
  });
  say(`Filled the source: ${number(filled.flights)} flights, ${number(filled.airports)} airports`);
}

async function remember(kept: Kept, { postgres, temporal }: DemoServers, workerPid: number): Promise<void> {
  const port = (address: string): number => Number(address.split(':').at(-1));
  await writeKept({
    runs: kept.runs,
    postgres: { port: postgres.port },
    ...(temporal.pid === undefined || temporal.uiUrl === undefined
      ? {}
      : {
          temporal: {
            pid: temporal.pid,
            address: temporal.address,
            port: port(temporal.address),
            uiPort: port(temporal.uiUrl),
          },
        }),
    worker: { pid: workerPid },
  });
}

async function showProof({ sourceUrl, warehouseUrl }: DemoServers): Promise<void> {
  const proofs = await prove(sourceUrl, warehouseUrl);
  say('Proved with plain SQL:');
  for (const { claim, holds, found } of proofs) console.log(`         ${holds ? '✓' : '✗'} ${claim}: ${found}`);
  if (proofs.some(({ holds }) => !holds)) throw new LoadFailedError('The warehouse is not what the source is.');
}

function showWhereItIs(options: DemoOptions, { temporal, sourceUrl, warehouseUrl }: DemoServers): void {
  const ui =
    temporal.uiUrl === undefined
      ? `your server, ${temporal.address}`
      : `${temporal.uiUrl}/namespaces/${temporal.namespace}/workflows`;
  say(`Temporal UI: ${ui}`);
  if (!options.keep) {
    console.log('         Everything stops now; `npm run demo -- --keep` leaves it up to look at.');
    return;
  }
  console.log(`         Left up. To use \`npm run waybill -- --project examples/flights …\` on it:
           export SOURCE_URL='${sourceUrl}'
           export WAREHOUSE_URL='${warehouseUrl}'${temporal.external ? '' : `\n           export TEMPORAL_ADDRESS=${temporal.address}`}
         Again with new flights: npm run demo -- --keep      Stop: npm run demo -- --stop`);
}

async function temporaryLogs(cleanUp: CleanUp): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-demo-'));
  await cleanUp.add('the logs', () => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function stop(): Promise<void> {
  const stopped = await stopKept();
  say(stopped.length === 0 ? 'Nothing was up' : `Stopped ${stopped.join(', ')}. The data is in ${KEPT_FOLDER}.`);
}

async function main(): Promise<number> {
  const cleanUp = cleanUpAtTheEnd();
  let running: Promise<void> = Promise.resolve();
  try {
    const options = parseOptions(process.argv.slice(2));
    if (options.help) console.log(HELP);
    else if (options.stop) await stop();
    else await Promise.race([(running = demo(options, cleanUp)), cleanUp.interruption]);
    return EXIT.done;
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    say(error.message);
    if (error.where !== undefined) console.error(`         where: ${error.where}`);
    if (error.next !== undefined) console.error(`         next:  ${error.next}`);
    return error.exitCode;
  } finally {
    await cleanUp.run();
    // What was being started when we were interrupted: it ends itself when it is up.
    await Promise.race([running.catch(() => undefined), sleep(SETTLE_MS, undefined, { ref: false })]);
  }
}

process.exit(await main());
