import { UnreachableError } from '../../errors.ts';
import { TransactionLostError, type ErrorFacts } from '../dialect.ts';

interface ServerError extends Error {
  code?: string;
  detail?: string;
  schema?: string;
  table?: string;
  column?: string;
  constraint?: string;
}

/** SQLSTATEs after which the same statement may work (PostgreSQL manual, appendix A). */
const TRANSIENT = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available
  '55006', // object_in_use
  '57014', // query_canceled: a time limit or a DBA; the deadline of the batch ends it in the end
  '53000',
  '53100', // disk_full
  '53200', // out_of_memory
  '53300', // too_many_connections
  '53400',
  '58030', // io_error
]);
/** SQLSTATEs, and codes of node's network errors, after which the connection is gone. */
const CONNECTION = new Set([
  '57P01', // admin_shutdown: also what a fence does to a lane
  '57P02',
  '57P03', // cannot_connect_now: starting up
  '57P05',
  '25P03', // idle_in_transaction_session_timeout: we were asleep
  '25P04', // transaction_timeout
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
const DISK_FULL_WAIT_SECONDS = 30;

/** Sorts an error of `pg`, or of the network under it. */
export function classify(error: unknown): ErrorFacts {
  const failure = (error instanceof Error ? error : new Error(String(error))) as ServerError;
  const { code } = failure;
  const message = [failure.message, failure.detail].filter(Boolean).join('. ');
  return {
    kind: kindOf(failure),
    code,
    message: code && /^[0-9A-Z]{5}$/.test(code) ? `${message} (SQLSTATE ${code})` : message,
    safeMessage: safeMessage(failure),
    retryAfterSeconds: code === '53100' ? DISK_FULL_WAIT_SECONDS : 0,
  };
}

function kindOf(failure: ServerError): ErrorFacts['kind'] {
  if (failure instanceof UnreachableError) return 'connection';
  if (failure instanceof TransactionLostError) return 'permanent';
  const { code } = failure;
  if (code === undefined) {
    // pg's own words for a lost connection carry no code
    return /connection (terminated|ended|timeout)|terminating connection|not queryable|client was closed|socket hang up|timeout (expired|exceeded)/i.test(
      failure.message,
    )
      ? 'connection'
      : 'permanent';
  }
  if (CONNECTION.has(code) || code.startsWith('08')) return 'connection';
  return TRANSIENT.has(code) ? 'transient' : 'permanent';
}

/**
 * Values of rows stand in `detail` always and in `message` for data exceptions (22xxx: `invalid input syntax for type
 * integer: "abc"`) and for what users raise themselves (P0001). Names of objects are no secret.
 */
function safeMessage(failure: ServerError): string {
  const { code } = failure;
  if (code === undefined || !/^[0-9A-Z]{5}$/.test(code)) return failure.message;
  const open = code.startsWith('22') || code === 'P0001' || code.startsWith('23');
  const text = open ? withoutValues(failure, code) : failure.message;
  return `${text} (SQLSTATE ${code})`;
}

function withoutValues(failure: ServerError, code: string): string {
  if (code === 'P0001') return 'the SQL raised an exception of its own; its text stands in the ledger';
  const names = [
    failure.constraint && `constraint ${failure.constraint}`,
    failure.table && `table ${[failure.schema, failure.table].filter(Boolean).join('.')}`,
    failure.column && `column ${failure.column}`,
  ].filter(Boolean);
  // "…: "value"" ends every message of class 22 that quotes one
  const text = failure.message
    .replace(/: ".*$/s, '')
    .replace(/"[^"]*"/g, (quoted) => (code.startsWith('23') ? quoted : '"…"'));
  return names.length > 0 && code.startsWith('22') ? `${text} (${names.join(', ')})` : text;
}

/** A connection that could not be opened: which, why, and what to look at. Never holds the URL's password. */
export function connectionError(connection: string, error: unknown): UnreachableError {
  if (error instanceof UnreachableError) return error;
  const failure = error as ServerError & { address?: string; port?: number; errors?: ServerError[] };
  const first = failure.errors?.[0] ?? failure; // an AggregateError of all addresses of a host
  const code = first.code ?? failure.code;
  const why = first.message || code || 'no reason given';
  const next =
    code === '28P01' || code === '28000'
      ? `check user and password in the URL of connection ${connection}`
      : code === '3D000'
        ? `create the database, or correct its name in the URL of connection ${connection}`
        : code === '53300'
          ? `raise max_connections on the server, or lower max_connections of connection ${connection}`
          : `check that the server runs and that the URL of connection ${connection} names its host and port`;
  return new UnreachableError(`cannot connect to ${connection}: ${why}`, {
    where: `connection ${connection}`,
    next,
    cause: error,
  });
}
