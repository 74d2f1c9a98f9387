/** A worker as a process of its own, for tests that kill or freeze it. */
import pino from 'pino';
import { startWorker } from '../../src/worker/worker.ts';

const worker = await startWorker({
  project: process.env['WAYBILL_TEST_PROJECT']!,
  log: pino({ level: process.env['WAYBILL_TEST_LOG'] ?? 'silent' }, pino.destination(2)),
});
console.log('polling');
process.on('SIGTERM', () => void worker.stop());
await worker.done;
