/** Where the text of an error stands that came neither in a chunk nor in a step: checks, the plan, the roll back. */
import { afterEach, describe, expect, test } from 'vitest';
import { document, waybill } from '../cli/command-line.ts';
import { oneOfEachFamily } from '../every-server.ts';
import { ORDERS, World } from './orders.ts';
import { ended, until } from './world.ts';

const SAID = '42 orders have no customer';
/** A function that says so: as users do, and as a server does of what may pass. */
const RAISING = (passing: boolean) => ({
  postgres: `create function core.look() returns int language plpgsql as $$
    begin raise '${SAID}' using errcode = '${passing ? '53400' : 'P0001'}'; end $$`,
  mysql: `create function core.look() returns int deterministic reads sql data
    begin
      signal sqlstate '${passing ? 'HY000' : '45000'}' set mysql_errno = ${passing ? 1020 : 1644}, message_text = '${SAID}';
      return 0;
    end`,
});
const CHECK = 'checks: [ { name: dq, sql: "select core.look()", expect: 0 } ]';
/** Refuses that rows of the batch are deleted. */
const KEEPING = {
  postgres: `create function core.keep() returns trigger language plpgsql as $$ begin raise '${SAID}'; end $$;
    create trigger keep before delete on core.orders for each row execute function core.keep()`,
  mysql: `create trigger core.keep before delete on core.orders for each row
    signal sqlstate '45000' set message_text = '${SAID}'`,
};

describe.each(oneOfEachFamily(import.meta.url))('the text of an error on $name', { timeout: 90_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  const errors = () => world.rows(`select what, reason from waybill.event where what like 'error%' order by event_id`);

  test('of a check is in the ledger, and not in the history', async () => {
    world = await World.create(server, { ...ORDERS(50, { yaml: CHECK }), own: RAISING(false) });
    await world.worker();
    const end = await world.run('core.order');
    expect(end).toMatchObject({ ok: false, type: 'Database', where: 'load core.order, batch 1, check "dq"' });
    expect(!end.ok && end.message).toContain('its text stands in the ledger');
    const whole = expect.stringContaining(SAID) as string;
    expect(await world.rows('select state, error from waybill.batch')).toEqual([{ state: 'failed', error: whole }]);
    const reason = expect.stringMatching(new RegExp(`^the checks: ${SAID}`)) as string;
    expect(await errors()).toEqual([{ what: 'error_with_values', reason }]);
    expect((await waybill(world, 'show', '1')).stdout).toContain(SAID);
  });

  test('of a roll back is there, too, beside what the batch failed with', async () => {
    const yaml = `checks: [ { name: none, sql: "select count(*) from core.orders", expect: 0 } ]`;
    world = await World.create(server, { ...ORDERS(50, { yaml }), own: KEEPING });
    await world.worker();
    const end = await world.run('core.order');
    expect(!end.ok && end.message).toMatch(/the roll back is not finished: .*its text stands in the ledger/);
    expect(await world.value('select error from waybill.batch')).toContain('check failed');
    const reason = expect.stringMatching(new RegExp(`^the roll back: ${SAID}`)) as string;
    expect(await errors()).toEqual([{ what: 'error_with_values', reason }]);
  });

  test('is said to be shown nowhere, where there is no batch yet', async () => {
    const task = (range: string) => `
kind: task
connection: warehouse
range: ${range}
sql: [ "select 1 from core.orders where id >= :from and id < :to" ]`;
    const files = {
      'loads/task/asked.yaml': task('{ min: 1, max: "select core.look()", step: 1 }'),
      'loads/task/seen.yaml': task('{ of: core.seen.n, step: 1 }'),
    };
    const orders = ORDERS(1);
    world = await World.create(server, { ...orders, files: { ...orders.files, ...files }, own: RAISING(false) });
    await world.warehouse.query('create view core.seen as select core.look() as n');
    await world.worker();
    const unsaid = 'the SQL raised an exception of its own; its text is not shown, as it may hold values of rows (';
    const next = 'run the SQL by hand to read the text';
    expect(await world.run('task.seen')).toMatchObject({
      ...{ ok: false, type: 'Database', next },
      message: expect.stringMatching(new RegExp(`^${unsaid.replace('(', '\\(')}`)) as string,
    });
    expect(await world.run('task.asked')).toMatchObject({
      ...{ ok: false, type: 'Configuration', next },
      message: expect.stringContaining(`the query of range.max failed: ${unsaid}`) as string,
    });
    expect(await world.rows('select batch_id from waybill.batch')).toEqual([]);
  });

  test('that may pass is told while a check is tried again, and when its time is over', async () => {
    const orders = ORDERS(50, { yaml: `${CHECK}\nmax_runtime: 20s` });
    world = await World.create(server, { ...orders, own: RAISING(true) });
    await world.worker();
    const handle = await world.start('core.order');
    const tells = /^tries the checks again, which failed: .*(?:SQLSTATE 53400|error 1020)/;
    await until(async () => {
      const [row] = document(await waybill(world, 'status', 'core.order', '--json')) as { waiting?: string }[];
      return tells.test(row?.waiting ?? '');
    }, 30);
    const end = await ended(handle);
    const timeout = 'timeout: it ran past max_runtime; the checks failed, last with: ';
    expect(end).toMatchObject({ ok: false, type: 'Timeout' });
    expect(!end.ok && end.message.startsWith(timeout)).toBe(true);
    expect(await world.value('select error from waybill.batch')).toContain(`${timeout}${SAID}`);
    expect(await errors()).toHaveLength(1);
  });
});

/** A function that looks like a question, and writes. */
const LOGGING = {
  postgres: `create table core.seen (n int);
    create function core.dq() returns int language sql as 'insert into core.seen values (0) returning n'`,
  mysql: `create table core.seen (n int);
    create function core.dq() returns int deterministic modifies sql data begin insert into core.seen values (0); return 0; end`,
};

describe.each(oneOfEachFamily(import.meta.url))('a check on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('that writes fails at once, and says what it may not', async () => {
    const yaml = `checks: [ { name: dq, sql: "select core.dq()", expect: 0 } ]`;
    world = await World.create(server, { ...ORDERS(50, { yaml }), own: LOGGING });
    await world.worker();
    const end = await world.run('core.order');
    expect(end).toMatchObject({ ok: false, type: 'Database', where: 'load core.order, batch 1, check "dq"' });
    expect(end).toMatchObject({ next: expect.stringMatching(/^only reading is allowed here/) as string });
    expect(!end.ok && end.message).toMatch(
      /read-only transaction \(SQLSTATE 25006\)$|in a READ ONLY transaction\.? \(error 1792\)$/,
    );
    expect(await world.states('core.order')).toEqual(['failed']);
  });
});
