import { rm } from 'node:fs/promises';
import type { Pair } from '../acquisition.ts';
import { SkippedError, TIMES_MORE, type Bench, type Benchmark, type Measured } from '../benchmark.ts';
import { compileWaybill, startCompiledWorker } from '../compiled-worker.ts';
import { withEnds, type Source, type Warehouse } from '../ends.ts';
import { flightsProject, Loads } from '../project.ts';
import { alternate, type Side } from '../rounds.ts';

/** What a fresh worker does, and what is to be seen of it in the warehouse. */
interface Work {
  pair: Pair;
  loads: string[];
  /** Throws when not every flight arrived. */
  prove(source: Source, warehouse: Warehouse, rows: number): Promise<void>;
}

/** The peak of a fresh worker that does it with 10,000,000 flights, against one that does it with the usual 3,000,000. */
async function measure(bench: Bench, work: Work): Promise<Measured> {
  if (process.platform !== 'linux') throw new SkippedError('the peak of a process is read from /proc');
  const program = await compileWaybill();
  const loads = await Loads.connect(bench.servers);
  try {
    const took = await alternate(bench, {
      ours: peakOf(bench, work, program, loads, Math.round(bench.rows * TIMES_MORE)),
      reference: peakOf(bench, work, program, loads, bench.rows),
    });
    return { ...took, unit: 'MB' };
  } finally {
    await loads.close();
  }
}

function peakOf({ servers, lanes }: Bench, work: Work, program: string, loads: Loads, rows: number): Side {
  return {
    run: () =>
      withEnds(servers, work.pair, async (source, warehouse) => {
        const folder = await flightsProject({ lanes, chunkRows: 50_000 });
        try {
          await source.fill(rows);
          await warehouse.make();
          const worker = startCompiledWorker(program, servers, folder, {
            source: source.url,
            warehouse: warehouse.url,
          });
          try {
            for (const load of work.loads) await loads.run(load);
            const peak = await worker.peakMb();
            await work.prove(source, warehouse, rows);
            return peak;
          } finally {
            await worker.stop();
          }
        } finally {
          await rm(folder, { recursive: true });
        }
      }),
    result: () => Promise.resolve('whole'), // or `run` would have thrown
  };
}

const VALUES = {
  source: 'flight_id, date, delay, distance, origin, destination',
  core: 'flight_id, departs_at, delay_minutes, distance_miles, origin, destination',
};

const acquireAndLoad: Work = {
  pair: ['postgres', 'postgres'],
  loads: ['acquisition.airport', 'acquisition.flight', 'core.flight'],
  prove: async (source, warehouse) => {
    const found = await warehouse.checksum('core.flight', VALUES.core);
    const wanted = await source.checksum('public.flight', VALUES.source);
    if (found !== wanted) throw new Error(`core.flight has ${found}, the source ${wanted}`);
  },
};

/** The bytes of each row pass through the worker's own hands: between families, and between servers of MySQL's. */
const acquireAlone = (...pair: Pair): Work => ({
  pair,
  loads: ['acquisition.flight'],
  prove: async (_, warehouse, rows) => {
    // Sums of two families cannot be compared; the cases of acquire.ts have compared the rows.
    const found = await warehouse.checksum('acq.flight', 'flight_id');
    if (!found.startsWith(`${rows} rows,`)) throw new Error(`acq.flight has ${found}, the source ${rows}`);
  },
});

/** One measurement, and two things to be said of it: with more rows hardly more memory, and never much. */
const measured = new WeakMap<Bench, Promise<Measured>>();
const measureOnce = (bench: Bench): Promise<Measured> => {
  const result = measured.get(bench) ?? measure(bench, acquireAndLoad);
  measured.set(bench, result);
  return result;
};

export const workerMemory: Benchmark[] = [
  {
    name: 'worker-memory',
    what: 'peak memory of a worker, acquisition and core load of 10,000,000 flights; of 3,000,000',
    aim: 1.2,
    aimOn: 'ratio',
    measure: measureOnce,
  },
  {
    name: 'worker-memory-in-all',
    what: 'the same, in MB',
    aim: 300,
    aimOn: 'ours',
    measure: measureOnce,
  },
  ...[
    acquireAlone('mysql', 'postgres'),
    acquireAlone('postgres', 'mysql'),
    acquireAlone('mysql', 'mysql'),
    acquireAlone('mariadb', 'mariadb'),
  ].map((work): Benchmark => ({
    name: `worker-memory-${work.pair.join('-')}`,
    servers: work.pair,
    what: 'peak memory of a worker, acquisition of 10,000,000 flights; of 3,000,000',
    aim: 300,
    aimOn: 'ours',
    measure: (bench) => measure(bench, work),
  })),
];
