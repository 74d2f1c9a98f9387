import { activities } from './activity-proxies.ts';
import { failureOf, summarize } from './error-summary.ts';
import type { LoadInput, OwnedBatch } from './messages.ts';

/** Fence, then roll back. For batches whose own workflow is gone. */
export async function takeDown(batch: OwnedBatch, errorClass: string, why: string, input: LoadInput): Promise<void> {
  try {
    const { state } = await activities(`batch ${batch.batchId}: ${why}`).fenceBatch({
      ...batch,
      to: 'rolling_back',
      errorClass,
      error: why,
      requestedBy: input.requestedBy,
    });
    if (state === 'rolling_back') {
      await activities(`batch ${batch.batchId}: ${why}`).rollBack({
        connection: batch.connection,
        batchId: batch.batchId,
      });
    }
  } catch (error) {
    throw failureOf(summarize(error));
  }
}
