import type { Bench, Benchmark, Measured } from '../benchmark.ts';
import { loop } from '../loop.ts';
import { projectOf, startProject, waybillYaml } from '../project.ts';
import { alternate, seconds } from '../rounds.ts';
import { checksum, freshDatabase } from '../servers.ts';

export const LANES = 8;
/** Rows of a range: what pupdate's users did with 98 million ids. */
export const STEP = 5;
export const RANGES = 100_000;

export const FILES = {
  'loads/task/vehicle.yaml': `
kind: task
connection: warehouse
range: { of: core.vehicle.id, step: ${STEP} }
sql: update core.vehicle set seen = seen + 1 where id >= :from and id < :to
`,
};

const TABLES = `
  create schema core; create schema bare;
  create table core.vehicle (id bigint primary key, seen int not null) with (fillfactor = 50);
  create table bare.vehicle (like core.vehicle including all) with (fillfactor = 50);
`;

/** What the task does, range by range. */
export function updatesOf(table: string, ranges: number): string[] {
  return Array.from(
    { length: ranges },
    (_, i) => `update ${table} set seen = seen + 1 where id >= ${i * STEP + 1} and id < ${(i + 1) * STEP + 1}`,
  );
}

/** Milliseconds a range, from the start of the task until it is published; the same updates over as many connections. */
const measureOf =
  (ranges: number) =>
  async (bench: Bench): Promise<Measured> => {
    const warehouse = await freshDatabase(bench.servers);
    const { client, url } = warehouse;
    const fill = async (table: string): Promise<void> => {
      await client.query(`truncate ${table}`);
      await client.query(`insert into ${table} select generate_series(1, ${ranges * STEP}), 0`);
      await client.query(`vacuum analyze ${table}`);
    };
    try {
      await client.query(TABLES);
      const folder = await projectOf({ 'waybill.yaml': waybillYaml(LANES), ...FILES });
      const project = await startProject(bench.servers, folder, { warehouse: url });
      const statements = updatesOf('bare.vehicle', ranges);
      try {
        const took = await alternate(bench, {
          ours: {
            prepare: () => fill('core.vehicle'),
            run: async () => ((await project.loads.run('task.vehicle')).seconds('start', 'publish') * 1000) / ranges,
            result: () => checksum(client, 'core.vehicle', 'id, seen'),
          },
          reference: {
            prepare: () => fill('bare.vehicle'),
            run: async () => ((await seconds(() => loop(url, statements, LANES))) * 1000) / ranges,
            result: () => checksum(client, 'bare.vehicle', 'id, seen'),
          },
        });
        return { ...took, unit: 'ms' };
      } finally {
        await project.close();
      }
    } finally {
      await warehouse.drop();
    }
  };

export const taskSmallRanges: Benchmark = {
  name: 'task-small-ranges',
  what: '100,000 ranges of 5 updates each on 8 lanes, ms a range; a loop over 8 connections that keeps no ledger',
  aim: 2,
  aimOn: 'ratio',
  measure: measureOf(RANGES),
};

/** A thousand ranges a second, however few there are. */
export const taskFewRanges: Benchmark = {
  name: 'task-1000-ranges',
  what: 'the same with 1,000 ranges',
  aim: 1,
  aimOn: 'ours',
  measure: measureOf(1_000),
};
