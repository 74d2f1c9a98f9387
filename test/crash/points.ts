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

const READS = /^(select|with|show|set|reset|begin|savepoint|release|rollback)\b/i;
const LOCKS =
  /\b(for (no key )?(update|share)|pg_advisory\w*|pg_terminate_backend|setval|nextval|insert into|delete from|update)\b/i;
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
  const query = Reflect.get(pg.Client.prototype, 'query') as (this: pg.Client, ...given: unknown[]) => unknown;
  pg.Client.prototype.query = function watched(this: pg.Client, ...given: unknown[]): unknown {
    const statement = nameOf(this, given[0]);
    const n = (counts.get(name(statement)) ?? 0) + 1;
    counts.set(name(statement), n);
    if (record !== undefined) appendFileSync(record, `${JSON.stringify({ ...statement, n })}\n`);
    const at = (moment: Moment): void => reach({ ...statement, n, moment });
    at('before');
    const answer = query.apply(this, given);
    setImmediate(() => at('sent')); // `pg` hands a statement to the socket within this turn of the loop
    return whenAnswered(answer, () => at('after'));
  } as typeof pg.Client.prototype.query;
}

/** What each connection has written with since its transaction began. */
const written = new WeakMap<pg.Client, string>();

function nameOf(client: pg.Client, given: unknown): StatementName {
  const whole = typeof given === 'string' ? given : ((given as { text?: string }).text ?? '');
  const { application_name: application = '' } = (
    client as unknown as { connectionParameters: { application_name?: string } }
  ).connectionParameters;
  const connection = application.replace(/\d+/g, 'N');
  const text = withoutValues(whole);
  const of = { activity: activityName(), connection };
  if (COMMIT.test(text)) {
    const last = written.get(client);
    written.delete(client);
    return { ...of, text: `commit of ${last ?? 'nothing'}`, writes: last !== undefined };
  }
  const writes = !READS.test(text) || LOCKS.test(whole);
  if (/^(begin|rollback$)/i.test(text)) written.delete(client);
  if (writes) written.set(client, text);
  return { ...of, text, writes };
}

/** Values that are part of the text (batch ids, ranges of a COPY, table OIDs) would make each run's points different. */
const withoutValues = (text: string): string =>
  text
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
