import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { systemPostgres15 } from '../../src/dev/postgres-binaries.ts';
import { SkippedError, type Bench, type Benchmark, type Measured } from '../benchmark.ts';
import { fillFlights, makeWarehouse, settle } from '../flights.ts';
import { flightsProject, startProject } from '../project.ts';
import { alternate, seconds } from '../rounds.ts';
import { checksum, freshDatabase, type BenchDatabase } from '../servers.ts';

const VALUES = 'flight_id, date, delay, distance, origin, destination, recorded_at';
const OUT = `copy (select ${VALUES}, 1::bigint from public.flight) to stdout (format binary)`;
const IN = `copy bare.landed (${VALUES}, batch_id) from stdin (format binary)`;

/** The example's acquisition of flights from its start to publish, against one pipe between two psql. */
async function acquisition(bench: Bench, lanes: number): Promise<Measured> {
  const psql = await findPsql();
  const { servers } = bench;
  const source = await freshDatabase(servers);
  const warehouse = await freshDatabase(servers);
  try {
    await fillFlights(source, bench.rows);
    await makeWarehouse(warehouse);
    const folder = await flightsProject({ lanes, chunkRows: 50_000 });
    const project = await startProject(servers, folder, { source: source.url, warehouse: warehouse.url });
    try {
      const { client } = warehouse;
      const took = await alternate(bench, {
        ours: {
          prepare: async () => {
            // A window that was taken back is read again.
            await client.query(`truncate acq.flight; update waybill.batch set state = 'retracted'`);
            await settle(client);
          },
          run: async () => (await project.loads.run('acquisition.flight')).seconds('start', 'publish'),
          result: () => checksum(client, 'acq.flight', VALUES),
        },
        reference: {
          prepare: async () => {
            await client.query('truncate bare.landed');
            await settle(client);
          },
          run: () => seconds(() => pipe(psql, source, warehouse)),
          result: () => checksum(client, 'bare.landed', VALUES),
        },
      });
      return { ...took, unit: 's' };
    } finally {
      await project.close();
    }
  } finally {
    await Promise.all([source.drop(), warehouse.drop()]);
  }
}

/** `psql COPY TO | psql COPY FROM`, joined by the shell: no byte passes through this process. */
async function pipe(psql: string, source: BenchDatabase, warehouse: BenchDatabase): Promise<void> {
  const run = `"$PSQL" -X -q -v ON_ERROR_STOP=1`;
  const child = spawn('sh', ['-c', `${run} -c "$OUT" "$SOURCE" | ${run} -c "$IN" "$WAREHOUSE"`], {
    env: { ...process.env, PSQL: psql, OUT, IN, SOURCE: source.url, WAREHOUSE: warehouse.url },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`psql ended with ${code}`);
}

/** The program itself where that is known: Debian's /usr/bin/psql is a script that looks for it first. */
async function findPsql(): Promise<string> {
  const directory = systemPostgres15();
  const psql = directory === undefined ? 'psql' : join(directory, 'psql');
  const child = spawn(psql, ['--version'], { stdio: 'ignore' });
  const found = await once(child, 'exit').then(
    ([code]) => code === 0,
    () => false,
  );
  if (!found) throw new SkippedError('there is no psql here');
  return psql;
}

export const acquisitionAgainstCopyPipe: Benchmark = {
  name: 'acquisition-copy-pipe',
  what: 'acquisition of the flights, start to publish; psql COPY TO | psql COPY FROM, binary, one pipe',
  aim: 1.15,
  aimOn: 'ratio',
  measure: (bench) => acquisition(bench, bench.lanes),
};

export const oneLaneAgainstCopyPipe: Benchmark = {
  name: 'acquisition-one-lane-copy-pipe',
  what: 'the same with one lane: one stream against one pipe',
  aim: 1.15,
  aimOn: 'ratio',
  measure: (bench) => acquisition(bench, 1),
};
