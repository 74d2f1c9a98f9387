import type { Waybill } from '../client/waybill.ts';
import { EXIT } from '../errors.ts';
import type { SteerResult } from '../workflows/messages.ts';
import type { Cli } from './cli.ts';

/** The action of `pause`, `resume` and `lanes`: asks, and prints the answer. */
export function steerCommand<Args extends unknown[]>(
  cli: Cli,
  done: (exitCode: number) => void,
  ask: (waybill: Waybill, ...args: Args) => Promise<SteerResult>,
): (...args: Args) => Promise<void> {
  return async (...args) => {
    const { load, batch, answer } = await cli.withWaybill((waybill) => ask(waybill, ...args));
    cli.document({ load, batch_id: batch?.batchId ?? null, answer });
    cli.say(`${load}${batch ? `, batch ${batch.batchId}` : ''}: ${answer}`);
    done(EXIT.done);
  };
}
