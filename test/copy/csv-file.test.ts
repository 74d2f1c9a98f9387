import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pourRows } from '../../src/copy/copy-rows.ts';
import { CsvOut, FileTrouble, readHeader, readPieces, stateOf } from '../../src/copy/files/csv-file.ts';
import { servers } from '../servers.ts';
import { Ends } from './ends.ts';
import { mostHeld } from './held.ts';

const FORMAT = { delimiter: ',', quote: '"', nullText: '' };

/** A stream that fails without a listener ends the process: vitest says so, and fails. */
test.each(['a.csv', 'a.csv.gz'])('%s that is gone is trouble in words, and none of the process', async (name) => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-csv-'));
  const file = join(folder, name);
  await expect(readHeader(file, FORMAT)).rejects.toThrow(new FileTrouble('it is not there any more'));
  await expect(stateOf(file)).rejects.toThrow(new FileTrouble('it is not there any more'));
  await rm(folder, { recursive: true });
});

describe('a file of 80 MB, and somebody who takes it slowly: nothing piles up in between', { timeout: 240_000 }, () => {
  const SHAPE = { header: ['id', 'note'], end: '\n' };
  const ROWS = 10_000;
  const MOST_HELD = 30_000_000;
  const SECONDS = 6; // in which the whole file would be read, also on a busy machine
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-csv-'));
    const note = '0123456789abcdef'.repeat(500);
    const text = `id,note\n${Array.from({ length: ROWS }, (_, i) => `${i + 1},${note}\n`).join('')}`;
    await writeFile(join(folder, 'a.csv'), text);
    await writeFile(join(folder, 'a.csv.gz'), gzipSync(text, { level: 1 }));
  });
  afterAll(() => rm(folder, { recursive: true }));

  // Whatever the server: copy-rows.test.ts has each of them hold a source back.
  test(`as it is, into a slow ${servers[0]!.name}`, async () => {
    const ends = await Ends.create(servers[0]!);
    await ends.sql('target', 'create table t (id int, note varchar(8000))');
    await ends.slowDown('id', SECONDS);
    const session = await ends.begin('target');
    const { dialect } = ends.target;
    const most = await mostHeld(MOST_HELD, async () => {
      let out: CsvOut | undefined;
      const rows = {
        dialect,
        open: (listener: ConstructorParameters<typeof CsvOut>[3]) =>
          (out = new CsvOut(join(folder, 'a.csv'), FORMAT, SHAPE, listener)),
        cut: () => out?.close(),
      };
      const into = { table: 't', columns: [{ name: 'id' }, { name: 'note' }], format: 'text' as const };
      expect(await pourRows(rows, { dialect, session }, into)).toEqual({ read: ROWS, written: ROWS });
    });
    await ends.close();
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(MOST_HELD);
  });

  test('packed, in pieces of which each is looked at', async () => {
    let taken = 0;
    const most = await mostHeld(MOST_HELD, async () => {
      const taker = {
        rows: async (_: Buffer, lines: number[]) => {
          if (taken === 0) await sleep(SECONDS * 1_000);
          taken += lines.length;
        },
        bad: () => Promise.reject(new Error('no row is bad')),
      };
      expect(await readPieces(join(folder, 'a.csv.gz'), FORMAT, SHAPE, taker)).toMatchObject({ rows: ROWS, bad: 0 });
    });
    expect(taken).toBe(ROWS);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(MOST_HELD);
  });
});
