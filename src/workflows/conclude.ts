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
  progress.phase('finishing');
  await finishPublished(batch, batch.snapshot, batch.after.length > 0, input.load);
  progress.phase('done');
  return {
    load: input.load,
    status: 'finished',
    batch: { connection: batch.connection, batchId: batch.batchId },
    rowsWritten: published.rowsWritten,
    chunks: published.chunks,
    warnings,
  };
}

/** Drops the snapshot and runs `after`. Fails as published all the same; the next start resumes it. */
export async function finishPublished(at: BatchReference, drop: boolean, after: boolean, name: string): Promise<void> {
  const { connection, batchId } = at;
  try {
    if (drop) await activities('the snapshot has been published').dropSnapshot({ connection, batchId });
    if (after) {
      await activities('after').runSteps({ connection, batchId, phase: 'after' });
    }
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
