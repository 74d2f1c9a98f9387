import path from 'node:path';
import type { PublishedFile, SettledFile } from '../control/source-files.ts';
import { markOf, writingOf, type FileState } from '../copy/files/csv-file.ts';
import { absent } from '../copy/files/find-files.ts';

/** Files whose names nobody has read, each of which is one that was read, and is gone from where it was. */
export async function movedFiles(
  directory: string,
  found: Map<string, FileState>,
  read: Map<string, PublishedFile>,
): Promise<SettledFile[]> {
  const moved: SettledFile[] = [];
  const gone = goneByWriting(found, read);
  if (gone.size === 0) return moved;
  for (const [name, state] of found) {
    if (read.has(name)) continue;
    // One of the same content, too, that was written at another time is another one.
    const alike = gone.get(writingOf(state.version)) ?? [];
    const mark = alike.length > 0 ? await markOf(path.join(directory, name)).catch(absent(name)) : undefined;
    const same = alike.find(({ sha256 }) => sha256 === mark?.sha256);
    if (!same) continue;
    alike.splice(alike.indexOf(same), 1);
    const now = { name, state: state.lasting ?? state.version };
    moved.push(...[same, ...same.before].map(({ batchId, n }) => ({ batchId, n, ...now })));
  }
  return moved;
}

/** There may be as many that are gone as new ones, a hundred thousand of each: none is compared with all others. */
function goneByWriting(found: Map<string, FileState>, read: Map<string, PublishedFile>): Map<string, PublishedFile[]> {
  const gone = new Map<string, PublishedFile[]>();
  for (const [name, file] of read) {
    if (found.has(name)) continue;
    const { state } = file;
    if (state === null) continue;
    const writing = writingOf(state);
    const alike = gone.get(writing);
    if (alike) alike.push(file);
    else gone.set(writing, [file]);
  }
  return gone;
}
