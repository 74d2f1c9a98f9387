/** What is under way when a worker is killed; rare-scenarios.ts has what few loads do. */
import type { WorkflowHandle } from '@temporalio/client';
import { expect } from 'vitest';
import type { LoadInput, SessionInput } from '../../src/workflows/messages.ts';
import { COLUMNS, expectAcquired, ITEM, itemFile, ITEMS, PLAIN_SOURCE } from '../engine/items.ts';
import { comingAgain, expectSame, expectWhole, ORDERS, PLAIN_SQL, SLOW_SQL } from '../engine/orders.ts';
import { breakAt, expectSeenOnce, TASK, VEHICLES } from '../engine/vehicles.ts';
import type { World, WorldOptions } from '../engine/world.ts';
import type { Phase } from './phase.ts';

export interface Scenario {
  /** As the end of a sentence: "a worker is killed in …". */
  title: string;
  world: WorldOptions;
  /** Start of the run in which the worker is killed. */
  start: LoadInput | SessionInput;
  /** The starts after it, where a plain one would be refused. */
  again?: LoadInput;
  /** The loads whose newest batch says how far it is, where that is not the one that is started. */
  loads?: readonly [string, ...string[]];
  /** Activities whose statements are points of this scenario. */
  activities: readonly string[];
  /** Through which phases an activity goes, as in phase.ts, where that says otherwise. */
  phases?: Record<string, readonly [first: Phase, ...others: Phase[]]>;
  /** What has happened before, with a worker at hand. */
  prepare?(world: World): Promise<void>;
  /** What somebody does to the run while it is under way; its points come later. */
  during?(world: World, handle: WorkflowHandle): Promise<void>;
  /** Environment of the worker that is killed. */
  env?: NodeJS.ProcessEnv;
  /** Takes away what makes the run fail on purpose, before the starts that follow. */
  mend?(world: World): Promise<void>;
  /** After enough starts every table holds what plain SQL gives. */
  expectRight(world: World): Promise<void>;
}

/** A log that no roll back empties: steps must leave one line a batch. */
const STEPS = `
before: "insert into core.log values ('before', :batch_id)"
after: [ "insert into core.log values ('after 1', :batch_id)", "insert into core.log values ('after 2', :batch_id)" ]`;
export const LOG = 'create table core.log (step varchar(20), batch_id bigint);';

/** Steps of a published batch ran once each, others at most once. */
async function expectStepsOnce(world: World): Promise<void> {
  const rows = await world.rows<{ step: string; batch_id: string; n: string; state: string }>(`
    select l.step, l.batch_id, count(*) as n, b.state from core.log l join waybill.batch b using (batch_id)
    group by l.step, l.batch_id, b.state order by 2, 1`);
  for (const row of rows) expect(row).toMatchObject({ n: '1' });
  const published = rows.filter(({ state }) => state === 'published').map(({ step }) => step);
  const batches = await world.states('core.order');
  const times = batches.filter((state) => state === 'published').length;
  const expected = Array.from({ length: times }, () => ['after 1', 'after 2', 'before']).flat();
  expect(published).toEqual(expected);
}

/** Two landing tables, steps, two stages (pages and keys), a check. */
const wholeLoad = (): WorldOptions => {
  const orders = ORDERS(250, { lanes: 1 });
  return {
    ...orders,
    files: {
      'loads/core/order.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.orders, external: true }, { table: acq.customer, external: true } ]
lanes: 1
stages:
  - { name: customers, sql: customer.sql }
  - { name: orders, sql: order.sql, chunk: { input: acq.orders, rows: 100, key: id } }
outputs: [ core.orders, core.customer ]
checks: [ { name: all have an amount, sql: "select count(*) from core.orders where batch_id = :batch_id and amount is null", expect: 0 } ]
${STEPS}`,
      'loads/core/order.sql': orders.files['loads/core/order.sql']!,
      'loads/core/customer.sql': `insert into core.customer (name, batch_id) select c.name, :batch_id from {{ acq.customer }} c`,
    },
    warehouse: `${orders.warehouse} ${LOG}
      create table acq.customer (name text primary key, note varchar(20) default 'none');
      create table core.customer (name text, batch_id bigint not null);
      insert into acq.customer (name) select concat('customer ', g) from generate_series(0, 96) g;
      create table kept.customer as table acq.customer;`,
  };
};

async function expectWholeLoad(world: World): Promise<void> {
  await expectWhole(world);
  expect(await world.value('select count(*) from core.customer')).toBe('97');
  await expectSame(world, 'select name from kept.customer', 'select name from core.customer', ['name']);
  expect(await world.value('select count(*) from acq.orders')).toBe('0');
  await expectStepsOnce(world);
}

export const CORE = 'core.order';
export const SETTINGS = 'create table core.settings (broken int); insert into core.settings values (1);';
/** Takes away what `SETTINGS` has broken. */
export const mend = (world: World): Promise<void> =>
  world.warehouse.query('update core.settings set broken = 0').then(() => undefined);
/** The check fails until the setting is mended. */
export const FAILING_CHECK = `checks: [ { name: nothing is broken, sql: "select broken from core.settings", expect: 0 } ]`;

/** The chunk that holds order 150 fails for good until the setting is mended. */
const FAILING_SQL = `
insert into core.orders (id, customer, amount, batch_id)
select o.id, o.customer, o.amount * 2 / (case when o.id = 150 then 1 - (select broken from core.settings) else 1 end), :batch_id
from {{ acq.orders }} o`;

/** Its first try of every chunk is told to come again: the sequence counts across roll backs. */
const COMING_AGAIN_SQL = `
select core.come_again();
insert into core.orders (id, customer, amount, batch_id)
select o.id, o.customer, o.amount * 2, :batch_id from {{ acq.orders }} o`;
const broken = (yaml: string, sql?: string): WorldOptions => {
  const orders = ORDERS(250, { lanes: 1, byKey: true, yaml, ...(sql === undefined ? {} : { sql }) });
  return { ...orders, warehouse: `${orders.warehouse} ${SETTINGS}` };
};

const runsBadly =
  (load: string) =>
  async (world: World): Promise<void> => {
    expect(await world.run(load)).toMatchObject({ ok: false });
  };

export const CORE_LOAD: Scenario = {
  title: 'a core load',
  world: wholeLoad(),
  start: { load: CORE },
  activities: [
    ...['start', 'openBatch', 'runSteps', 'takeSnapshot', 'planStage', 'runLane', 'runChecks', 'publish'],
    'dropSnapshot',
  ],
  phases: {
    openBatch: ['open', 'before steps'],
    runSteps: ['before steps', 'snapshot', 'after steps', 'published'],
    runLane: ['chunk', 'plan', 'check'],
    dropSnapshot: ['drop', 'after steps'],
  },
  expectRight: expectWholeLoad,
};

export const ROLL_BACK: Scenario = {
  title: 'a roll back',
  world: broken(FAILING_CHECK),
  start: { load: CORE },
  activities: ['fenceBatch', 'rollBack'],
  mend,
  expectRight: expectWhole,
};

export const REDO: Scenario = {
  title: 'the redo of a failed batch',
  world: broken(FAILING_CHECK),
  start: { load: CORE },
  activities: ['openBatch', 'takeSnapshot', 'publish', 'dropSnapshot'],
  phases: {
    openBatch: ['failed', 'plan'],
    takeSnapshot: ['plan'],
  },
  prepare: async (world) => {
    await runsBadly(CORE)(world);
    await mend(world);
  },
  expectRight: expectWhole,
};

export const FAILED_CHUNKS: Scenario = {
  title: 'chunks that fail and are tried again',
  world: (() => {
    const orders = ORDERS(250, { lanes: 1, byKey: true, sql: COMING_AGAIN_SQL });
    return { ...orders, own: comingAgain('n % 2 = 1') };
  })(),
  start: { load: CORE },
  activities: ['runLane'],
  expectRight: expectWhole,
};

/** Two rows that no statement can process. */
const withBadRows = (cut: { rows: number; byKey: boolean }): WorldOptions =>
  ORDERS(60, {
    lanes: 1,
    ...cut,
    sql: PLAIN_SQL.replace('o.amount * 2', 'o.amount * 2 / (case when o.id in (13, 47) then 0 else 1 end)'),
    yaml: 'on_bad_row: quarantine',
  });

export const QUARANTINE: Scenario = {
  title: 'chunks that are searched for bad rows',
  world: withBadRows({ rows: 20, byKey: true }),
  start: { load: CORE },
  activities: ['runLane'],
  expectRight: async (world) => {
    await expectWhole(world, '(select * from kept.orders where id not in (13, 47)) good');
    const rows = await world.rows<{ row_key: string }>(`
      select r.row_key from waybill.rejected_row r join waybill.batch b using (batch_id)
      where b.state = 'published' order by r.chunk, r.n`);
    expect(rows.map((row) => Number((JSON.parse(row.row_key) as { id: number }).id)).sort()).toEqual([13, 47]);
  },
};

const BY_THE_SERVER = {
  postgres: `
    create function core.refuse() returns trigger language plpgsql as
      $$ begin if new.id in (13, 47) then raise exception 'no' using errcode = '23514'; end if; return null; end $$;
    create constraint trigger refuse after insert on core.orders deferrable initially deferred
      for each row execute function core.refuse()`,
  mysql: `
    create trigger core.refuse before insert on core.orders for each row
      begin if new.id in (13, 47) then signal sqlstate '45000' set message_text = 'no'; end if; end`,
};

/** On PostgreSQL the transaction is lost with them, and the chunk is nobody's for a moment. MySQL's COMMIT refuses none. */
export const REFUSED_AT_COMMIT: Scenario = {
  ...QUARANTINE,
  title: 'chunks with rows that COMMIT refuses',
  world: {
    ...ORDERS(60, { lanes: 1, rows: 20, byKey: true, yaml: 'on_bad_row: quarantine' }),
    own: BY_THE_SERVER,
  },
};

/** The second one is more than may be. */
export const TOO_MANY_BAD: Scenario = {
  ...QUARANTINE,
  title: 'chunks with more bad rows than may be',
  world: ((world) => ({ ...world, files: limited(world, 1) }))(QUARANTINE.world),
  phases: {
    runLane: ['chunk', 'fence'],
  },
  mend: (world) => raiseLimit(world, limited(QUARANTINE.world, 2)),
};

/** A load's file with a limit of rejected rows, or another one. */
function limited({ files }: WorldOptions, rows: number): Record<string, string> {
  const [[path, text]] = Object.entries(files).filter(([, one]) => one.includes('on_bad_row')) as [[string, string]];
  return { ...files, [path]: `${text.replace(/\nmax_rejected.*/, '')}\nmax_rejected: ${rows}` };
}

async function raiseLimit(world: World, files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) await world.write(path, text);
}

/** On PostgreSQL, where all of them lie in one page: its halves begin and end within it. Each is a chunk: there is no time for more. */
export const QUARANTINED_PAGES: Scenario = {
  ...QUARANTINE,
  title: 'pages that are halved',
  env: { WAYBILL_TEST_SEARCH_MS: '0' },
  world: withBadRows({ rows: 100, byKey: false }),
};

export const HOLD: Scenario = {
  title: 'a batch that is held',
  world: broken('on_failure: hold', FAILING_SQL),
  start: { load: CORE },
  activities: ['fenceBatch'],
  phases: {
    fenceBatch: ['fence', 'held'],
  },
  mend,
  expectRight: expectWhole,
};

export const RESUME: Scenario = {
  title: 'a held batch that is resumed',
  world: broken('on_failure: hold', FAILING_SQL),
  start: { load: CORE, resume: true },
  activities: ['openBatch', 'takeSnapshot', 'planStage', 'runLane', 'publish'],
  phases: {
    openBatch: ['held', 'chunk'],
    takeSnapshot: ['chunk'],
    planStage: ['chunk'],
  },
  prepare: async (world) => {
    await runsBadly(CORE)(world);
    await mend(world);
  },
  expectRight: expectWhole,
};

export const CONTINUED: Scenario = {
  title: 'a load that continues as new',
  // Longer than a lane's first slice of five seconds.
  world: ORDERS(3000, { lanes: 2, byKey: true, sql: SLOW_SQL(0.4) }),
  start: { load: CORE },
  activities: ['steerLanes', 'describeBatch'],
  env: { WAYBILL_TEST_HISTORY_LIMIT: '25' },
  expectRight: expectWhole,
};

export const ACQUISITION: Scenario = {
  title: 'an acquisition',
  world: ITEMS({ source: PLAIN_SOURCE(250), columns: COLUMNS, yaml: 'lanes: 1' }),
  start: { load: ITEM },
  activities: ['openBatch', 'settleSource', 'planStage', 'runLane', 'runChecks', 'publish'],
  phases: {
    openBatch: ['open', 'plan'],
    publish: ['publish', 'published'],
  },
  expectRight: (world) => expectAcquired(world),
};

const files = (text: (file: number) => string, yaml = ''): WorldOptions =>
  ITEMS({
    columns: 'id bigint, name varchar(60)',
    source: 'create table item (id bigint)',
    files: {
      'loads/acquisition/item.yaml': `
kind: acquisition
connection: warehouse
from: { files: "data/**/*.csv" }
to: { table: acq.item }
lanes: 1
${yaml}`,
      ...Object.fromEntries([1, 2, 3].map((n) => [`data/${n}/item.csv`, text(n)])),
    },
  });

/** Three files, each a chunk. */
export const FILES: Scenario = {
  title: 'an acquisition of files',
  world: files(csv),
  start: { load: ITEM },
  activities: ['openBatch', 'planStage', 'runLane', 'runChecks', 'publish'],
  phases: {
    openBatch: ['open', 'plan'],
    publish: ['publish', 'published'],
  },
  expectRight: async (world) => {
    const ids = await world.rows<{ id: string }>('select id from acq.item order by id');
    expect(ids.map(({ id }) => Number(id))).toEqual(Array.from({ length: 120 }, (_, i) => i));
    expect(
      await world.value(
        "select count(*) from waybill.source_file f join waybill.batch b on b.batch_id = f.batch_id where state = 'published'",
      ),
    ).toBe('3');
  },
};

/** 40 items. */
export function csv(file: number): string {
  const rows = Array.from({ length: 40 }, (_, i) => (file - 1) * 40 + i);
  return ['id,name', ...rows.map((id) => `${id},item ${id}`)].join('\n');
}

/** Two rows of each that are set aside: one that the server refuses, and one that is none. As many as may be. */
export const FILE_QUARANTINE: Scenario = {
  ...FILES,
  title: 'an acquisition of files with bad rows',
  world: files(
    (n) =>
      csv(n)
        .replace(/\n(\d+7),.*/, '\nno number,$1')
        .replace(/\n(\d+9),/, '\n$1,too many,'),
    'on_bad_row: quarantine\nmax_rejected: 6',
  ),
  activities: ['runLane'],
  expectRight: async (world) => {
    const ids = await world.rows<{ id: string }>('select id from acq.item order by id');
    const bad = [17, 19, 47, 49, 87, 89];
    expect(ids.map(({ id }) => Number(id))).toEqual(
      Array.from({ length: 120 }, (_, i) => i).filter((i) => !bad.includes(i)),
    );
    const rows = await world.rows<{ row_key: string }>(`
      select r.row_key from waybill.rejected_row r join waybill.batch b using (batch_id)
      where b.state = 'published' order by r.chunk, r.n`);
    const lines = [19, 21, 9, 11, 9, 11];
    expect(rows.map((row) => JSON.parse(row.row_key) as unknown)).toEqual(
      lines.map((line, i) => ({ file: `data/${Math.floor(i / 2) + 1}/item.csv`, line })),
    );
    expect(await world.rows(`select rows_written, rows_rejected from waybill.batch where state = 'published'`)).toEqual(
      [{ rows_written: '114', rows_rejected: '6' }],
    );
  },
};

/** The fourth one is more than may be: the second one of the second file. */
export const TOO_MANY_BAD_LINES: Scenario = {
  ...FILE_QUARANTINE,
  title: 'an acquisition of files with more bad rows than may be',
  world: ((world) => ({ ...world, files: limited(world, 3) }))(FILE_QUARANTINE.world),
  activities: ['runLane', 'fenceBatch', 'rollBack'],
  phases: {
    runLane: ['chunk', 'fence'],
  },
  mend: (world) => raiseLimit(world, limited(FILE_QUARANTINE.world, 6)),
};

/** The landing table is not there yet. */
export const CREATED: Scenario = {
  ...ACQUISITION,
  title: 'an acquisition that makes its landing table',
  world: {
    ...ACQUISITION.world,
    files: {
      'loads/acquisition/item.yaml': itemFile({ yaml: 'lanes: 1' }).replace('acq.item }', 'acq.item, create: true }'),
    },
    warehouse: 'create schema acq',
  },
  // That acq.item is a table of the test's is learned from the statements that make one.
  prepare: (world) => Promise.resolve(void world.names.into('create table acq.item (id bigint)')),
};

export const SERVICES: Scenario = {
  title: 'a services load',
  world: (() => {
    const orders = ORDERS(120, { lanes: 1 });
    return {
      files: {
        ...orders.files,
        'loads/services/total.yaml': `
kind: services
connection: warehouse
consumes: [ core.order ]
lanes: 1
stages:
  - name: totals
    sql: "insert into services.total select o.customer, sum(o.amount), :batch_id from {{ core.orders }} o group by o.customer"
outputs: [ services.total ]`,
      },
      warehouse: `${orders.warehouse} create schema services;
        create table services.total (customer varchar(200), amount numeric(20, 2), batch_id bigint not null);`,
    };
  })(),
  start: { load: 'services.total' },
  activities: ['openBatch', 'planStage', 'runLane', 'runChecks', 'publish'],
  phases: {
    openBatch: ['open', 'plan'],
    publish: ['publish', 'published'],
  },
  prepare: async (world) => {
    expect(await world.run(CORE)).toMatchObject({ ok: true });
  },
  expectRight: async (world) => {
    await expectSame(
      world,
      'select customer, sum(amount * 2) as amount from kept.orders group by customer',
      'select customer, amount from services.total',
      ['customer', 'amount'],
    );
  },
};

/** What is to be done is asked: nothing is left to a start after the last one. */
const tasks = (): WorldOptions => {
  const unseen = (bound: string): string => `"select ${bound}(id) from core.vehicle where seen = 0"`;
  return VEHICLES(40, {
    lanes: 1,
    range: `{ min: ${unseen('min')}, max: ${unseen('max')}, step: 10 }`,
    yaml: `
before: "insert into core.log values ('before', :batch_id)"
on_error: [ "insert into core.log values ('on_error 1', :batch_id)", "insert into core.log values ('on_error 2', :batch_id)" ]`,
    warehouse: `${LOG} update core.settings set broken = 25;`,
  });
};

/** Every range was done once, `before` too, and what follows a failure ran once for each batch that had failed. */
async function expectTaskDone(world: World): Promise<void> {
  await expectSeenOnce(world);
  const steps = await world.rows<{ step: string; batch_id: string }>(
    'select step, batch_id from core.log order by batch_id, step',
  );
  const failed = await world.rows<{ batch_id: string }>(
    `select batch_id from waybill.batch where state = 'failed' order by batch_id`,
  );
  expect(steps.filter(({ step }) => step === 'before')).toHaveLength(1);
  expect(steps.filter(({ step }) => step !== 'before')).toEqual(
    failed.flatMap(({ batch_id }) => ['on_error 1', 'on_error 2'].map((step) => ({ step, batch_id }))),
  );
}

export const FAILING_TASK: Scenario = {
  title: 'a task that fails',
  world: tasks(),
  start: { load: TASK },
  activities: ['openBatch', 'runSteps', 'planStage', 'runLane', 'fenceBatch', 'rollBack'],
  phases: {
    openBatch: ['open', 'before steps'],
    runSteps: ['before steps', 'plan', 'on_error steps', 'failed'],
    runLane: ['chunk', 'fence'],
    rollBack: ['roll back', 'on_error steps'],
  },
  mend: (world) => breakAt(world, 0),
  expectRight: expectTaskDone,
};

export const CONTINUED_TASK: Scenario = {
  title: 'a task that goes on where a batch failed',
  world: tasks(),
  start: { load: TASK },
  activities: ['openBatch', 'planStage', 'runLane', 'publish'],
  phases: {
    openBatch: ['failed', 'plan'],
    publish: ['publish', 'published'],
  },
  prepare: async (world) => {
    await runsBadly(TASK)(world);
    await breakAt(world, 0);
  },
  expectRight: expectTaskDone,
};
