import { LoadFailedError, UnreachableError } from '../../errors.ts';
import { TransactionLostError, type ErrorFacts } from '../dialect.ts';
import { TEXT_IN_LEDGER } from '../hidden-text.ts';
import { NETWORK_ERRORS } from '../network-errors.ts';
import { tlsAdvice } from '../tls-advice.ts';
import { WRITES_NOTHING } from '../writes-nothing.ts';
import { OVERFLOWED } from './prove-rows.ts';

/** ER_LOCK_WAIT_TIMEOUT: also of locks on the metadata of a table. */
export const LOCK_WAIT_TIMEOUT = 1205;
/** ER_LOCK_NOWAIT */
const NO_WAIT = 3572;
const WAIT_LIMITS = ['innodb_lock_wait_timeout', 'lock_wait_timeout'];

interface ServerError extends Error {
  /** A symbol of the server's (`ER_DUP_ENTRY`), of the driver's or of the network's. */
  code?: string;
  errno?: number;
  sqlState?: string;
}

/** Numbers after which the same statement, or its whole transaction, may work (both servers' manuals, error reference). */
const TRANSIENT = new Set([
  1020, // record has changed since last read
  1021, // disk full
  1030, // storage engine: mostly no space
  1037, // out of memory
  1038,
  1040, // too many connections
  1041,
  1114, // table or disk full
  1203, // too many connections of this user
  LOCK_WAIT_TIMEOUT, // the statement is undone, its locks are kept
  1206, // lock table full
  1213, // deadlock: the whole transaction is undone
  1226, // a user's limit an hour
  1317, // interrupted: by KILL, whose connection then goes, or KILL QUERY
  1461, // too many prepared statements, of all connections together
  1412, // table definition has changed
  1467, // no AUTO_INCREMENT number: so MariaDB calls a deadlock in which a statement waits for that lock of the table
  1614, // XA deadlock
  1615, // to be prepared again
  1637, // too many transactions
  1969, // MariaDB's max_statement_time
  3024, // MySQL's max_execution_time
  3058, // deadlock of GET_LOCK
  3101, // a group, or a failing over to another primary, had the transaction rolled back at its COMMIT
  NO_WAIT,
  3675, // disk full, for a new table
]);
/** Numbers, and codes of driver and network, after which the connection is gone. */
const CONNECTION = new Set<number | string>([
  1053, // shutting down
  1077,
  1079,
  1080,
  1129, // host blocked for too many broken connections
  1152,
  1158,
  1159,
  1160,
  1161,
  1184,
  1927, // killed (MariaDB)
  2002,
  2003,
  2006, // gone away
  2013, // lost during a query
  2055,
  3169, // killed (MySQL)
  4031, // idle for longer than wait_timeout
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_SEQUENCE_TIMEOUT',
  'PROTOCOL_PACKETS_OUT_OF_ORDER',
  ...NETWORK_ERRORS,
]);
const BECAUSE = new Map<number, ErrorFacts['because']>([
  [1049, 'missing'],
  [1146, 'missing'],
  [1044, 'forbidden'],
  [1142, 'forbidden'],
  [1143, 'forbidden'],
  [1227, 'forbidden'],
  [1370, 'forbidden'],
]);
/** Values that do not fit, constraints, a query that had one row too many, what a trigger signals: of rows, not of the statement. */
const ABOUT_DATA = new Set([
  OVERFLOWED,
  ...[
    1048, 1062, 1169, 1172, 1216, 1217, 1242, 1263, 1264, 1265, 1292, 1365, 1366, 1367, 1369, 1406, 1411, 1416, 1425,
    1441,
  ],
  ...[
    1451, 1452, 1525, 1526, 1557, 1586, 1644, 1690, 1748, 1977, 3140, 3141, 3156, 3819, 3854, 3903, 4025, 4038, 4095,
    4096,
  ],
]);
const NO_SPACE = new Set([20, 135, 1021, 1030, 1114, 3675]);
const NO_SPACE_WAIT_SECONDS = 30;
/** Of files: that they cannot be created, closed, renamed, written. Numbers below 1000 are of files, too, or of an engine. */
const OF_FILES = new Set([1004, 1005, 1023, 1025, 1026]);
/** Why not, at the end of such a message: the operating system's ENOSPC, or an engine's "no more room in record file". */
const NO_ROOM = /\((?:OS errno|Errcode:|errno:) (?:28|135)\b/;

/** The disk is full: of tables, of temporary files or of both. */
function isFull(number: number, message: string): boolean {
  if (NO_SPACE.has(number)) return true;
  // Seen of MariaDB: a temporary table for which there was no more room is corrupted to it.
  if (number === 126) return message.includes('/#sql');
  return (number < 1000 || OF_FILES.has(number)) && NO_ROOM.test(message);
}

/** The server takes no writes: failed over, and this is still a replica. Under 1290 a server speaks of other options, too. */
const isReadOnly = (number: number, message: string): boolean =>
  number === 1836 || (number === 1290 && message.includes('read-only'));
const PRIMARY = 'give the URL of the server that takes writes; a replica may be a source';
/** What READ COMMITTED writes cannot be logged by statements: ER_BINLOG_STMT_MODE_AND_ROW_ENGINE. */
const STATEMENT_LOG = 1665;
/** Sessions write unless we began the transaction read only (connect.ts), so nothing else is told this: ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION. */
const ONLY_READS = 1792;
export const LOG_BY_ROWS = 'set binlog_format = ROW (or MIXED) on the server';

/** Somebody was in the way for longer than he was waited for. `errno` is the server's, so whoever sorts errors sees: try again. */
export class InTheWayError extends LoadFailedError {
  readonly errno = LOCK_WAIT_TIMEOUT;
}

/** Sorts an error of `mysql2`, or of the network under it. */
export function classify(error: unknown): ErrorFacts {
  const failure = (error instanceof Error ? error : new Error(String(error))) as ServerError;
  const number = numberOf(failure);
  const because = number === undefined ? undefined : (BECAUSE.get(number) ?? dataOf(number, failure));
  return {
    kind: kindOf(failure, number),
    code: number === undefined ? failure.code : String(number),
    ...(because && { because }),
    ...((number === LOCK_WAIT_TIMEOUT || number === NO_WAIT) && { locked: true }),
    ...(number === LOCK_WAIT_TIMEOUT && { waited: WAIT_LIMITS }),
    message: number === undefined ? failure.message : `${failure.message} (error ${number})`,
    safeMessage: safeMessage(failure, number),
    retryAfterSeconds: number !== undefined && isFull(number, failure.message) ? NO_SPACE_WAIT_SECONDS : 0,
    ...(number !== undefined && isReadOnly(number, failure.message) && { next: PRIMARY }),
    ...(number === STATEMENT_LOG && { next: LOG_BY_ROWS }),
    ...(number === ONLY_READS && { next: WRITES_NOTHING }),
    ...(number === OVERFLOWED && { next: 'raise max_allowed_packet on that server' }),
    ...(isUnknownType(number, failure.message) && { next: CAST_IT }),
  };
}

/** A SIGNAL comes under any number that its author gave it, with an SQLSTATE of his own. */
const dataOf = (number: number, { sqlState }: ServerError): 'data' | undefined =>
  ABOUT_DATA.has(number) || sqlState === '45000' ? 'data' : undefined;

/** The server's own number; errors of the network have one of the operating system, which is negative. */
function numberOf({ errno }: ServerError): number | undefined {
  return typeof errno === 'number' && errno > 0 ? errno : undefined;
}

/**
 * A plugin refused a COMMIT (ER_RUN_HOOK_ERROR), as group replication does while its primary changes: the server then rolls back
 * before it says so (sql/binlog.cc), so the outcome is known. Of other hooks the same number means that the table may not be written.
 */
const isRefusedCommit = (number: number, message: string): boolean =>
  number === 3100 && message.includes("'before_commit'");

const isTransient = (number: number, message: string): boolean =>
  TRANSIENT.has(number) || isFull(number, message) || isReadOnly(number, message) || isRefusedCommit(number, message);

function kindOf(failure: ServerError, number: number | undefined): ErrorFacts['kind'] {
  if (failure instanceof UnreachableError) return 'connection';
  if (failure instanceof TransactionLostError) return 'permanent';
  if (number !== undefined) {
    if (CONNECTION.has(number)) return 'connection';
    return isTransient(number, failure.message) ? 'transient' : 'permanent';
  }
  if (failure.code !== undefined && CONNECTION.has(failure.code)) return 'connection';
  // mysql2's own words for a lost connection carry no code.
  return /closed state|connection lost|connection is closed|socket hang up|pool is closed/i.test(failure.message)
    ? 'connection'
    : 'permanent';
}

/** MariaDB's, of a type that MySQL alone has, or a later MariaDB. */
const UNKNOWN_TYPE = 4161;
const TYPE_IS_UNKNOWN = /^Unknown data type: '\w+'$/;
const isUnknownType = (number: number | undefined, message: string): boolean =>
  number === UNKNOWN_TYPE && TYPE_IS_UNKNOWN.test(message);
const CAST_IT = 'read a view or a query (from.sql) that casts the column, or make the table';

/** Permanent errors whose message names objects of the schema, and never a value of a row. */
const WITHOUT_VALUES = new Set([
  OVERFLOWED,
  ...[
    1044, 1045, 1046, 1048, 1049, 1050, 1051, 1052, 1054, 1055, 1056, 1058, 1059, 1060, 1064, 1066, 1091, 1093, 1109,
    1110, 1111, 1115, 1136, 1137, 1140, 1142, 1143,
  ],
  ...[
    1146, 1149, 1176, 1191, 1193, 1221, 1222, 1227, 1235, 1241, 1248, 1253, 1263, 1264, 1265, 1267, 1271, 1273, 1288,
    1295, 1305, 1318, 1353, 1364, 1365, 1370, 1406, 1442, 1451, 1452, 1582, 1747,
  ],
  ...[3065, 3573, 3579, 3586, 3593, 3636, 3667, 3819], // MySQL alone
  ...[4002, 4004, 4005, 4009, 4014, 4015, 4025, 4078, 4091, 4177], // MariaDB alone
  STATEMENT_LOG,
  ONLY_READS,
]);
/** Others whose message has no value where it is this one: a later version of the server may say more. */
const NO_VALUE_IN: Partial<Record<number, RegExp>> = {
  3143: /^Invalid JSON path expression\. The error is around character position \d+\.$/,
  [UNKNOWN_TYPE]: TYPE_IS_UNKNOWN,
};
/** What the commonest of the others are called; the rest go by their number. */
const CALLED = new Map([
  [1062, 'duplicate key'],
  [1292, 'invalid value'],
  [1366, 'invalid value'],
  [1411, 'invalid value'],
  [1416, 'invalid geometry'],
  [1586, 'duplicate key'],
  [1644, `the SQL raised an exception of its own; its ${TEXT_IN_LEDGER}`],
  [1690, 'number out of range'],
  [1977, 'invalid value'],
  [3140, 'invalid JSON'],
  [3854, 'invalid value'],
]);

/** The message for Temporal's history and logs: names of objects are no secret, values of rows are. */
function safeMessage(failure: ServerError, number: number | undefined): string {
  if (number === undefined) return failure.message;
  const suffix = ` (error ${number})`;
  // A SIGNAL may come under any number, with any text; its own SQLSTATE is 45000 unless it takes another's name.
  const open =
    isTransient(number, failure.message) ||
    CONNECTION.has(number) ||
    WITHOUT_VALUES.has(number) ||
    NO_VALUE_IN[number]?.test(failure.message) === true;
  if (open && failure.sqlState !== '45000') return `${failure.message}${suffix}`;
  const called = CALLED.get(number) ?? `an error whose ${TEXT_IN_LEDGER}`;
  // Only what the server itself put at the end: a value before it may look the same.
  const about = /for (?:(key '[^']+')|(column (?:'[^']+'|`[^`]+`(?:\.`[^`]+`)*)) at row \d+)$/
    .exec(failure.message)
    ?.slice(1)
    .find(Boolean);
  return `${called}${about ? ` (${about})` : ''}${suffix}`;
}

/** An account with REQUIRE SSL, and a MariaDB that insists on it, deny access and say no more. */
const IF_ENCRYPTED_ONLY = '; if it takes encrypted connections only, write tls: true there';
/** MariaDB's ed25519 and parsec, LDAP, Kerberos. */
const UNKNOWN_PLUGIN = /authentication using unknown plugin/;

/** A connection that could not be opened: which, why, and what to look at. Never holds the URL's password. */
export function connectionError(connection: string, error: unknown, encrypted = false): UnreachableError {
  if (error instanceof UnreachableError) return error;
  const failure = error as ServerError & { errors?: ServerError[] };
  const first = failure.errors?.[0] ?? failure; // an AggregateError of all addresses of a host
  const number = numberOf(first);
  const why = first.message || first.code || 'no reason given';
  const next =
    number === 1045 || number === 1698
      ? `check user and password in the URL of connection ${connection}${encrypted ? '' : IF_ENCRYPTED_ONLY}`
      : number === 1049 || number === 1044
        ? `create the database and grant the user its rights, or correct its name in the URL of connection ${connection}`
        : number === 1820 || number === 1862
          ? `the password of its account has expired: give it a new one (alter user …), and the URL of connection ${connection}, too`
          : number === 1040 || number === 1203
            ? `raise max_connections on the server, or lower max_connections of connection ${connection}`
            : UNKNOWN_PLUGIN.test(why)
              ? `give its account a password of another kind (caching_sha2_password; MariaDB: mysql_native_password), which the driver knows`
              : (tlsAdvice(connection, why) ??
                `check that the server runs and that the URL of connection ${connection} names its host and port`);
  return new UnreachableError(`cannot connect to ${connection}: ${why}`, {
    where: `connection ${connection}`,
    next,
    cause: error,
  });
}
