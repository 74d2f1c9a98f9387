import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CsvOut, markOf, type FileMark } from '../../src/copy/files/csv-file.ts';

const FORMAT = { delimiter: ',', quote: '"', nullText: '' };

const A = gzipSync('a,b\n1,2\n3,4\n');
const B = gzipSync('5,6\n7,8\n');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-csv-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function read(...parts: Buffer[]): Promise<{ file: string; mark: FileMark; rows: number }> {
  const file = join(folder, 'a.csv.gz');
  await writeFile(file, Buffer.concat(parts));
  return new Promise((resolve, reject) => {
    const out: CsvOut = new CsvOut(
      file,
      FORMAT,
      { header: ['a', 'b'], keep: [true, true], end: '\n' },
      { data: () => undefined, done: (rows) => resolve({ file, mark: out.mark(), rows }), failed: reject },
    );
  });
}

/** As tapes and block devices leave them; the mark must be that of the whole file, or the next start takes it for another. */
test.each([0, 10, 300_000, 3_000_000])('a packed file that %i zeros fill up is read to its end', async (zeros) => {
  const { file, mark, rows } = await read(A, Buffer.alloc(zeros));
  expect({ mark, rows }).toEqual({ mark: await markOf(file), rows: 2 });
});

/** Also up to where a piece of the file ends, as it is read. */
test.each([1, 512, 256 * 1024 - A.length, 256 * 1024, 300_000, 3_000_000])(
  'a packed file with %i zeros in its middle is refused: what stands behind them is no padding',
  async (zeros) => {
    for (const behind of [B, Buffer.from('x'), Buffer.concat([B, Buffer.alloc(1000)])]) {
      await expect(read(A, Buffer.alloc(zeros), behind)).rejects.toThrow(
        `its packed text ends in zeros, and something stands behind them (byte ${A.length + zeros}): rows there would be lost`,
      );
    }
  },
);

test('members that follow each other are one text, however long they are', async () => {
  const many = Array.from({ length: 30_000 }, () => B);
  expect((await read(A, ...many)).rows).toBe(2 + 2 * many.length);
});
