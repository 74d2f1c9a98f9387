import { appendFile, rename, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { waybill } from '../cli/command-line.ts';
import { someServers } from '../every-server.ts';
import { brought, fileWorld, item, LOAD, put } from './csv-files.ts';
import { holdLatch, lanesWait, LATCHES, WAIT, waitsAtLatch } from './latch.ts';
import { ended, type Ended, type World } from './world.ts';

const latched = item(undefined, undefined, `before: "${WAIT(1)}"`);
const TABLES = `create schema core; ${LATCHES} create unique index item_id on acq.item (id);`;

describe.each(someServers(import.meta.url))(
  'files that are not as they should be, on $name',
  { timeout: 120_000 },
  (server) => {
    let world: World;
    afterEach(() => world.close());

    const count = (): Promise<unknown> => world.value('select count(*) from acq.item');
    const touch = (name: string, ago: number): Promise<void> => {
      const time = Date.now() / 1000 - ago;
      return utimes(join(world.directory, name), time, time);
    };
    const expectNothing = async (end: Ended, message: string | RegExp, next: string): Promise<void> => {
      expect(end).toMatchObject({ ok: false, type: 'Database', next: expect.stringContaining(next) as string });
      if (typeof message === 'string') expect(!end.ok && end.message).toBe(message);
      else expect(!end.ok && end.message).toMatch(message);
      expect(await count()).toBe('0');
    };

    test('bytes that are not UTF-8 are refused with their line, also packed; nothing stays', async () => {
      world = await fileWorld(server, {});
      const latin1 = Buffer.from('id,name\n1,one\n2,"two\nM\u00fcller"\n', 'latin1');
      for (const [name, bytes] of [
        ['data/a.csv', latin1],
        ['data/a.csv.gz', gzipSync(latin1)],
      ] as const) {
        await put(world, { [name]: bytes });
        await expectNothing(
          await world.run(LOAD),
          `chunk 1 of 1: ${name}:3: name holds bytes that are not UTF-8`,
          'iconv',
        );
        await rm(join(world.directory, name));
      }
      await put(world, { 'data/a.csv': Buffer.from('id,name,fa\u00e7ade\n', 'latin1') });
      expect(await world.run(LOAD)).toMatchObject({
        ok: false,
        message: 'data/a.csv:1: column 3 holds bytes that are not UTF-8',
      });
    });

    test('packed files that were put one behind the other, each with its header', async () => {
      const packed = ['id,name\n1,one\n', '\ufeffid,name\n2,two\n'].map((text) => gzipSync(text));
      world = await fileWorld(server, { 'data/a.csv.gz': Buffer.concat(packed) });
      const message = 'chunk 1 of 1: data/a.csv.gz:3: the header stands here again';
      await expectNothing(await world.run(LOAD), message, 'take these lines out');
    });

    test('values that the server would round are refused with line and column', async () => {
      world = await fileWorld(server, { 'data/a.csv': 'id,amount\n1,1.500\n2,-0.25e1\n3,1.239\n' });
      await expectNothing(
        await world.run(LOAD),
        /^chunk 1 of 1: data\/a\.csv:4: amount is not written as its type, (numeric|decimal)\(12,2\), is written: a number with 2 decimals at the most$/,
        'mend the file',
      );
      await put(world, { 'data/a.csv': 'id,amount\n1,1.500\n2,-0.25e1\n' });
      expect(await world.run(LOAD)).toMatchObject(brought(2, 1));
      expect(await world.rows('select amount from acq.item order by id')).toEqual([
        { amount: '1.50' },
        { amount: '-2.50' },
      ]);
    });

    test('a packed file that was cut off', async () => {
      const lines = Array.from({ length: 20_000 }, (_, i) => `${i},"name ${i * 7919}"`).join('\n');
      const packed = gzipSync(`id,name\n${lines}\n`);
      world = await fileWorld(server, { 'data/a.csv.gz': packed.subarray(0, packed.length - 2000) });
      await expectNothing(
        await world.run(LOAD),
        /^chunk 1 of 1: data\/a\.csv\.gz, on worker .*: it cannot be unpacked: unexpected end of file$/,
        'mend the file',
      );
      await put(world, { 'data/a.csv.gz': packed });
      expect(await world.run(LOAD)).toMatchObject(brought(20_000, 1));
    });

    test('a file that goes, or is another, between the opening of the batch and its chunk', async () => {
      world = await fileWorld(server, { 'data/a.csv': 'id,name\n1,one\n' }, latched, TABLES);
      const meanwhile = async (change: () => Promise<void>): Promise<Ended> => {
        const open = await holdLatch(world, 1);
        const handle = await world.start(LOAD);
        await waitsAtLatch(world);
        await change();
        await open();
        return world.names.outOf(await ended(handle));
      };
      const away = join(world.directory, 'away.csv');
      await expectNothing(
        await meanwhile(() => rename(join(world.directory, 'data/a.csv'), away)),
        /^chunk 1 of 1: data\/a\.csv, on worker .*: it is not there any more$/,
        'every worker needs the same files',
      );
      await rename(away, join(world.directory, 'data/a.csv'));
      await expectNothing(
        await meanwhile(() => put(world, { 'data/a.csv': 'id,nam\n1,one\n' })),
        'chunk 1 of 1: data/a.csv:1: acq.item has no column nam; is it name?',
        'mend the file',
      );
      await put(world, { 'data/a.csv': 'id,name\n1,one\n' });
      expect(await meanwhile(() => put(world, { 'data/a.csv': 'name,id\ntwo,2\nthree,3\n' }))).toMatchObject(
        brought(2, 1),
      );
      expect(await world.rows('select size from waybill.source_file order by batch_id desc limit 1')).toEqual([
        { size: String('name,id\ntwo,2\nthree,3\n'.length) },
      ]);
    });

    test('a file that is written to while it is read', async () => {
      world = await fileWorld(server, { 'data/a.csv': 'id,name\n1,one\n' }, undefined, TABLES);
      const file = join(world.directory, 'data/a.csv');
      const whileRead = async (change: () => Promise<void>): Promise<Ended> => {
        const holder = await world.another('warehouse');
        await holder.query('begin; insert into acq.item (id, batch_id) values (1, 0)');
        const handle = await world.start(LOAD);
        await waitsAtLatch(world); // its row comes again
        await change();
        await holder.query('rollback');
        return world.names.outOf(await ended(handle));
      };
      const refused = /^chunk 1 of 1: data\/a\.csv, on worker .*: it was written to while it was read$/;
      await expectNothing(
        await whileRead(() => appendFile(file, '2,two\n')),
        refused,
        'rename them when they are whole',
      );
      // As long as before, and in its place.
      await put(world, { 'data/b.tmp': 'id,name\n1,one\n2,twO\n' });
      await expectNothing(
        await whileRead(() => rename(join(world.directory, 'data/b.tmp'), file)),
        refused,
        'from.lag',
      );
      expect(await whileRead(() => Promise.resolve())).toMatchObject(brought(2, 1));
    });

    test('from.lag: of thousands that are left to a later start some are named', async () => {
      world = await fileWorld(server, { 'data/a.csv': 'id\n1\n' }, item('files: data/*.csv, lag: 1h'));
      await touch('data/a.csv', 3700);
      const young = Array.from({ length: 2_500 }, (_, i) => `data/young-${String(i).padStart(20, '0')}.csv`);
      await put(world, Object.fromEntries(young.map((name) => [name, 'id\n2\n'])));
      expect(await world.run(LOAD)).toMatchObject(brought(1, 1));
      expect(await world.rows(`select reason from waybill.event where what = 'files_left'`)).toEqual([
        {
          reason: `${young.slice(0, 20).join(', ')}, and 2480 more: somebody wrote to it too short a while ago (from.lag)`,
        },
      ]);
    });

    test('from.lag: a file that was written to a moment ago is left to a later start, which is said', async () => {
      world = await fileWorld(
        server,
        { 'data/a.csv': 'id\n1\n', 'data/b.csv': 'id,na' },
        item('files: data/*.csv, lag: 1h', 'table: acq.item, on_new_columns: add'),
      );
      const young = 'somebody wrote to it too short a while ago (from.lag)';
      expect(await world.run(LOAD)).toMatchObject({
        ok: true,
        result: { status: 'nothing', reason: `data/a.csv, data/b.csv: ${young}` },
      });
      await touch('data/a.csv', 3700);
      expect((await waybill(world, 'plan', LOAD)).stdout).toContain(
        `files are left to a later start: data/b.csv: ${young}`,
      );
      expect(await world.run(LOAD)).toMatchObject(brought(1, 1));
      expect(await world.rows(`select reason from waybill.event where what = 'files_left'`)).toEqual([
        { reason: `data/b.csv: ${young}` },
      ]);
      // What has been written of its header so far is no column yet.
      await put(world, { 'data/b.csv': 'id,name\n2,two\n' });
      await touch('data/b.csv', 3700);
      expect(await world.run(LOAD)).toMatchObject(brought(1, 1));
      expect(await world.rows(`select what from waybill.event where what = 'columns_added'`)).toEqual([]);
      expect(await count()).toBe('2');
    });

    test('lanes read several at once', async () => {
      world = await fileWorld(
        server,
        { 'data/a.csv': 'id\n1\n', 'data/b.csv': 'id\n2\n', 'data/c.csv': 'id\n3\n' },
        undefined,
        TABLES,
      );
      const holder = await world.another('warehouse');
      await holder.query('begin; insert into acq.item (id, batch_id) values (1, 0), (2, 0), (3, 0)');
      const handle = await world.start(LOAD);
      await lanesWait(world, 3);
      await holder.query('rollback');
      expect(await ended(handle)).toMatchObject(brought(3, 3));
    });
  },
);
