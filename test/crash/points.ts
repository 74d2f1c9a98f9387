/**
 * Crash points, for worker processes of tests only: every statement that a worker sends, before it is sent, while its answer
 * is under way, and after the answer. They are taken from what the code really sends, so a new statement is a new point and
 * none can be forgotten.
 *
 * WAYBILL_RECORD_TO=FILE writes down each statement; WAYBILL_CRASH_AT=POINT sends SIGKILL to the process at that point,
 * WAYBILL_STOP_AT=POINT says `stopped` on standard output and sends SIGSTOP (it goes on with SIGCONT).
 */
import type { EventEmitter } from 'node:events';
import { appendFileSync, writeSync } from 'node:fs';
import { Context } from '@temporalio/activity';
import mysql from 'mysql2';
import pg from 'pg';

/** Nothing was sent · the server works at it, or has done it, and we do not know · the answer is here. */
export type Moment = 'before' | 'sent' | 'after';

export interface StatementName {
  /** The activity that sends it; `start` before any activity runs (migrations). */
  activity: string;
  /** What the connection is for, its `application_name`, without numbers. */
  connection: string;
  /** The beginning of its text, without values; of a COMMIT: that of the last statement that the transaction wrote with. */
  text: string;
  /** It changes or locks something. If not, dying before it, while it runs and after it leave the same behind. */
  writes: boolean;
  /** Once it is done, others see what was changed: what a transaction changes its end shows. */
  shows: boolean;
  /** One run of the activity; its retry is the same. */
  run: string;
}

export interface Point extends StatementName {
  /** The n-th time (from 1) that this process sends it. */
  n: number;
  moment: Moment;
}

/** Characters of a statement by which it is known. */
const TEXT_LENGTH = 90;

const READS = /^(select|with|show|set|reset|begin|start transaction|savepoint|release|rollback)\b/i;
const LOCKS =
  /\b(for (no key )?(update|share)|lock in share mode|pg_advisory\w*|get_lock|release_lock|pg_terminate_backend|setval|nextval|insert into|delete from|update)\b/i;
const COMMIT = /^commit$/i;

export const statementName = ({
  activity,
  connection,
  text,
}: Pick<StatementName, 'activity' | 'connection' | 'text'>): string => `${activity} | ${connection} | ${text}`;

/** Whether a statement changes or locks something. */
export const isWrite = (whole: string): boolean => !READS.test(whole.trimStart()) || LOCKS.test(whole);

/** A point on one line, for titles and for the environment. */
export const pointName = (point: Point): string => `${point.moment} ${statementName(point)} #${point.n}`;

/** Watches the statements of this process, as the environment says. Without those variables it changes nothing. */
export function watchStatements(env: NodeJS.ProcessEnv = process.env): void {
  const record = env['WAYBILL_RECORD_TO'];
  const crashAt = env['WAYBILL_CRASH_AT'];
  const stopAt = env['WAYBILL_STOP_AT'];
  if (record === undefined && crashAt === undefined && stopAt === undefined) return;

  const counts = new Map<string, number>();
  const reach = (point: Point): void => {
    if (pointName(point) === crashAt) process.kill(process.pid, 'SIGKILL');
    if (pointName(point) === stopAt) {
      writeSync(1, 'stopped\n');
      process.kill(process.pid, 'SIGSTOP');
    }
  };
  /** Says what a connection is about to send; what is answered says that it was sent, and that it was answered. */
  const watch = (client: object, application: string, whole: string): { sent: () => void; answered: () => void } => {
    const statement = nameOf(client, application, whole);
    const n = (counts.get(statementName(statement)) ?? 0) + 1;
    counts.set(statementName(statement), n);
    if (record !== undefined) appendFileSync(record, `${JSON.stringify({ ...statement, n, whole })}\n`);
    const at = (moment: Moment): void => reach({ ...statement, n, moment });
    at('before');
    return { sent: () => at('sent'), answered: () => at('after') };
  };
  watchPostgres(watch);
  watchMysql(watch);
}

type Watch = (client: object, application: string, text: string) => { sent: () => void; answered: () => void };

function watchPostgres(watch: Watch): void {
  const query = Reflect.get(pg.Client.prototype, 'query') as (this: pg.Client, ...given: unknown[]) => unknown;
  pg.Client.prototype.query = function watched(this: pg.Client, ...given: unknown[]): unknown {
    const { application_name: application = '' } = (
      this as unknown as { connectionParameters: { application_name?: string } }
    ).connectionParameters;
    const text = typeof given[0] === 'string' ? given[0] : ((given[0] as { text?: string }).text ?? '');
    const statement = watch(this, application, text);
    const answer = query.apply(this, given);
    setImmediate(statement.sent); // `pg` hands a statement to the socket within this turn of the loop
    return whenAnswered(answer, statement.answered);
  } as typeof pg.Client.prototype.query;
}

/** As its promises call it: the answer is the call of what was given last. Statements with values go by `execute`. */
function watchMysql(watch: Watch): void {
  const connections = (mysql as unknown as { Connection: { prototype: Record<string, unknown> } }).Connection.prototype;
  for (const method of ['query', 'execute']) {
    const send = connections[method] as (this: object, ...given: unknown[]) => MysqlCommand;
    connections[method] = function watched(this: object, ...given: unknown[]): unknown {
      const { connectAttributes } = (this as { config: { connectAttributes?: { program_name?: string } } }).config;
      const text = typeof given[0] === 'string' ? given[0] : ((given[0] as { sql?: string }).sql ?? '');
      const statement = watch(this, connectAttributes?.program_name ?? '', text);
      const then = given.at(-1);
      if (typeof then === 'function') {
        given[given.length - 1] = (...answer: unknown[]) => {
          statement.answered();
          (then as (...answer: unknown[]) => void)(...answer);
        };
      }
      const command = send.apply(this, given);
      whenSent(command, statement.sent);
      if (typeof then !== 'function') command.once('end', statement.answered); // its rows are taken one by one
      return command;
    };
  }
}

/** As the driver runs it: `start` sends it, and is called once all that was given before it has been answered. */
interface MysqlCommand extends EventEmitter {
  /** What it does next; null: it has not been started. */
  next: unknown;
  start(...given: unknown[]): unknown;
}

/** A connection prepares a statement with values the first time: what is on the way then is not yet the statement itself. */
function whenSent(command: MysqlCommand, then: () => void): void {
  if (command.next !== null) {
    setImmediate(then);
    return;
  }
  const start = command.start.bind(command);
  command.start = (...given) => {
    setImmediate(then);
    return start(...given);
  };
}

/** The last statement with which a transaction wrote, and whether others will see anything of it. */
interface Written {
  writes?: string;
  shows: boolean;
}

const NOTHING: Written = { shows: false };

/** Those that are open, of each connection. */
const transactions = new WeakMap<object, Written>();

/** Statements that end a transaction in MySQL and MariaDB. */
const COMMITS_BY_ITSELF = /^(create|alter|drop|rename|truncate) (?!temporary)/i;
/** What may leave something behind, in one of several statements that are sent at once: a lock does not. */
const CHANGES = /(^|;)\s*(with|insert|update|delete|merge|copy|load|create|alter|drop|rename|truncate|call|execute)\b/i;

function nameOf(client: object, application: string, whole: string): StatementName {
  const text = withoutValues(whole);
  const of = { ...activityNow(), connection: withoutPrefix(application).replace(/\d+/g, 'N') };
  const before = transactions.get(client);
  if (COMMIT.test(text)) {
    transactions.delete(client);
    const { writes, shows } = before ?? NOTHING;
    return { ...of, text: `commit of ${writes ?? 'nothing'}`, writes: writes !== undefined, shows };
  }
  const writes = isWrite(whole);
  const begin = whole.search(/(^|;)\s*(begin|start transaction)\b/i);
  const commit = whole.search(/;\s*commit\b/i);
  const ends =
    commit >= 0 || /^rollback$/i.test(text) || (!(client instanceof pg.Client) && COMMITS_BY_ITSELF.test(text));
  const open = begin > commit || (before !== undefined && !ends);
  const now = { ...(begin === 0 ? NOTHING : (before ?? NOTHING)) };
  if (writes) now.writes = text;
  if (writes && CHANGES.test(whole)) now.shows = true;
  if (!open) transactions.delete(client);
  else transactions.set(client, commit >= 0 ? NOTHING : now);
  return { ...of, text, writes, shows: now.shows && (ends || !open) && !/^rollback$/i.test(text) };
}

/** Without what a test's own databases begin with. */
const withoutPrefix = (text: string): string => text.replace(/\bt[0-9a-f]{8}_(?=[a-z])/g, '');

/** Values that are part of the text (batch ids, names that are used once, ranges of a COPY, table OIDs) differ from run to run, and how many. */
const withoutValues = (text: string): string =>
  withoutPrefix(text)
    .replace(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '?')
    .replace(/'(?:[^']|'')*'/g, '?')
    .replace(/\d+/g, 'N')
    .replace(/\s+/g, ' ')
    .replace(/( when (\$N|\?) then (\$N|\?))+/g, ' when … then …')
    .trim()
    .slice(0, TEXT_LENGTH);

function activityNow(): Pick<StatementName, 'activity' | 'run'> {
  try {
    const { activityType: activity, activityId, workflowExecution } = Context.current().info;
    return { activity, run: `${workflowExecution?.runId ?? ''} ${activityId}` };
  } catch {
    return { activity: 'start', run: '' };
  }
}

/** What `query` answers with: a promise, or what the driver tells of the answer: that all of it is here, or that it is an error. */
function whenAnswered(answer: unknown, then: () => void): unknown {
  if (answer instanceof Promise) return answer.finally(then);
  const told = answer as Partial<Record<'handleReadyForQuery' | 'handleError', (...given: unknown[]) => void>>;
  for (const what of ['handleReadyForQuery', 'handleError'] as const) {
    const tell = told[what]?.bind(told);
    if (!tell) continue;
    told[what] = (...given) => {
      then();
      tell(...given);
    };
  }
  return answer;
}
