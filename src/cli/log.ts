import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { Io } from './io.ts';
import { UsageError } from './usage-error.ts';

/** What WAYBILL_LOG_LEVEL may be: pino's own, from the most words to none. */
const LEVELS = [...Object.keys(pino.levels.values), 'silent'];

/** Logs on standard error: lines for people on a terminal, JSON for machines elsewhere. Throws as `logLevel` does. */
export function createLog({ stderr, env }: Pick<Io, 'stderr' | 'env'>, unlessSet = 'info'): Logger {
  const level = logLevel(env) ?? unlessSet;
  if (stderr.isTTY !== true) return pino({ level }, stderr);
  return pino(
    { level },
    pretty({ destination: stderr, colorize: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss' }),
  );
}

/** WAYBILL_LOG_LEVEL; undefined: it is not set, or empty. Throws `UsageError` for a level that there is not. */
export function logLevel(env: NodeJS.ProcessEnv): string | undefined {
  const level = env['WAYBILL_LOG_LEVEL'];
  if (level === undefined || level === '') return undefined;
  if (LEVELS.includes(level)) return level;
  throw new UsageError(`WAYBILL_LOG_LEVEL is ${level}, and must be one of ${LEVELS.join(', ')}`);
}
