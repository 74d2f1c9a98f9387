import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { Io } from './io.ts';

/** Logs on standard error: lines for people on a terminal, JSON for machines elsewhere. */
export function createLog({ stderr, env }: Io): Logger {
  const level = env['WAYBILL_LOG_LEVEL'] ?? 'info';
  if (stderr.isTTY !== true) return pino({ level }, stderr);
  return pino(
    { level },
    pretty({ destination: stderr, colorize: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss' }),
  );
}
