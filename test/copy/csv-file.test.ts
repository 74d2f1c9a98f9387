import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FileTrouble, readHeader, stateOf } from '../../src/copy/files/csv-file.ts';

const FORMAT = { delimiter: ',', quote: '"', nullText: '' };

/** A stream that fails without a listener ends the process: vitest says so, and fails. */
test.each(['a.csv', 'a.csv.gz'])('%s that is gone is trouble in words, and none of the process', async (name) => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-csv-'));
  const file = join(folder, name);
  await expect(readHeader(file, FORMAT)).rejects.toThrow(new FileTrouble('it is not there any more'));
  await expect(stateOf(file)).rejects.toThrow(new FileTrouble('it is not there any more'));
  await rm(folder, { recursive: true });
});
