/** The cases of PostgreSQL that say what the engine itself costs, on MySQL and MariaDB; and how far InnoDB scales with lanes. */
import { bareCore, FLIGHT_VALUES } from '../flights.ts';
import type { Bench, Benchmark, Measured } from '../benchmark.ts';
import { keyRanges, MysqlBench } from '../mysql.ts';
import { flightsProject, projectOf, startProject, waybillYaml } from '../project.ts';
import { alternate, seconds } from '../rounds.ts';
import { CHUNKS, FILES as CLAIM_FILES, LANES } from './claim-overhead.ts';
import { FILES as ROLL_BACK_FILES, ROWS } from './roll-back.ts';
import { FILES as TASK_FILES, LANES as TASK_LANES, RANGES, STEP, updatesOf } from './task.ts';

const CHUNK_ROWS = 50_000;

/** A table of so many numbers, for what is filled by SQL. */
const numbers = (n: number): string => `with recursive s(n) as (select 1 union all select n + 1 from s where n < ${n})`;

type Measure = (bench: Bench, warehouse: MysqlBench) => Promise<Measured>;

/** The rows of the round before are gone, and undone by nobody when a run begins. */
const EMPTY_CORE = 'truncate core.flight; truncate core.airport; truncate bare.flight; truncate bare.airport';

/** `chunkRows` undefined: one insert. */
function bareLoad(warehouse: MysqlBench, { rows, lanes }: Bench, chunkRows: number | undefined) {
  return async (): Promise<void> => {
    const { airports, flights } = await bareCore('.mysql');
    await warehouse.say(airports);
    const ranges = chunkRows === undefined ? [undefined] : keyRanges('ngdw_id', chunkRows, rows);
    await warehouse.loop(ranges.map(flights), chunkRows === undefined ? 1 : lanes);
  };
}

/** Everything has just arrived; before the reference, too (core-load.ts). */
async function land(warehouse: MysqlBench): Promise<void> {
  await warehouse.say(`${EMPTY_CORE}; truncate acq.flight; truncate acq.airport;
    insert into acq.flight select * from bare.landed;
    insert into acq.airport select * from bare.landed_airport`);
  await warehouse.say('analyze table acq.flight, acq.airport');
}

const coreLoad =
  (against: 'one insert' | 'loop', chunkRows = CHUNK_ROWS): Measure =>
  async (bench, warehouse) => {
    await warehouse.fillLanded(bench.servers, bench.rows);
    const folder = await flightsProject({ lanes: bench.lanes, chunkRows });
    const project = await startProject(bench.servers, folder, { warehouse: warehouse.url });
    try {
      const took = await alternate(
        bench,
        {
          ours: {
            prepare: () => land(warehouse),
            run: async () => (await project.loads.run('core.flight')).seconds('takeSnapshot', 'publish'),
            result: () => warehouse.checksum('core.flight', FLIGHT_VALUES),
          },
          reference: {
            prepare: () => land(warehouse),
            run: () => seconds(bareLoad(warehouse, bench, against === 'loop' ? chunkRows : undefined)),
            result: () => warehouse.checksum('bare.flight', FLIGHT_VALUES),
          },
        },
        [warehouse.server],
      );
      return { ...took, unit: 's' };
    } finally {
      await project.close();
    }
  };

/** Both sides are the bare loop, nothing of Waybill. */
const bareLanes: Measure = async (bench, warehouse) => {
  await warehouse.fillLanded(bench.servers, bench.rows);
  const side = (lanes: number) => ({
    prepare: () => warehouse.say(EMPTY_CORE),
    run: () => seconds(bareLoad(warehouse, { ...bench, lanes }, CHUNK_ROWS)),
    result: () => warehouse.checksum('bare.flight', FLIGHT_VALUES),
  });
  const took = await alternate(bench, { ours: side(bench.lanes), reference: side(1) }, [warehouse.server]);
  return { ...took, unit: 's' };
};

const ORDERS = `
  create database acq; create database core;
  create table acq.orders (id bigint not null primary key, customer varchar(40), amount decimal(12,2));
  insert into acq.orders
    ${numbers(ROWS)} select n, concat('customer ', n % 9973), n / 3 from s;
  create table bare.older (id bigint, customer varchar(40), amount decimal(12,2), batch_id bigint not null, primary key (batch_id, id));
  insert into bare.older select id, customer, amount, 0 from acq.orders;
  create table core.orders like bare.older;
  create table bare.orders like bare.older`;

const ORDER_VALUES = 'id, customer, amount, batch_id';

const fillOlder = (warehouse: MysqlBench, table: string): Promise<void> =>
  warehouse.say(`truncate ${table}; insert into ${table} select * from bare.older`);

/** The rows that a bare DELETE takes, beside as many older ones. */
async function fillForDelete(warehouse: MysqlBench): Promise<void> {
  await fillOlder(warehouse, 'bare.orders');
  await warehouse.say('insert into bare.orders select id, customer, amount, 1 from bare.older');
}

/** As on PostgreSQL (roll-back.ts); the outputs have the key that the example's have. */
const rollBack: Measure = async (bench, warehouse) => {
  await warehouse.say(ORDERS);
  const folder = await projectOf({ 'waybill.yaml': waybillYaml(bench.lanes), ...ROLL_BACK_FILES });
  const project = await startProject(bench.servers, folder, { warehouse: warehouse.url });
  try {
    const took = await alternate(
      bench,
      {
        ours: {
          prepare: () => fillOlder(warehouse, 'core.orders'),
          run: async () => (await project.loads.run('core.order', { fails: true })).seconds('fenceBatch', 'rollBack'),
          result: () => warehouse.checksum('core.orders', ORDER_VALUES),
        },
        reference: {
          prepare: () => fillForDelete(warehouse),
          run: () => seconds(() => warehouse.say('delete from bare.orders where batch_id = 1')),
          result: () => warehouse.checksum('bare.orders', ORDER_VALUES),
        },
      },
      [warehouse.server],
    );
    return { ...took, unit: 's' };
  } finally {
    await project.close();
  }
};

/** Both sides are bare: the DELETE that the roll back is measured against, cut along the key and on lanes, and in one. */
const bareDeleteLanes: Measure = async (bench, warehouse) => {
  await warehouse.say(ORDERS);
  const side = (ranges: (string | undefined)[], lanes: number) => ({
    prepare: () => fillForDelete(warehouse),
    run: () =>
      seconds(() =>
        warehouse.loop(
          ranges.map((range) => `delete from bare.orders where batch_id = 1${range ? ` and ${range}` : ''}`),
          lanes,
        ),
      ),
    result: () => warehouse.checksum('bare.orders', ORDER_VALUES),
  });
  const took = await alternate(
    bench,
    { ours: side(keyRanges('id', CHUNK_ROWS, ROWS), bench.lanes), reference: side([undefined], 1) },
    [warehouse.server],
  );
  return { ...took, unit: 's' };
};

/** As on PostgreSQL (task.ts). */
const task =
  (ranges: number): Measure =>
  async (bench, warehouse) => {
    await warehouse.say(`
      create database core;
      create table core.vehicle (id bigint not null primary key, seen int not null);
      create table bare.vehicle like core.vehicle`);
    const folder = await projectOf({ 'waybill.yaml': waybillYaml(TASK_LANES), ...TASK_FILES });
    const project = await startProject(bench.servers, folder, { warehouse: warehouse.url });
    const fill = (table: string) =>
      warehouse.say(`truncate ${table}; insert into ${table} ${numbers(ranges * STEP)} select n, 0 from s`);
    try {
      const took = await alternate(
        bench,
        {
          ours: {
            prepare: () => fill('core.vehicle'),
            run: async () => ((await project.loads.run('task.vehicle')).seconds('start', 'publish') * 1000) / ranges,
            result: () => warehouse.checksum('core.vehicle', 'id, seen'),
          },
          reference: {
            prepare: () => fill('bare.vehicle'),
            run: async () =>
              ((await seconds(() => warehouse.loop(updatesOf('bare.vehicle', ranges), TASK_LANES))) * 1000) / ranges,
            result: () => warehouse.checksum('bare.vehicle', 'id, seen'),
          },
        },
        [warehouse.server],
      );
      return { ...took, unit: 'ms' };
    } finally {
      await project.close();
    }
  };

/** As on PostgreSQL (claim-overhead.ts). */
const claims: Measure = async (bench, warehouse) => {
  await warehouse.say(`
    create database acq; create database core;
    create table acq.orders (id bigint primary key); create table bare.landed like acq.orders;
    insert into bare.landed
      ${numbers(CHUNKS)} select n from s;
    create table core.orders (id bigint, batch_id bigint not null, primary key (batch_id, id));
    create table bare.orders like core.orders`);
  const folder = await projectOf({ 'waybill.yaml': waybillYaml(LANES), ...CLAIM_FILES });
  const project = await startProject(bench.servers, folder, { warehouse: warehouse.url });
  const statements = Array.from(
    { length: CHUNKS },
    (_, i) => `insert into bare.orders select o.id, 1 from (select * from bare.landed
      where id is not null and id >= ${i + 1} and id < ${i + 2}) o where o.id < 0`,
  );
  try {
    const took = await alternate(
      bench,
      {
        ours: {
          prepare: () => warehouse.say('insert into acq.orders select * from bare.landed; analyze table acq.orders'),
          run: async () => {
            await project.loads.run('core.order');
            const { ms, chunks } = await warehouse.row<{ ms: string; chunks: number }>(`
              select timestampdiff(microsecond, min(started_at), max(finished_at)) / 1000 as ms, count(*) as chunks
              from waybill.chunk
              where batch_id = (select max(batch_id) from waybill.batch) and state = 'done'`);
            if (Number(chunks) !== CHUNKS) throw new Error(`${chunks} chunks were done, not ${CHUNKS}`);
            return Number(ms) / CHUNKS;
          },
          result: () => warehouse.checksum('core.orders', 'id'),
        },
        reference: {
          run: async () => ((await seconds(() => warehouse.loop(statements, LANES))) * 1000) / CHUNKS,
          result: () => warehouse.checksum('bare.orders', 'id'),
        },
      },
      [warehouse.server],
    );
    return { ours: took.ours - took.reference, reference: took.reference, unit: 'ms' };
  } finally {
    await project.close();
  }
};

const CASES: (Pick<Benchmark, 'name' | 'what' | 'aim' | 'aimOn'> & { run: Measure })[] = [
  {
    name: 'core-load-one-insert',
    what: 'core load of the flights, snapshot to publish, chunks of 50,000; one bare INSERT … SELECT',
    aim: 0.71,
    aimOn: 'ratio',
    run: coreLoad('one insert'),
  },
  {
    name: 'core-load-loop-50k',
    what: 'core load of the flights, snapshot to publish, chunks of 50,000; a bare loop of the same lanes and chunks',
    aim: 1.1,
    aimOn: 'ratio',
    run: coreLoad('loop'),
  },
  {
    name: 'core-load-loop-5k',
    what: 'the same, chunks of 5,000',
    aim: 1.2,
    aimOn: 'ratio',
    run: coreLoad('loop', 5_000),
  },
  {
    name: 'bare-loop-lanes',
    what: 'that bare loop on as many lanes as there are processors; the same on one lane: what InnoDB itself gains by lanes',
    aim: 1,
    aimOn: 'ratio',
    run: bareLanes,
  },
  {
    name: 'roll-back-delete',
    what: 'roll back of a batch of 1,000,000 rows; one bare DELETE',
    aim: 1.15,
    aimOn: 'ratio',
    run: rollBack,
  },
  {
    name: 'bare-delete-lanes',
    what: 'a bare DELETE of 1,000,000 rows, cut along the key, on as many lanes as there are processors; in one statement',
    aim: 1,
    aimOn: 'ratio',
    run: bareDeleteLanes,
  },
  {
    name: 'task-small-ranges',
    what: '100,000 ranges of 5 updates each on 8 lanes, ms a range; a loop over 8 connections that keeps no ledger',
    aim: 2,
    aimOn: 'ratio',
    run: task(RANGES),
  },
  {
    name: 'task-1000-ranges',
    what: 'the same with 1,000 ranges',
    aim: 1,
    aimOn: 'ours',
    run: task(1_000),
  },
  {
    name: 'claim-overhead',
    what: '20,000 empty chunks on 4 lanes: what a chunk takes beyond its bare statement; the bare statement',
    aim: 0.6,
    aimOn: 'ours',
    run: claims,
  },
];

/** The cases of one of the two, by PostgreSQL's names with the server's behind it. */
export const onMysql = (server: 'mysql' | 'mariadb'): Benchmark[] =>
  CASES.map(({ run, ...one }) => ({
    ...one,
    name: `${one.name}-${server}`,
    servers: [server],
    measure: async (bench) => {
      const warehouse = await MysqlBench.warehouse(bench.servers, server);
      try {
        return await run(bench, warehouse);
      } finally {
        await warehouse.close();
      }
    },
  }));
