/** `from.consistent`: all chunks read the source as it was at one moment, or none of them counts. */
import { afterEach, describe, expect, test } from 'vitest';
import {
  cancelSignal,
  cancelUpdate,
  forceReloadUpdate,
  pauseUpdate,
  resumeUpdate,
} from '../../src/workflows/message-definitions.ts';
import { inTurns, someWays, ways, type Way } from '../every-server.ts';
import { servers } from '../servers.ts';
import { says } from './commit-proxy.ts';
import { cutEachCommit } from './cut-commits.ts';
import { chunks, COLUMNS, expectSameRows, halfway, ITEM, ITEMS, settling, SLOW_SOURCE, windows } from './items.ts';
import type { ServerWords } from './server-words.ts';
import { ended, until, World } from './world.ts';

/** Connections that read from the source for this load, or hold its state. */
const READERS: Record<ServerWords['family'], string> = {
  postgres: `select pid as id from pg_stat_activity where application_name = 'waybill read acquisition.item'
             and datname = current_database() and xact_start is not null`,
  mysql: `select p.id from information_schema.processlist p where p.db = database() and p.state = 'User sleep'`,
};
const readers = async (world: World): Promise<number> =>
  (await world.source.query(READERS[world.sourceWords.family])).rows.length;
const endReaders = (world: World): Promise<number> => world.end(READERS[world.sourceWords.family], world.source);

const ALL = 'select id, name, amount from stock';
const LANDED = 'select id, name, amount from acq.item';

const nameOf = ({ source, target }: Way): string => `${source} to ${target}`;

/** One way and its opposite, so that each run has sessions that share the state of a source and one that holds it alone. */
const [some, ...more] = someWays(import.meta.url);
const opposite = ways(import.meta.url).filter(({ from, into }) => from !== some!.from && into !== some!.into);
const both = [some!, ...(more.length > 0 ? more : opposite)];

describe.each(both)('from.consistent, $source to $target', { timeout: 180_000 }, (way) => {
  const it = inTurns(
    import.meta.url,
    { name: nameOf(way) },
    both.map((one) => ({ name: nameOf(one) })),
  );
  let world: World;
  afterEach(() => world.close());

  const RANGES = 'table: public.item, range: { column: id, step: 100 }';

  async function items(read = RANGES): Promise<void> {
    world = await World.create(
      way.into,
      ITEMS({
        source: SLOW_SOURCE(1200, 0.002),
        columns: COLUMNS,
        from: `${read}, consistent: true`,
        yaml: 'lanes: 2',
      }),
      way.from,
    );
  }

  /** Rows change, go and come, in chunks that were read and in such as were not. */
  async function change(amount: number): Promise<void> {
    await world.source.query(`update stock set amount = ${amount}`);
    await world.source.query('delete from stock where mod(id, 7) = 3');
    await world.source.query(`insert into stock select id + 2000, name, ${amount} from stock where mod(id, 5) = 1`);
  }

  it('every chunk is of one moment, whatever is changed meanwhile; the next start sees it', async () => {
    await items();
    await world.source.query(`create table kept as ${ALL}`);
    await world.worker();
    const handle = await world.start(ITEM);
    await until(() => halfway(world), 90);
    await change(-1);
    // Two lanes and who holds the state for them; or one that does both.
    const most = world.sourceWords.family === 'postgres' ? 3 : 1;
    await until(async () => (await readers(world)) === most);
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 1200, chunks: 12 } });
    await expectSameRows(world, 'select id, name, amount from kept', LANDED);
    expect(await readers(world)).toBe(0);
    expect(await world.run(ITEM)).toMatchObject({ ok: true });
    await expectSameRows(world, ALL, `${LANDED} where batch_id = 2`);
  });

  it('a window of a cursor has what commits late, as it is then; what comes after its end is in the next one', async () => {
    await items('table: public.item, cursor: id');
    await world.worker();
    const late = await world.another('source');
    await late.query(`begin; insert into stock values (1201, 'late', 1)`);
    await world.source.query(`insert into stock values (1202, 'before it', 1)`);
    const handle = await world.start(ITEM);
    await settling(handle);
    await world.source.query(`insert into stock values (1203, 'behind the end', 1)`);
    await late.query('commit');
    await until(() => halfway(world), 90);
    await change(-1);
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 1202 } });
    expect(await world.value('select count(*) from acq.item where amount = -1')).toBe('0');
    expect(await windows(world)).toEqual([{ state: 'published', window_from: null, window_to: '1203' }]);

    expect(await world.run(ITEM)).toMatchObject({ ok: true });
    await expectSameRows(world, `${ALL} where id > 1202`, `${LANDED} where batch_id = 2`);
    expect(await world.value('select count(*) from acq.item where id = 1201')).toBe('1');
    expect(await world.run(ITEM)).toMatchObject({ result: { status: 'nothing' } });
  });

  for (const what of ['connection', 'worker']) {
    it(`a ${what} that ends takes its batch with it: all is read again`, async () => {
      await items();
      const worker = await world.workerProcess();
      const handle = await world.start(ITEM);
      await until(() => halfway(world), 90);
      await change(-2);
      if (what === 'worker') {
        worker.kill('SIGKILL');
        await world.worker();
      } else await until(async () => (await endReaders(world)) > 0);
      expect(await ended(handle)).toMatchObject({ ok: true, result: { batch: { batchId: '2' } } });
      await expectSameRows(world, ALL, LANDED);
      expect(await world.rows('select state, error_class from waybill.batch order by batch_id')).toEqual([
        { state: 'failed', error_class: 'sourcestatelost' },
        { state: 'published', error_class: null },
      ]);
    });
  }

  // Not in turns: what is said by one is a state that others join, by the other that nobody else may hold one.
  test('a connection that breaks when the state is said says it again: the same batch reads it, and no other state', async () => {
    await items();
    const state = 'select source_state from waybill.stage';
    const transaction = {
      name: 'the state of the source',
      said: says('update', 'waybill.stage', '\\bsource_state\\b'),
      isBefore: async () => (await world.value(state)) === null,
      answer: 'UPDATE 1',
    };
    expect(await cutEachCommit(world, ITEM, [transaction])).toMatchObject({
      ok: true,
      result: { batch: { batchId: '1' }, rowsWritten: 1200, chunks: 12 },
    });
    await expectSameRows(world, ALL, LANDED);
    expect(await world.value(state)).toEqual(expect.any(String));
  });

  // MySQL and MariaDB have a TRUNCATE wait for who holds a state with the table's rows.
  if (servers.includes(way.from)) {
    test('a TRUNCATE, which takes rows from every state, takes the batch with it: all is read again', async () => {
      await items();
      await world.worker();
      const handle = await world.start(ITEM);
      await until(() => halfway(world), 90);
      await world.source.query('create table more as select id + 5000 as id, name, amount from stock limit 300');
      await world.source.query('truncate stock; insert into stock select * from more');
      expect(await ended(handle)).toMatchObject({ ok: true, result: { batch: { batchId: '2' }, rowsWritten: 300 } });
      await expectSameRows(world, ALL, LANDED);
      expect(await world.value('select error from waybill.batch where batch_id = 1')).toContain(
        'public.stock was truncated, or its rows were rewritten since it was taken',
      );
    });
  }

  it('while a batch that lost its state is rolled back, a pause is for the next one, and a cancel leaves none to come', async () => {
    await items();
    await world.worker();
    const handle = await world.start(ITEM);
    const holder = await world.another('warehouse');
    const loseState = async (batchId: number): Promise<void> => {
      await until(() => halfway(world), 90);
      const row = String(await world.value(`select min(ngdw_id) from acq.item where batch_id = ${batchId}`));
      await holder.query(`begin; delete from acq.item where ngdw_id = ${row}`); // which its roll back waits for
      await until(async () => (await endReaders(world)) > 0);
      await until(async () => (await world.states(ITEM))[batchId - 1] === 'rolling_back', 90);
    };
    await loseState(1);
    expect(await handle.executeUpdate(pauseUpdate)).toMatchObject({
      answer: 'accepted: the batch that is opened next waits',
    });
    await holder.query('rollback');
    await until(async () => (await world.states(ITEM))[1] === 'running', 90);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await chunks(world)).toEqual({ done: 0, all: 0 });
    await handle.executeUpdate(resumeUpdate);

    await loseState(2);
    await handle.signal(cancelSignal, { requestedBy: 'mary' });
    expect(await handle.executeUpdate(cancelUpdate, { args: [{}] })).toMatchObject({
      // What the ledger says already, the workflow may not have heard of.
      answer: expect.stringMatching(/^too late: the batch is (being broken off|rolling_back)$/) as string,
    });
    await holder.query('rollback');
    expect(await ended(handle)).toMatchObject({ ok: false, type: 'Cancelled', message: 'cancelled by mary' });
    expect(await world.states(ITEM)).toEqual(['failed', 'failed']);
    expect(await world.value('select count(*) from acq.item')).toBe('0');
    expect(await world.run(ITEM)).toMatchObject({ ok: true });
    await expectSameRows(world, ALL, LANDED);
  });

  it('three times are enough, and a forced reload is none of them: it fails, says why, and leaves nothing', async () => {
    await items();
    await world.worker();
    const handle = await world.start(ITEM);
    await until(() => halfway(world), 90);
    await handle.executeUpdate(forceReloadUpdate, { args: [{ requestedBy: 'somebody' }] });
    await until(async () => (await world.states(ITEM)).length === 2);
    let over = false;
    const end = ended(handle).finally(() => (over = true));
    await until(async () => {
      // Not before a chunk of this batch is there, nor while the next one opens: what ends then is tried again, and not for ever.
      if ((await world.states(ITEM)).at(-1) === 'running' && (await chunks(world)).done > 0) await endReaders(world);
      return over;
    }, 150);
    const found = await end;
    expect(found).toMatchObject({ ok: false, type: 'SourceStateLost' });
    expect(!found.ok && found.message).toBe(
      'the state of the source that this batch reads is gone: the connection that held it ended, or its worker did',
    );
    expect(await world.states(ITEM)).toEqual(['failed', 'failed', 'failed', 'failed']);
    expect(await world.value('select count(*) from acq.item')).toBe('0');
    expect(await world.run(ITEM)).toMatchObject({ ok: true });
    await expectSameRows(world, ALL, LANDED);
  });
});
