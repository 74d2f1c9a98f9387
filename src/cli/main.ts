#!/usr/bin/env node
import { processIo } from './io.ts';
import { main } from './program.ts';

/** What a command leaves open (a connection that closes slowly) must not keep its answer from the shell. */
const LEAVE_WITHIN_MS = 3_000;

process.exitCode = await main(process.argv.slice(2), processIo);
setTimeout(() => process.exit(), LEAVE_WITHIN_MS).unref();
