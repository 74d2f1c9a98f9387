#!/usr/bin/env node
import { EXIT } from '../errors.ts';
import { processIo } from './io.ts';
import { main } from './program.ts';

/** What a command leaves open (a connection that closes slowly) must not keep its answer from the shell. */
const LEAVE_WITHIN_MS = 3_000;

// A reader that has gone (`waybill status | head`) wants no more: the command goes on to its end, and says by its exit code how
// that was. A disk that is full has kept an answer from somebody who wants it.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' || process.exitCode !== undefined) return;
  process.exitCode = EXIT.failed;
  process.stderr.write(`waybill: standard output cannot be written: ${error.message}\n`);
});
process.stderr.on('error', () => undefined); // there is nobody left to say it to

const exitCode = await main(process.argv.slice(2), processIo);
if (exitCode !== EXIT.done || process.exitCode === undefined) process.exitCode = exitCode;
setTimeout(() => process.exit(), LEAVE_WITHIN_MS).unref();
