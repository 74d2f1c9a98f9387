/** Places in the middle of a batch's transactions where a test can hold it: the server sleeps there until it is ended. */
import { ORDERS, type OrdersOptions } from './orders.ts';
import type { ServerWords } from './server-words.ts';
import { until, type World, type WorldOptions } from './world.ts';

type Family = ServerWords['family'];

interface Moment {
  /** The trigger that sleeps, and so where the transaction is: it has done what it does up to here, and has not committed. */
  trigger: string;
  /** Of which rows; default: of any, once a statement where the server has such triggers. */
  when?: string;
  /** As long as it has not committed, this is true for everybody else. */
  before: string | Record<Family, string>;
  /** Only these servers have such a transaction. */
  only?: Family;
}

/** Every transaction of a load that goes well, in order: held just before what it is there for can be committed. */
export const ON_THE_WAY = {
  open: {
    trigger: 'after insert on waybill.event',
    when: `new.what = 'opened'`,
    before: 'not exists (select from waybill.batch)',
  },
  'a step before': {
    trigger: 'after update on waybill.step',
    when: `new.state = 'done' and new.phase = 'before'`,
    before: 'not exists (select from core.steps)',
  },
  'the intent of a swap': {
    trigger: 'after insert on waybill.swap_intent',
    before: `not exists (select from waybill.swap_intent)
             and not exists (select from information_schema.tables
                             where table_name = 'orders_processing' and table_schema = '<prefix>acq')`,
    only: 'mysql',
  },
  snapshot: {
    trigger: 'after insert on waybill.event',
    when: `new.what = 'snapshot'`,
    before: {
      postgres: `not exists (select from waybill.snapshot) and to_regclass('acq.orders_processing') is null`,
      // The tables have their names: that commits by itself.
      mysql: `not exists (select from waybill.snapshot) and exists (select from waybill.swap_intent)
              and exists (select from acq.orders_processing)`,
    },
  },
  plan: {
    trigger: 'after insert on waybill.chunk',
    before: '(select planned_chunks is null from waybill.stage)',
  },
  'the statements of a chunk': {
    trigger: 'after insert on core.orders',
    before: 'not exists (select from core.orders)',
  },
  'the ledger row of a chunk': {
    trigger: 'after update on waybill.chunk',
    when: `new.state = 'done' and new.n > 2`,
    before: `not exists (select from waybill.chunk where n > 2 and state = 'done')`,
  },
  'the begin of the checks': {
    trigger: 'after insert on waybill.event',
    when: `new.what = 'checking'`,
    before: `(select state = 'running' from waybill.batch)`,
  },
  publish: {
    trigger: 'after insert on waybill.event',
    when: `new.what = 'published'`,
    before: `(select state = 'checking' from waybill.batch)`,
  },
  'the drop of the snapshot': {
    trigger: 'after update on waybill.snapshot',
    when: `new.dropped_at is not null`,
    before: `(select dropped_at is null from waybill.snapshot)`,
  },
  'a step after': {
    trigger: 'after update on waybill.step',
    when: `new.state = 'done' and new.phase = 'after'`,
    before: '(select count(*) = 1 from core.steps)',
  },
} as const satisfies Record<string, Moment>;

/** What follows when a chunk has failed for good. */
export const ON_THE_WAY_BACK = {
  fence: {
    trigger: 'after update on waybill.batch',
    when: `new.state = 'rolling_back' and old.state = 'running'`,
    before: `(select state = 'running' from waybill.batch)`,
  },
  'the roll back of an output': {
    trigger: 'after delete on core.orders',
    before: `exists (select from core.orders) and (select state = 'rolling_back' from waybill.batch)`,
  },
  'the end of the roll back': {
    trigger: 'after update on waybill.batch',
    when: `new.state = 'failed'`,
    before: `not exists (select from core.orders) and (select state = 'rolling_back' from waybill.batch)`,
  },
} as const satisfies Record<string, Moment>;

/** Those that this server has, in order. */
export const momentsOf = (moments: Record<string, Moment>, family: Family): MomentName[] =>
  (Object.keys(moments) as MomentName[]).filter((name) => [undefined, family].includes(moments[name]!.only));

export type MomentName = keyof typeof ON_THE_WAY | keyof typeof ON_THE_WAY_BACK;

const MOMENTS: Record<MomentName, Moment> = { ...ON_THE_WAY, ...ON_THE_WAY_BACK };

/** Orders with a step before and one after; the chunk of the order `core.broken` fails for good. */
export function HELD_ORDERS(n: number, options: OrdersOptions & { broken?: number } = {}): WorldOptions {
  const { broken = 0, ...rest } = options;
  const orders = ORDERS(n, {
    byKey: true,
    sql: `
insert into core.orders (id, customer, amount, batch_id)
select o.id, o.customer, o.amount * 2 / (case when o.id = (select id from core.broken) then 0 else 1 end), :batch_id
from {{ acq.orders }} o`,
    yaml: `before: "insert into core.steps values ('before')"\nafter: "insert into core.steps values ('after')"`,
    ...rest,
  });
  return {
    ...orders,
    warehouse: `${orders.warehouse}
      create table core.steps (phase varchar(20));
      create table core.broken (id bigint);
      insert into core.broken values (${broken});`,
  };
}

/** The newest row says what is held, and none is deleted: MySQL keeps locked what a trigger has read. A restart keeps it, too. */
const HELD = 'select h.moment from core.hold h order by h.id desc limit 1';
const TABLE = 'create table core.hold (id bigint generated by default as identity primary key, moment varchar(100))';
const HOLD = `
  create function core.hold() returns trigger language plpgsql as $$ begin
    if tg_argv[0] = (${HELD}) then perform pg_sleep(600); end if;
    return null; end $$`;

/** To be called when the control tables are there. Until `holdAt` nothing sleeps. */
export async function installMoments(world: World): Promise<void> {
  const { family } = world.words;
  await world.warehouse.query(TABLE);
  if (family === 'postgres') await world.warehouse.query(HOLD);
  for (const [i, name] of momentsOf(MOMENTS, family).entries()) {
    const { trigger, when } = MOMENTS[name];
    await world.warehouse.query(
      family === 'postgres'
        ? `create trigger "hold ${name}" ${trigger} for each ${when === undefined ? 'statement' : `row when (${when})`}
           execute function core.hold('${name}')`
        : `create trigger ${/on (\w+)\./.exec(trigger)![1]}.hold_${i} ${trigger} for each row
           if ${when ?? 'true'} and '${name}' = (${HELD}) then do sleep(600); end if`,
    );
  }
}

/** From now on what comes to this moment sleeps there, and nothing else; undefined: nothing. */
export async function holdAt(world: World, moment: MomentName | undefined): Promise<void> {
  await world.warehouse.query('insert into core.hold (moment) values ($1)', [moment ?? null]);
}

/** How many of our connections sleep. */
export const asleep = (world: World): Promise<number> => world.count(world.words.sleepers);

/** Waits until it is asleep there; what the moment is before has not happened for anybody else. */
export async function asleepAt(world: World, moment: MomentName): Promise<void> {
  await until(async () => (await asleep(world)) > 0, 90);
  if (await isBefore(world, moment)) return;
  throw new Error(`something sleeps, but not before ${moment}`);
}

/** What the moment is before has not happened, for everybody who can see it. */
export async function isBefore(world: World, moment: MomentName): Promise<boolean> {
  const { before } = MOMENTS[moment];
  const condition = typeof before === 'string' ? before : before[world.words.family];
  return Number(await world.value(`select ${condition.replace('<prefix>', world.names.prefix)}`)) === 1;
}

/** Ends the connections that sleep, and waits until they are gone; how many. */
export const endSleepers = (world: World): Promise<number> => world.end(world.words.sleepers);

/** The steps ran once each. */
export const steps = async (world: World): Promise<unknown> =>
  (await world.rows<{ phase: string }>('select phase from core.steps order by phase')).map(({ phase }) => phase);
