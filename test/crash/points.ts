/**
 * Crash points, for worker processes of tests only: every statement that a worker sends, before it is sent, while its answer
 * is under way, and after the answer. They are taken from what the code really sends, so a new statement is a new point and
 * none can be forgotten.
 *
 * WAYBILL_RECORD_TO=FILE writes down each statement; WAYBILL_CRASH_AT=POINT sends SIGKILL to the process at that point,
 * WAYBILL_STOP_AT=POINT says `stopped` on standard output and sends SIGSTOP (it goes on with SIGCONT).
 */
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

const name = ({ activity, connection, text }: StatementName): string => `${activity} | ${connection} | ${text}`;

/** A point on one line, for titles and for the environment. */
export const pointName = (point: Point): string => `${point.moment} ${name(point)} #${point.n}`;

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
    const n = (counts.get(name(statement)) ?? 0) + 1;
    counts.set(name(statement), n);
    if (record !== undefined) appendFileSync(record, `${JSON.stringify({ ...statement, n })}\n`);
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
      return command;
    };
  }
}

/** As the driver runs it: `start` sends it, and is called once all that was given before it has been answered. */
interface MysqlCommand {
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

/** What each connection has written with since its transaction began. */
const written = new WeakMap<object, string>();

function nameOf(client: object, application: string, whole: string): StatementName {
  const connection = application.replace(/\d+/g, 'N');
  const text = withoutValues(whole);
  const of = { activity: activityName(), connection };
  if (COMMIT.test(text)) {
    const last = written.get(client);
    written.delete(client);
    return { ...of, text: `commit of ${last ?? 'nothing'}`, writes: last !== undefined };
  }
  const writes = !READS.test(text) || LOCKS.test(whole);
  if (/^(begin|start transaction|rollback$)/i.test(text)) written.delete(client);
  if (writes) written.set(client, text);
  return { ...of, text, writes };
}

/** Values that are part of the text (batch ids, ranges of a COPY, table OIDs, a test's own databases) differ from run to run. */
const withoutValues = (text: string): string =>
  text
    .replace(/\bt[0-9a-f]{8}_(?=[a-z])/g, '')
    .replace(/'(?:[^']|'')*'/g, '?')
    .replace(/\d+/g, 'N')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, TEXT_LENGTH);

function activityName(): string {
  try {
    return Context.current().info.activityType;
  } catch {
    return 'start';
  }
}

/** What `query` answers with: a promise, or a COPY that calls back when the server is ready for the next statement. */
function whenAnswered(answer: unknown, then: () => void): unknown {
  if (answer instanceof Promise) {
    return answer.then(
      (result: unknown) => {
        then();
        return result;
      },
      (error: unknown) => {
        then();
        throw error as Error;
      },
    );
  }
  const copy = answer as { handleReadyForQuery?: () => void } | undefined;
  if (copy && typeof copy.handleReadyForQuery === 'function') {
    const ready = copy.handleReadyForQuery.bind(copy);
    copy.handleReadyForQuery = () => {
      then();
      ready();
    };
  }
  return answer;
}
