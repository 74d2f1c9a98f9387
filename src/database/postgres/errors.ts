import { UnreachableError } from '../../errors.ts';
import { TransactionLostError, type ErrorFacts } from '../dialect.ts';
import { TEXT_IN_LEDGER } from '../hidden-text.ts';
import { NETWORK_ERRORS } from '../network-errors.ts';
import { tlsAdvice } from '../tls-advice.ts';
import { WRITES_NOTHING } from '../writes-nothing.ts';

interface ServerError extends Error {
  code?: string;
  detail?: string;
  hint?: string;
  schema?: string;
  table?: string;
  column?: string;
  constraint?: string;
  /** In the language of the server's messages. */
  severity?: string;
  /** The server's function that reported it. */
  routine?: string;
  /** It came in a transaction that we began read only. */
  onlyReading?: boolean;
}

/** After `lock_timeout`, and at once with NOWAIT. */
const LOCK_NOT_AVAILABLE = '55P03';
/** SQLSTATEs after which the same statement may work (PostgreSQL manual, appendix A). */
const TRANSIENT = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  LOCK_NOT_AVAILABLE,
  '55006', // object_in_use
  '57014', // query_canceled: a time limit or a DBA; the deadline of the batch ends it in the end
  '53000',
  '53100', // disk_full
  '53200', // out_of_memory
  '53300', // too_many_connections
  '53400',
  '58030', // io_error
]);
/** SQLSTATEs with which a server ends a connection, and codes of node's network errors, after which it is gone. */
const CONNECTION = new Set([
  '57P01', // admin_shutdown: also what a fence does to a lane
  '57P02',
  '57P03', // cannot_connect_now: starting up
  '57P05',
  '25P03', // idle_in_transaction_session_timeout: we were asleep
  '25P04', // transaction_timeout
  ...NETWORK_ERRORS,
]);
/** undefined_table, invalid_schema_name; insufficient_privilege. */
const BECAUSE: Record<string, ErrorFacts['because']> = { '42P01': 'missing', '3F000': 'missing', '42501': 'forbidden' };
/**
 * Data exceptions and constraints, a query that had one row too many, what a trigger raises under whichever SQLSTATE of its own, a view's
 * check option, a value too long for an index (54000): of the rows that were written, not of the statement.
 */
const isAboutData = (failure: ServerError): boolean => {
  const { code, routine } = failure;
  return (
    code !== undefined &&
    SQLSTATE.test(code) &&
    !isOutOfNumbers(failure) &&
    (/^2[23]/.test(code) || ['21000', '44000', '54000', 'P0001'].includes(code) || routine === RAISED)
  );
};
/**
 * The server takes no writes until a VACUUM has freed numbers of transactions, to keep data from being lost to their wraparound: under the
 * code of a row that is too long.
 */
const isOutOfNumbers = ({ code, routine }: ServerError): boolean =>
  code === '54000' && ['GetNewTransactionId', 'GetNewMultiXactId'].includes(routine ?? '');
/** The server's function that runs PL/pgSQL's RAISE, whatever the language of its messages. */
const RAISED = 'exec_stmt_raise';
/** Of what a person has to see to: place on a disk, a VACUUM. */
const LONG_WAIT_SECONDS = 30;
const READ_ONLY = '25006';
/**
 * The server takes no writes: failed over, and this is still a standby. To a BEGIN READ WRITE it says so as of a feature that it does not
 * support, by the one check of a boolean setting that does (guc.c): a code that stands for much else, and a text in the server's language.
 */
const isReadOnly = ({ code, routine, onlyReading }: ServerError): boolean =>
  (code === READ_ONLY && !onlyReading) || (code === '0A000' && routine === 'call_bool_check_hook');
const PRIMARY = 'give the URL of the server that takes writes; a standby may be a source, from which SQL only reads';
/** Each has a digit; the network's EPIPE has none. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;

/** Sorts an error of `pg`, or of the network under it. */
export function classify(error: unknown): ErrorFacts {
  const failure = (error instanceof Error ? error : new Error(String(error))) as ServerError;
  const code = typeof failure.code === 'string' ? failure.code : undefined;
  const message = withHint([failure.message, failure.detail].filter(Boolean).join('. '), failure);
  const because = BECAUSE[code ?? ''] ?? (isAboutData(failure) ? 'data' : undefined);
  return {
    kind: kindOf(failure),
    code,
    ...(because && { because }),
    ...(code === LOCK_NOT_AVAILABLE && { locked: true }),
    message: code && SQLSTATE.test(code) ? `${message} (SQLSTATE ${code})` : message,
    safeMessage: safeMessage(failure),
    retryAfterSeconds: code === '53100' || isOutOfNumbers(failure) ? LONG_WAIT_SECONDS : 0,
    ...(isReadOnly(failure) && { next: PRIMARY }),
    ...(failure.onlyReading && { next: WRITES_NOTHING }),
  };
}

/** An error of SQL in a transaction that we began read only: of one that would write, no other attempt could be let. */
export function whileReading(error: unknown): unknown {
  if (error instanceof Error && (error as ServerError).code === READ_ONLY) Object.assign(error, { onlyReading: true });
  return error;
}

/** Where a message may be shown, what the server advises may be, too. */
const withHint = (message: string, { hint }: ServerError): string =>
  hint ? `${message.replace(/\.$/, '')}. ${hint.replace(/\.$/, '')}` : message;

function kindOf(failure: ServerError): ErrorFacts['kind'] {
  if (failure instanceof UnreachableError) return 'connection';
  if (failure instanceof TransactionLostError) return 'permanent';
  const { code } = failure;
  if (typeof code !== 'string') {
    // pg's own words for a lost connection carry no code
    return /connection (terminated|ended|timeout)|terminating connection|not queryable|client was closed|socket hang up|timeout (expired|exceeded)/i.test(
      failure.message,
    )
      ? 'connection'
      : 'permanent';
  }
  if (CONNECTION.has(code) || code.startsWith('08')) return endedOurs(failure) ? 'connection' : 'transient';
  return TRANSIENT.has(code) || isReadOnly(failure) || isOutOfNumbers(failure) ? 'transient' : 'permanent';
}

/**
 * Whether it is our connection that is gone: the network says so, or the server, of an error after which it hangs up. SQL that is
 * refused another connection (postgres_fdw, dblink) fails under the same codes, on a session that lives and can say what was wrong.
 * Of the languages that translate the severity the commonest way to be ended is known by the server's function.
 */
const endedOurs = ({ severity, routine }: ServerError): boolean =>
  severity === undefined || ['FATAL', 'PANIC'].includes(severity) || routine === 'ProcessInterrupts';

/** Classes whose messages name objects and settings, never values of rows. */
const OPEN_CLASSES = new Set(['08', '25', '28', '3D', '3F', '40', '42', '53', '54', '55', '57', '58']);

/** Errors of the other classes whose message can do without a value: only then is it passed on. */
const WITHOUT_VALUES = new Set(['22001', '22003', '22008', '22012']);

/** What the commonest errors of the other classes are called; the rest go by their SQLSTATE. */
const CALLED: Record<string, string> = {
  '22001': 'value too long for its type',
  '22003': 'number out of range',
  '22007': 'invalid date or time',
  '22008': 'date or time out of range',
  '22012': 'division by zero',
  '22021': 'character not in the encoding',
  '22P02': 'invalid text for the type',
  '22P05': 'character not in the encoding',
  '23502': 'null value in a not-null column',
  '23503': 'foreign key violated',
  '23505': 'duplicate key',
  '23514': 'check constraint violated',
  '23P01': 'exclusion constraint violated',
};

/**
 * The message for Temporal's history: names of objects are no secret, values of rows are. PostgreSQL puts those into
 * messages of classes 22 and 23, and users put them into what they raise themselves, under any code. Whether it was raised
 * is told by the server's own routine name, whatever the language of its messages.
 */
function safeMessage(failure: ServerError): string {
  const { code } = failure;
  if (typeof code !== 'string' || !SQLSTATE.test(code)) return failure.message;
  const suffix = ` (SQLSTATE ${code})`;
  if (failure.routine === RAISED || failure.routine === 'exec_stmt_assert') {
    return `the SQL raised an exception of its own; its ${TEXT_IN_LEDGER}${suffix}`;
  }
  if (OPEN_CLASSES.has(code.slice(0, 2)) || isReadOnly(failure))
    return `${withHint(failure.message, failure)}${suffix}`;
  // The server's own words say more (`value too long for type character varying(3)`) where they quote nothing.
  if (WITHOUT_VALUES.has(code) && !/["'«»„“”‘’「」]/.test(failure.message)) return `${failure.message}${suffix}`;
  const names = [
    failure.constraint && `constraint ${failure.constraint}`,
    failure.table && `table ${[failure.schema, failure.table].filter(Boolean).join('.')}`,
    failure.column && `column ${failure.column}`,
  ].filter(Boolean);
  const called = CALLED[code] ?? `an error whose ${TEXT_IN_LEDGER}`;
  return `${called}${names.length > 0 ? ` (${names.join(', ')})` : ''}${suffix}`;
}

/** So a pooler answers to `options`, in the message that begins a connection, that it does not know. */
const PROTOCOL_VIOLATION = '08P01';

/** A connection that could not be opened: which, why, and what to look at. Never holds the URL's password. */
export function connectionError(connection: string, error: unknown): UnreachableError {
  if (error instanceof UnreachableError) return error;
  const failure = error as ServerError & { address?: string; port?: number; errors?: ServerError[] };
  const first = failure.errors?.[0] ?? failure; // an AggregateError of all addresses of a host
  const code = first.code ?? failure.code;
  const noPassword = /client password must be a string/.test(first.message);
  const why = noPassword ? 'the server wants a password, and there is none' : explain(first, code);
  const next =
    noPassword || code === '28P01' || (code === '28000' && tlsAdvice(connection, why) === undefined)
      ? `check user and password in the URL of connection ${connection}`
      : code === '3D000'
        ? `create the database, or correct its name in the URL of connection ${connection}`
        : code === '53300'
          ? `raise max_connections on the server, or lower max_connections of connection ${connection}`
          : code === PROTOCOL_VIOLATION
            ? `leave \`options\` out of the URL of connection ${connection} (and PGOPTIONS unset): what is at its host does not take them`
            : (tlsAdvice(connection, why) ??
              `check that the server runs and that the URL of connection ${connection} names its host and port`);
  return new UnreachableError(`cannot connect to ${connection}: ${why}`, {
    where: `connection ${connection}`,
    next,
    cause: error,
  });
}

/** What the network says, in words; what the server says, as it says it. */
function explain({ message, hostname }: ServerError & { hostname?: string }, code: string | undefined): string {
  if (code === 'ENOTFOUND' && hostname !== undefined) return `no host is named ${hostname}`;
  return message || code || 'no reason given';
}
