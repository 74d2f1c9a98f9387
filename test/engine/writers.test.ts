/** Writers that insert without pause while core loads take one snapshot after another. */
import { afterEach, describe, expect, inject, vi } from 'vitest';
import type { BatchView } from '../../src/client/views.ts';
import { progressQuery } from '../../src/workflows/message-definitions.ts';
import { document, waybill } from '../cli/command-line.ts';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { ended, until, World } from './world.ts';
import { expectWritten, FILES, LOCK_WAIT_S, longestInLine, PUT, SCHEMA, startWriting } from './writers.ts';

vi.setConfig({ testTimeout: 300_000 });

/** Each swaps two tables: hundreds of swaps in a long run, for minutes. */
const LOADS = inject('seed').all ? 120 : 5;

describe.each(oneOfEachFamily(import.meta.url))('writers without pause on $name', { retry: 0 }, (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  it(
    `through ${LOADS} loads of two inputs: no row is lost, none comes twice, no writer fails, no transaction is split`,
    async () => {
      world = await World.create(server, { files: FILES, warehouse: SCHEMA, own: PUT });
      await world.worker();
      const writers = startWriting(world);
      const line = await longestInLine(world);
      let written: Awaited<ReturnType<typeof writers.stop>>;
      try {
        for (let load = 1; load <= LOADS; load += 1) {
          expect(await world.run('core.both'), `load ${load}`).toMatchObject({
            ok: true,
            result: { status: 'finished' },
          });
          expect(writers.failed(), `a writer failed during load ${load}`).toBeUndefined();
        }
      } finally {
        line.stop();
        written = await writers.stop();
      }
      expect(writers.failed()).toBeUndefined();
      expect(line.longest(), 'seconds that a writer stood in line').toBeLessThan(LOCK_WAIT_S + 1);
      expect(await world.run('core.both')).toMatchObject({ ok: true }); // what is left
      expect(await world.states('core.both')).toEqual(Array(LOADS + 1).fill('published'));
      expect(await world.rows('select * from acq.a union all select * from acq.b')).toEqual([]);

      await expectWritten(world, written, LOADS);
      // One transaction's rows are one batch's rows, also when it wrote into both inputs.
      const split = `select writer, n from (select writer, n, batch_id from core.a union select writer, n, batch_id from core.b) w
                   group by writer, n having count(*) > 1`;
      expect(await world.rows(split)).toEqual([]);
      // The sequences of the landing tables never stepped back.
      expect(await world.rows('select id from core.a group by id having count(*) > 1')).toEqual([]);
      expect(await world.rows('select k from core.b group by k having count(*) > 1')).toEqual([]);
    },
    { timeout: 120_000 + LOADS * 15_000 },
  );

  it('a long reader of an input: the load waits and says for whom, and no writer stands in line longer than the setting', async () => {
    world = await World.create(server, { files: FILES, warehouse: SCHEMA, own: PUT });
    await world.worker();
    const reader = await world.another('warehouse', 'a long report');
    await reader.query(`begin; select count(*) from acq.a`);
    const writers = startWriting(world);
    const line = await longestInLine(world);
    let written: Awaited<ReturnType<typeof writers.stop>>;
    try {
      const handle = await world.start('core.both');
      const waits = async () => {
        const [view] = document(await waybill(world, 'status', '--json')) as BatchView[];
        return view?.waiting;
      };
      // MariaDB does not tell which.
      const inputs = server.name.startsWith('MariaDB') ? 'acq.a or acq.b' : 'acq.a';
      expect(await until(waits, 90)).toMatch(
        new RegExp(`^waits for ${inputs}, in use by ${world.words.holder('a long report')}`),
      );
      expect((await handle.query(progressQuery)).phase).toBe('snapshot');
      await until(() => Promise.resolve(line.waits() > 3), 90);
      expect(await world.exists('acq.a_processing')).toBe(false);
      expect(line.longest(), 'seconds that a writer stood in line').toBeGreaterThan(0.5);
      expect(line.longest(), 'seconds that a writer stood in line').toBeLessThan(LOCK_WAIT_S + 1);
      await reader.query('commit');
      expect(await ended(handle)).toMatchObject({ ok: true, result: { status: 'finished' } });
    } finally {
      line.stop();
      written = await writers.stop();
    }
    expect(writers.failed()).toBeUndefined();
    expect(await world.run('core.both')).toMatchObject({ ok: true });
    await expectWritten(world, written, 3);
  });

  it('a worker that is asked to stop while the snapshot waits for a lock does stop, and another one takes it', async () => {
    world = await World.create(server, { files: FILES, warehouse: SCHEMA, own: PUT });
    await world.warehouse.query(
      `insert into acq.a (writer, n) values ('before', 0); insert into acq.b (writer, n) values ('before', 0)`,
    );
    const writer = await world.another('warehouse');
    await writer.query(`begin; insert into acq.b (writer, n) values ('slow', 0)`);
    const first = await world.worker();
    const handle = await world.start('core.both');
    const waits = async () => (await world.count(world.words.waiting)) > 0;
    await until(waits, 90);
    await first.stop();
    expect((await handle.describe()).status.name).toBe('RUNNING');
    await world.worker();
    await until(waits, 90);
    await writer.query('commit'); // on MySQL one that goes on to the other input could be told to come again
    expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 3 } });
    expect(await world.rows('select writer, n from core.b order by 1')).toEqual([
      { writer: 'before', n: 0 },
      { writer: 'slow', n: 0 },
    ]);
    expect(await world.rows('select * from acq.a union all select * from acq.b')).toEqual([]);
  });
});
