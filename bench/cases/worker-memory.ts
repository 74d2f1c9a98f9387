import { rm } from 'node:fs/promises';
import { SkippedError, TIMES_MORE, type Bench, type Benchmark, type Measured } from '../benchmark.ts';
import { compileWaybill, startCompiledWorker } from '../compiled-worker.ts';
import { fillFlights, makeWarehouse } from '../flights.ts';
import { flightsProject, Loads } from '../project.ts';
import { alternate, type Side } from '../rounds.ts';
import { checksum, freshDatabase } from '../servers.ts';

/** The peak of a fresh worker that acquires and loads 10,000,000 flights, against one that does the usual 3,000,000. */
async function measure(bench: Bench): Promise<Measured> {
  if (process.platform !== 'linux') throw new SkippedError('the peak of a process is read from /proc');
  const program = await compileWaybill();
  const loads = await Loads.connect(bench.servers);
  try {
    const took = await alternate(bench, {
      ours: peakOf(bench, program, loads, Math.round(bench.rows * TIMES_MORE)),
      reference: peakOf(bench, program, loads, bench.rows),
    });
    return { ...took, unit: 'MB' };
  } finally {
    await loads.close();
  }
}

function peakOf(bench: Bench, program: string, loads: Loads, rows: number): Side {
  const { servers, lanes } = bench;
  return {
    run: async () => {
      const source = await freshDatabase(servers);
      const warehouse = await freshDatabase(servers);
      const folder = await flightsProject({ lanes, chunkRows: 50_000 });
      try {
        await fillFlights(source, rows);
        await makeWarehouse(warehouse);
        const worker = startCompiledWorker(program, servers, folder, { source: source.url, warehouse: warehouse.url });
        try {
          for (const load of ['acquisition.airport', 'acquisition.flight', 'core.flight']) await loads.run(load);
          const peak = await worker.peakMb();
          const found = await checksum(warehouse.client, 'core.flight', VALUES.core);
          const wanted = await checksum(source.client, 'flight', VALUES.source);
          if (found !== wanted) throw new Error(`core.flight has ${found}, the source ${wanted}`);
          return peak;
        } finally {
          await worker.stop();
        }
      } finally {
        await Promise.all([source.drop(), warehouse.drop(), rm(folder, { recursive: true })]);
      }
    },
    result: () => Promise.resolve('whole'), // or `run` would have thrown
  };
}

const VALUES = {
  source: 'flight_id, date, delay, distance, origin, destination',
  core: 'flight_id, departs_at, delay_minutes, distance_miles, origin, destination',
};

export const workerMemory: Benchmark = {
  name: 'worker-memory',
  what: 'peak memory of a worker, acquisition and core load of 10,000,000 flights; of 3,000,000',
  aim: 1.2,
  aimOn: 'ratio',
  measure,
};
