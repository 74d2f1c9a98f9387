import { activities } from './activity-proxies.ts';
import { failureOf, summarize } from './error-summary.ts';
import { FAILURE, type BatchReference } from './messages.ts';
import type { Progress } from './progress.ts';

/** Runs the `on_error` steps of a batch that has failed. */
export async function recover({ connection, batchId }: BatchReference, progress: Progress): Promise<void> {
  progress.phase('on_error');
  await activities(`batch ${batchId} has failed`).runSteps({ connection, batchId, phase: 'on_error' });
}

/** The same for a batch of an earlier run: the next one has to wait for it. */
export async function recoverBefore(batch: BatchReference, load: string, progress: Progress): Promise<void> {
  try {
    await recover(batch, progress);
  } catch (error) {
    const { message, where } = summarize(error);
    throw failureOf({
      type: FAILURE.loadFailed,
      message: `on_error of batch ${batch.batchId}, which had failed, failed: ${message}`,
      where: where ?? `load ${load}, batch ${batch.batchId}`,
      next: `mend it and start the load again: it goes on there. waybill run ${load} --force skips it, and begins anew`,
    });
  }
}
