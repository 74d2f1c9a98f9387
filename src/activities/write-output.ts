import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, realpath, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Context } from '@temporalio/activity';
import { getBatch } from '../control/batch.ts';
import { inGate } from '../control/gate.ts';
import { readParts } from '../control/output.ts';
import type { BatchReference } from '../workflows/messages.ts';
import type { Engine } from './engine.ts';
import { WaybillError } from '../errors.ts';
import { refused, toFailure } from './failures.ts';
import { report } from './heartbeat.ts';

/** Writes what a task's query gave into its file: beside it first, so that nobody ever reads half of it. */
export const writeOutput =
  (engine: Engine) =>
  async (at: BatchReference): Promise<{ file: string }> => {
    const database = engine.databases.get(at.connection);
    const where = `batch ${at.batchId}, output`;
    try {
      const { definition } = await getBatch(database, at.batchId);
      const file = definition.output!.file!;
      await inGate(database, at.batchId, ['checking'], () => Promise.resolve());
      const { directory } = await engine.loadProject();
      const onDisk = <T>(work: Promise<T>): Promise<T> =>
        work.catch((error: Error) => {
          throw trouble(file, error, engine.worker);
        });
      const target = await onDisk(placeOf(directory, file, where));
      await onDisk(removeParts(target));
      const beside = `${target}.${randomBytes(4).toString('hex')}.part`;
      try {
        const handle = await onDisk(open(beside, 'wx'));
        try {
          let written = 0;
          for await (const text of readParts(database, at.batchId)) {
            Context.current().cancellationSignal.throwIfAborted();
            await onDisk(handle.appendFile(text)); // all of it: `write` may stop in the middle
            report({ file, written: (written += text.length) });
          }
          await onDisk(handle.sync());
        } finally {
          await handle.close();
        }
        // A batch that is given up may have no rows in the ledger any more: what was read of them is whole only if it is not.
        await inGate(database, at.batchId, ['checking'], () => onDisk(rename(beside, target)));
      } catch (error) {
        await rm(beside, { force: true });
        throw error;
      }
      return { file };
    } catch (error) {
      throw toFailure(error, database, where);
    }
  };

/** What attempts that died have left beside the file. One that only sleeps finds its own gone when it wakes up, and ends. */
async function removeParts(target: string): Promise<void> {
  const { dir, base } = path.parse(target);
  const parts = (await readdir(dir)).filter(
    (name) => name.startsWith(base) && /^\.[0-9a-f]{8}\.part$/.test(name.slice(base.length)),
  );
  for (const name of parts) await rm(path.join(dir, name), { force: true });
}

/** The file's place, its folder made; a link in its way must not lead out of the project. */
async function placeOf(project: string, file: string, where: string): Promise<string> {
  const root = await realpath(project);
  const inside = (folder: string): boolean => folder === root || folder.startsWith(root + path.sep);
  const folder = path.dirname(path.join(root, file));
  let there = folder;
  while (!existsSync(there)) there = path.dirname(there);
  if (!inside(await realpath(there))) {
    throw refused(`${file} would lie outside the project's folder: a link on its way leads there`, {
      where,
      next: 'name a file in a folder that is no link',
    });
  }
  await mkdir(folder, { recursive: true });
  return path.join(await realpath(folder), path.basename(file));
}

const WORDS: Record<string, string> = {
  EISDIR: 'a folder has its name',
  ENOTEMPTY: 'a folder has its name',
  ENOTDIR: 'a folder of its path is a file',
  EEXIST: 'a folder of its path is a file, or a link to what is not there',
  EACCES: 'the worker may not write there',
  EPERM: 'the worker may not write there',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk is full',
};

/** Why a file cannot be written, in words that name no place of this machine. */
function trouble(file: string, error: Error, worker: string): Error {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  return new WaybillError(`${file} cannot be written: ${WORDS[code] ?? 'the disk refuses it'} (${code})`, {
    where: `worker ${worker}`,
    next: 'mend that, then start the task again: the rows are in the ledger, and no range is done twice',
    cause: error,
  });
}
