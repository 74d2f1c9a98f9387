import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { movedFiles } from '../../src/activities/moved-files.ts';
import type { PublishedFile } from '../../src/control/source-files.ts';
import type { FileState } from '../../src/copy/files/csv-file.ts';

test('of thousands of files that are gone and thousands that are new, each is looked at a few times', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'waybill-moved-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const n = 3_000;
  let looks = 0;
  const gone = (i: number): PublishedFile => ({
    ...{ size: i, sha256: 'none', batchId: '1', n: i + 1, before: [] },
    get state() {
      looks += 1;
      return `1 ${i} 1`;
    },
  });
  const numbers = Array.from({ length: n }, (_, i) => i);
  const read = new Map(numbers.map((i) => [`done/${i}.csv`, gone(i)]));
  const found = new Map(
    numbers.map((i): [string, FileState] => [`${i}.csv`, { size: i, writtenAt: 0, version: `2 ${i} 2` }]),
  );
  expect(await movedFiles(directory, found, read)).toEqual([]);
  expect(looks).toBeLessThan(10 * n);
});
