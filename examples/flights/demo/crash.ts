import { setTimeout as sleep } from 'node:timers/promises';
import { LoadFailedError } from '../../../src/errors.ts';
import { isAlive } from '../../../src/dev/server-process.ts';
import { withDatabase } from './database.ts';

export interface ChunkCount {
  done: number;
  all: number;
}

/** What the ledger says about the newest batch of the core load. */
const LEDGER = `
  select sum(case when c.state = 'done' then 1 else 0 end) as done, count(*) as planned
  from waybill.chunk c
  join waybill.batch b on b.batch_id = c.batch_id
  join waybill.stage s on s.batch_id = c.batch_id and s.n = c.stage
  where b.load_name = 'core.flight' and s.name = 'flights'
    and b.batch_id = (select max(batch_id) from waybill.batch where load_name = 'core.flight')`;

/**
 * Waits until a third of the core load's chunks are done, kills the worker with SIGKILL, and says how many were done when it
 * was gone.
 *
 * @param over whether the session has ended, so that there is nothing left to wait for
 * @throws LoadFailedError when the kill did not come in the middle: then it would prove nothing.
 */
export function killInTheMiddle(warehouseUrl: string, pid: number, over: () => boolean): Promise<ChunkCount> {
  return withDatabase(warehouseUrl, async (ledger) => {
    const read = async (): Promise<ChunkCount> => {
      const [row] = await ledger.ask<{ done: string | null; planned: string }>(LEDGER);
      return { done: Number(row!.done), all: Number(row!.planned) };
    };
    let { done, all } = await read();
    while (!over() && (all === 0 || done < Math.max(1, all / 3))) {
      await sleep(20);
      ({ done, all } = await read());
    }
    process.kill(pid, 'SIGKILL');
    while (isAlive(pid)) await sleep(10);
    const atTheKill = await read();
    if (over() || atTheKill.done === 0 || atTheKill.done >= atTheKill.all) {
      throw new LoadFailedError(
        `The worker was not killed inside the core load: ${atTheKill.done} of ${atTheKill.all} chunks were done.`,
        { next: 'Use more flights, so that there is a middle.' },
      );
    }
    return atTheKill;
  });
}
