import { condition } from '@temporalio/workflow';
import type { OpenedBatch } from '../activities/opened-batch.ts';
import { activities } from './activity-proxies.ts';
import { failureOf } from './error-summary.ts';
import { FAILURE } from './messages.ts';
import type { Progress } from './progress.ts';
import { HistoryFull, historyIsFull, StageLanes } from './stage-lanes.ts';
import type { Steering } from './steering.ts';
import { takeDown } from './take-down.ts';
import { waitBeforeLook } from './wait.ts';

/** Everything up to publish. */
export async function work(
  batch: OpenedBatch,
  progress: Progress,
  steering: Steering,
  warnings: string[],
  continued: boolean,
): Promise<void> {
  const at = { connection: batch.connection, batchId: batch.batchId };
  if (batch.before.length > 0) {
    await unpaused(steering);
    progress.phase('before');
    await activities('before').runSteps({ ...at, phase: 'before' });
  }
  if (batch.snapshot) {
    await unpaused(steering);
    progress.phase('snapshot');
    await snapshot(batch, progress);
  }
  // Its chunks are planned once they have ended: a run that goes on, or a batch that is resumed, would wait for others, which began later.
  if (batch.source && batch.stages.some((stage) => stage.chunksTotal === null)) {
    progress.phase('waiting for transactions on the source');
    await activities('until every transaction that was open has ended').settleSource(at);
  }
  for (const stage of batch.stages) {
    if (stage.chunksTotal !== null && stage.chunksDone === stage.chunksTotal) continue;
    await unpaused(steering);
    progress.phase(stage.name);
    progress.stage(stage.n, { state: 'planning' });
    const planned = await activities(stage.name).planStage({ ...at, stage: stage.n });
    progress.stage(stage.n, {
      state: 'running',
      chunksTotal: planned.planned ?? 0,
      chunksDone: planned.done,
      rows: planned.rows,
    });
    if (planned.pending > 0 || planned.failed > 0) {
      // No more lanes than chunks: a small stage opens no connections that would find nothing. One at least: where all that is
      // left has failed (the workflow was reset), it says so; without any the load would wait for its max_runtime.
      const lanes = Math.max(1, Math.min(stage.lanes, planned.pending));
      await new StageLanes(batch, { ...stage, lanes }, steering, progress, continued).run();
    }
    progress.stage(stage.n, { state: 'done', lanes: 0 });
  }
  await unpaused(steering);
  progress.phase('checking');
  const checks = await activities(`${batch.checks} check${batch.checks === 1 ? '' : 's'}`).runChecks(at);
  progress.state('checking');
  warnings.push(...checks.warnings);
  if (checks.errors.length > 0) {
    throw failureOf({
      type: FAILURE.check,
      message: `check failed: ${checks.errors.join('; ')}`,
      where: `load ${batch.load}, batch ${batch.batchId}`,
      next: `look into the rows of the snapshot, mend the data or the SQL, then start the load again`,
    });
  }
}

async function unpaused(steering: Steering): Promise<void> {
  if (steering.paused) await condition(() => !steering.paused);
}

/** Takes the snapshot once no acquisition is half-way into its tables; acquisitions whose workflow died are rolled back. */
async function snapshot(batch: OpenedBatch, progress: Progress): Promise<void> {
  for (let waits = 0; ; waits += 1) {
    const outcome = await activities(`batch ${batch.batchId}`).takeSnapshot({
      connection: batch.connection,
      batchId: batch.batchId,
    });
    if (outcome.kind === 'taken') return;
    const dead = outcome.on.filter((writer) => writer.dead);
    for (const writer of dead) {
      progress.phase(`rolling back ${writer.load}, whose workflow died`);
      await takeDown(writer.batch, 'interrupted', `its workflow ended without finishing it`, { load: writer.load });
    }
    if (dead.length > 0) continue;
    progress.phase(`waiting for ${outcome.on.map((writer) => writer.load).join(', ')}`);
    await waitBeforeLook(waits);
    if (historyIsFull(batch, waits > 0)) throw new HistoryFull();
  }
}
