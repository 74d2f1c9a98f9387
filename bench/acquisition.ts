import type { Bench, Measured, ServerName } from './benchmark.ts';
import { withEnds, type Source, type Warehouse } from './ends.ts';
import { VALUES } from './flights.ts';
import { flightsProject, startProject } from './project.ts';
import { alternate, seconds } from './rounds.ts';
import { shell } from './tools.ts';

/** From where to where. */
export type Pair = readonly [from: ServerName, to: ServerName];

/** Readies another way to bring the flights into `bare.landed`; what it returns does it once, in so many seconds. */
export type Reference = (source: Source, warehouse: Warehouse) => Promise<() => Promise<number>>;

/** The example's acquisition of flights from its start to publish, against another way into a table like its landing table. */
export function measureAcquisition(
  bench: Bench,
  pair: Pair,
  reference: Reference,
  lanes = bench.lanes,
): Promise<Measured> {
  return withEnds(bench.servers, pair, async (source, warehouse) => {
    await warehouse.make();
    const bare = await reference(source, warehouse); // before anything is filled: it may not be there
    await source.fill(bench.rows);
    const folder = await flightsProject({ lanes, chunkRows: 50_000 });
    const project = await startProject(bench.servers, folder, { source: source.url, warehouse: warehouse.url });
    try {
      // A vacuum that the server starts by itself for what the one side has copied would run beside the other.
      const empty = async (): Promise<void> => {
        for (const table of ['acq.flight', 'bare.landed']) await warehouse.say(`truncate table ${table}`);
      };
      const took = await alternate(
        bench,
        {
          ours: {
            prepare: async () => {
              await empty();
              await warehouse.say(`update waybill.batch set state = 'retracted'`); // so that its window is read again
              await warehouse.settle();
            },
            run: async () => (await project.loads.run('acquisition.flight')).seconds('start', 'publish'),
            result: () => warehouse.checksum('acq.flight', VALUES),
          },
          reference: {
            prepare: async () => {
              await empty();
              await warehouse.settle();
            },
            run: bare,
            result: () => warehouse.checksum('bare.landed', VALUES),
          },
        },
        [source.server, warehouse.server],
      );
      return { ...took, unit: 's' };
    } finally {
      await project.close();
    }
  });
}

/** One pipe between the clients of both databases, joined by the shell. */
export const pipe =
  ([from, to]: Pair): Reference =>
  async (source, warehouse) => {
    const command = `${await source.print(to)} | ${await warehouse.read(from)}`;
    return () => seconds(() => shell(command));
  };
