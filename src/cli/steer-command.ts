import { findLoad } from '../client/names.ts';
import type { Waybill } from '../client/waybill.ts';
import type { Project } from '../config/definition.ts';
import { EXIT, LoadFailedError } from '../errors.ts';
import type { SteerResult } from '../workflows/messages.ts';
import type { Cli } from './cli.ts';

/** The action of `pause`, `resume` and `lanes`: asks, and prints the answer. Throws `LoadFailedError` where it is too late for the batch. */
export function steerCommand<Args extends [load: string, ...unknown[]]>(
  cli: Cli,
  done: (exitCode: number) => void,
  ask: (waybill: Waybill, ...args: Args) => Promise<SteerResult>,
): (...args: Args) => Promise<void> {
  return async (...args) => {
    const check = (project: Project): unknown => findLoad(project, args[0]);
    const { load, batch, answer } = await cli.withWaybill((waybill) => ask(waybill, ...args), { check });
    const inBatch = batch ? `, batch ${batch.batchId}` : '';
    if (!answer.startsWith('accepted')) {
      const parts = { where: `load ${load}${inBatch}`, next: `see: waybill status ${load}` };
      throw new LoadFailedError(`${load}: ${answer}`, parts);
    }
    cli.document({ load, batch_id: batch?.batchId ?? null, answer });
    cli.say(`${load}${inBatch}: ${answer}`);
    done(EXIT.done);
  };
}
