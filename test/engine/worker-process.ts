/** A worker as a process of its own, for tests that kill or freeze it. */
import pino from 'pino';
import { startWorker } from '../../src/worker/worker.ts';
import { watchStatements } from '../crash/points.ts';

watchStatements();
shiftClock(Number(process.env['WAYBILL_TEST_CLOCK_SHIFT_MS'] ?? 0));
const project = process.env['WAYBILL_TEST_PROJECT'];
if (project !== undefined) void work(project); // else the code is only read: run-compiled.mjs

async function work(project: string): Promise<void> {
  const limit = process.env['WAYBILL_TEST_HISTORY_LIMIT'];
  const searchMs = process.env['WAYBILL_TEST_SEARCH_MS'];
  const worker = await startWorker({
    project,
    bundle: { codePath: process.env['WAYBILL_TEST_BUNDLE']! },
    ...(limit === undefined ? {} : { historyLimit: Number(limit) }),
    ...(searchMs === undefined ? {} : { searchMs: Number(searchMs) }),
    mostShared: Number(process.env['WAYBILL_TEST_MOST_SHARED'] ?? 1),
    log: pino({ level: process.env['WAYBILL_TEST_LOG'] ?? 'silent' }, pino.destination(2)),
  });
  console.log('polling');
  process.on('SIGTERM', () => void worker.stop());
  await worker.done;
}

/** This process takes it for so much later (or earlier) than everybody else does. */
function shiftClock(ms: number): void {
  if (ms === 0) return;
  const Real = Date;
  globalThis.Date = class extends Real {
    constructor(...given: []) {
      if (given.length > 0) super(...given);
      else super(Real.now() + ms);
    }
    static override now(): number {
      return Real.now() + ms;
    }
  } as DateConstructor;
}
