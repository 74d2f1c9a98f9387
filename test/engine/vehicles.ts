/** The small project of the tests of tasks: a table of vehicles, whose rows count how often each was updated. */
import { expect } from 'vitest';
import type { World, WorldOptions } from './world.ts';

export const TASK = 'task.vehicle';

export interface VehiclesOptions {
  /** `range:`, as it stands in the file. */
  range?: string;
  /** Text added to the task's file. */
  yaml?: string;
  /** The SQL instead of `COUNTING`. */
  sql?: string;
  lanes?: number;
  files?: Record<string, string>;
  /** More SQL for the warehouse. */
  warehouse?: string;
}

/** Updates a range; that of the vehicle `core.settings.broken` fails for good. `core.ran` has a line for each that was done. */
export const COUNTING = `
update core.vehicle set seen = seen + 1 / (case when id = (select broken from core.settings) then 0 else 1 end)
where id >= :from and id < :to;
insert into core.ran (batch_id, first_id) values (:batch_id, :from)`;

/** Vehicles 1 to `n`. */
export function VEHICLES(n: number, options: VehiclesOptions = {}): WorldOptions {
  return {
    files: {
      'loads/task/vehicle.yaml': `
kind: task
connection: warehouse
range: ${options.range ?? '{ of: core.vehicle.id, step: 10 }'}
sql: vehicle.sql
lanes: ${options.lanes ?? 2}
${options.yaml ?? ''}`,
      'loads/task/vehicle.sql': options.sql ?? COUNTING,
      ...options.files,
    },
    warehouse: `
      create schema core;
      create table core.vehicle (id bigint primary key, seen int not null default 0);
      insert into core.vehicle (id) select g from generate_series(1, ${n}) g;
      create table core.ran (batch_id bigint, first_id bigint);
      create table core.settings (broken bigint);
      insert into core.settings values (0);
      ${options.warehouse ?? ''}`,
  };
}

/** 600 rows of 9,000 characters each out of two ranges: more of each than the ledger keeps in one piece. `yaml`: where they go. */
export const LONG_ROWS = (yaml: string): WorldOptions =>
  VEHICLES(600, {
    range: '{ of: core.vehicle.id, step: 300 }',
    sql: `select v.id, substring(repeat(v.id::text, 9000), 1, 9000) as long_text
          from core.vehicle v where v.id >= :from and v.id < :to order by v.id`,
    yaml,
  });

export const breakAt = async (world: World, id: number): Promise<void> => {
  await world.warehouse.query(`update core.settings set broken = ${id}`);
};

/** Every vehicle was updated once. */
export async function expectSeenOnce(world: World): Promise<void> {
  expect(await world.rows('select id, seen from core.vehicle where seen <> 1')).toEqual([]);
}

/** The ranges of a batch in the ledger. */
export async function rangesOf(world: World, batchId: string): Promise<string[]> {
  const rows = await world.rows<{ range_from: string; range_to: string }>(
    'select range_from, range_to from waybill.chunk where batch_id = $1 order by stage, n',
    [batchId],
  );
  return rows.map(({ range_from: from, range_to: to }) => `${from} – ${to}`);
}

/** First ids of the ranges that a batch did, in order. */
export async function ranOf(world: World, batchId: string): Promise<number[]> {
  const rows = await world.rows<{ first_id: string }>(
    'select first_id from core.ran where batch_id = $1 order by first_id',
    [batchId],
  );
  return rows.map((row) => Number(row.first_id));
}

/** What the ledger says of the task's batches. */
export const batchesOf = (
  world: World,
): Promise<{ batch_id: string; state: string; reprocess_of: string | null; error_class: string | null }[]> =>
  world.rows('select batch_id, state, reprocess_of, error_class from waybill.batch order by batch_id');
