import { TIMES_MORE, type Bench, type Benchmark, type Measured } from '../benchmark.ts';
import { bareCore, fillLanded, FLIGHT_VALUES, makeWarehouse, settle } from '../flights.ts';
import { loop, pageRanges } from '../loop.ts';
import { flightsProject, startProject } from '../project.ts';
import { alternate, seconds } from '../rounds.ts';
import { checksum, freshDatabase, type BenchDatabase } from '../servers.ts';

interface Options {
  /** More flights than `--rows` says, so many times. Default 1. */
  times?: number;
  chunkRows: number;
  /** The flights in one statement, or in a loop over as many connections as the load has lanes. */
  against: 'one insert' | 'loop';
}

/** The example's core load from the snapshot to publish, checks left out, against the same statements alone. */
async function coreLoad(bench: Bench, { chunkRows, against, times = 1 }: Options): Promise<Measured> {
  const { servers, lanes } = bench;
  const warehouse = await freshDatabase(servers);
  try {
    await makeWarehouse(warehouse);
    await fillLanded(warehouse, Math.round(bench.rows * times));
    const project = await startProject(servers, await flightsProject({ lanes, chunkRows }), {
      warehouse: warehouse.url,
    });
    try {
      const { client } = warehouse;
      const took = await alternate(bench, {
        ours: {
          prepare: () => land(warehouse),
          run: async () => (await project.loads.run('core.flight')).seconds('takeSnapshot', 'publish'),
          result: () => checksum(client, 'core.flight', FLIGHT_VALUES),
        },
        reference: {
          prepare: () => land(warehouse),
          run: () => seconds(() => runBare(warehouse, against === 'loop' ? { lanes, chunkRows } : undefined)),
          result: () => checksum(client, 'bare.flight', FLIGHT_VALUES),
        },
      });
      return { ...took, unit: 's' };
    } finally {
      await project.close();
    }
  } finally {
    await warehouse.drop();
  }
}

/** What either side makes: a vacuum that the server starts by itself for rows of the one would run beside the other. */
const MADE = 'core.flight, core.airport, bare.flight, bare.airport';

/**
 * Everything has just arrived. Before the reference, too, which reads other tables: behind a gigabyte that was just written a loop of
 * 10,000,000 flights needs a tenth more of the processor, or more than that.
 */
async function land({ client }: BenchDatabase): Promise<void> {
  await client.query(`
    truncate ${MADE}, acq.flight, acq.airport;
    insert into acq.flight table bare.landed;
    insert into acq.airport table bare.landed_airport`);
  await settle(client, 'acq.flight', 'acq.airport');
}

async function runBare({ url, client }: BenchDatabase, cut?: { lanes: number; chunkRows: number }): Promise<void> {
  const { airports, flights } = await bareCore();
  await client.query(airports);
  const ranges = cut ? await pageRanges(client, 'bare.landed', cut.chunkRows) : [undefined];
  await loop(url, ranges.map(flights), cut?.lanes ?? 1);
}

export const coreAgainstOneInsert: Benchmark = {
  name: 'core-load-one-insert',
  what: 'core load of the flights, snapshot to publish, chunks of 50,000; one bare INSERT … SELECT',
  aim: 0.71,
  aimOn: 'ratio',
  measure: (bench) => coreLoad(bench, { chunkRows: 50_000, against: 'one insert' }),
};

export const coreAgainstLoop50k: Benchmark = {
  name: 'core-load-loop-50k',
  what: 'core load of the flights, snapshot to publish, chunks of 50,000; a bare loop of the same lanes and chunks',
  aim: 1.1,
  aimOn: 'ratio',
  measure: (bench) => coreLoad(bench, { chunkRows: 50_000, against: 'loop' }),
};

export const largeAgainstOneInsert: Benchmark = {
  name: 'core-load-one-insert-10m',
  what: 'core load of 10,000,000 flights, chunks of 50,000; one bare INSERT … SELECT',
  aim: 0.71,
  aimOn: 'ratio',
  measure: (bench) => coreLoad(bench, { chunkRows: 50_000, against: 'one insert', times: TIMES_MORE }),
};

export const largeAgainstLoop: Benchmark = {
  name: 'core-load-loop-50k-10m',
  what: 'the same; a bare loop of the same lanes and chunks',
  aim: 1.1,
  aimOn: 'ratio',
  measure: (bench) => coreLoad(bench, { chunkRows: 50_000, against: 'loop', times: TIMES_MORE }),
};

export const coreAgainstLoop5k: Benchmark = {
  name: 'core-load-loop-5k',
  what: 'the same, chunks of 5,000',
  aim: 1.2,
  aimOn: 'ratio',
  measure: (bench) => coreLoad(bench, { chunkRows: 5_000, against: 'loop' }),
};
