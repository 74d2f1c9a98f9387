import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { CsvOut, markOf, type FileMark } from '../../src/copy/files/csv-file.ts';

const FORMAT = { delimiter: ',', quote: '"', nullText: '' };

/** As tapes and block devices leave them; the mark must be that of the whole file, or the next start takes it for another. */
test.each([0, 10, 300_000, 3_000_000])('a packed file that %i zeros fill up is read to its end', async (zeros) => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-csv-'));
  const file = join(folder, 'a.csv.gz');
  await writeFile(file, Buffer.concat([gzipSync('a,b\n1,2\n3,4\n'), Buffer.alloc(zeros)]));
  const read = await new Promise<FileMark & { rows: number }>((resolve, reject) => {
    const out: CsvOut = new CsvOut(
      file,
      FORMAT,
      { header: ['a', 'b'], keep: [true, true], end: '\n' },
      { data: () => undefined, done: (rows) => resolve({ ...out.mark(), rows }), failed: reject },
    );
  });
  expect(read).toEqual({ ...(await markOf(file)), rows: 2 });
  await rm(folder, { recursive: true });
});
