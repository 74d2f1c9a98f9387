import type { UndroppedSnapshot } from '../activities/drop-snapshot.ts';
import type { OpenedBatch } from '../activities/opened-batch.ts';
import type { Published } from '../activities/publish.ts';
import { activities } from './activity-proxies.ts';
import { failureOf, summarize } from './error-summary.ts';
import { FAILURE, type BatchReference, type LoadInput, type LoadResult } from './messages.ts';
import type { Progress } from './progress.ts';

/** Published: from here on nothing is taken back. */
export async function conclude(
  batch: OpenedBatch,
  published: Published,
  input: LoadInput,
  progress: Progress,
  warnings: string[],
): Promise<LoadResult> {
  progress.state('published');
  progress.rows(published.rowsWritten);
  const { left, others } = await finishPublished(batch, batch.snapshot, batch.after.length > 0, input.load, progress);
  const standing = [...(left === undefined ? [] : [`${left}. The next start drops it first`]), ...others].join('; ');
  progress.phase('done');
  return {
    load: input.load,
    status: 'finished',
    batch: { connection: batch.connection, batchId: batch.batchId },
    rowsWritten: published.rowsWritten,
    chunks: published.chunks,
    warnings,
    ...(standing === '' ? {} : { left: standing }),
    ...(published.more === null ? {} : { more: published.more }),
  };
}

/**
 * Drops the snapshot and runs `after`. Fails as published all the same; the next start resumes it. Returns what could not be
 * dropped because somebody still reads it, and what stands there in a snapshot's place, in words.
 */
export async function finishPublished(
  at: BatchReference,
  drop: boolean,
  after: boolean,
  name: string,
  progress: Progress,
): Promise<{ left: string | undefined; others: string[] }> {
  const { connection, batchId } = at;
  try {
    let left: string | undefined;
    let others: string[] = [];
    if (drop) {
      progress.phase('dropping the snapshot');
      const result = await activities('the snapshot has been published').dropSnapshot({ connection, batchId });
      left = inWords(result);
      others = result.others ?? [];
    }
    if (after) {
      progress.phase('after');
      await activities('after').runSteps({ connection, batchId, phase: 'after' });
    }
    return { left, others };
  } catch (error) {
    const summary = summarize(error);
    throw failureOf(
      {
        type: FAILURE.afterFailed,
        message: `batch ${batchId} is published, but what comes after failed: ${summary.message}`,
        where: summary.where ?? `load ${name}, batch ${batchId}`,
        next: `mend it and start the load again: it goes on there. waybill run ${name} --force skips it`,
      },
      { batch: { connection, batchId } },
    );
  }
}

function inWords({ left }: { left: UndroppedSnapshot[] }): string | undefined {
  if (left.length === 0) return undefined;
  return left
    .map(({ processing, heldBy }) => `${processing} is still in use by ${heldBy.join(', ') || 'somebody'}`)
    .join('; ');
}
