/** The points of a scenario, from a run of it in which nothing is killed. */
import { readFile } from 'node:fs/promises';
import type { Moment, Point, StatementName } from './points.ts';

/** A lane does the same for each chunk: it is killed at the first and the second. */
const TIMES_IN_LANES = 2;

/**
 * Statements that a run sends or not, as the moment has it: they wait for somebody, or look again. A kill at one that did
 * not come this time is no kill; the run must end well all the same.
 */
const PERHAPS: RegExp[] = [
  /select min\(n\)/, // a lane that finds nothing to claim asks whether anything is pending
  // A fence that waits looks for those in its way, and ends them.
  /pg_terminate_backend|set local role none; select count|^kill|show global status|lock_waits/i,
  /select connection_id from/,
  // What takes long is looked at: does it wait, and for whom?
  /^select n\.nspname::text as schema, c\.relname::text as name, b\.pid/,
  /^select @@performance_schema as|^select state as state, info as info, db as db/,
  /^select max\(concat\(l\.object_schema|^select max\(l\.lock_table\)/,
  /^start transaction read write$|^commit of nothing$/,
  // A connection that is new, as no other was idle just then, is told its settings.
  /^select pg_backend_pid\(\)::text, set_config|^set names |^use db$|^set session (?:sql_mode|wait_timeout) = |^set transaction isolation /,
];

/**
 * Run beside the lanes, once for each time that a load continues as new: how often and how far the lanes are then, the clock says.
 * Or looks until those have ended who were on the source's server, other tests too.
 */
const AS_OFTEN_AS_NEEDED = ['steerLanes', 'describeBatch', 'settleSource'];

export const comesPerhaps = ({ activity, text, n }: Pick<Recorded, 'activity' | 'text' | 'n'>): boolean =>
  (n > 1 && AS_OFTEN_AS_NEEDED.includes(activity)) || PERHAPS.some((known) => known.test(text));

export type Recorded = StatementName & {
  n: number;
  /** As it was sent. */
  whole: string;
};

/** How much of what others can see is written at the moment of a point. */
export type Written = 'nothing' | 'some' | 'all';

/** How far an activity is: all its runs together, and the one run that comes to the point. */
export interface Place {
  written: Written;
  run: { n: number; of: number; written: Written };
}

export type PlacedPoint = Recorded & Point & { place: Place };

/** What a worker has sent so far, in order. */
export async function readRecording(file: string): Promise<Recorded[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Recorded);
}

/** All points at statements of these activities, in the order in which the recorded run came to them. */
export const pointsOf = (statements: Recorded[], activities: readonly string[]): PlacedPoint[] =>
  statements.flatMap((statement, i) =>
    activities.includes(statement.activity)
      ? momentsOf(statement).map((moment) => ({ ...statement, moment, place: placeOf(statements, i, moment) }))
      : [],
  );

function placeOf(statements: Recorded[], i: number, moment: Moment): Place {
  const { activity, run } = statements[i]!;
  const ofActivity = (one: Recorded): boolean => one.activity === activity;
  const runs = [...new Set(statements.filter(ofActivity).map((one) => one.run))];
  const written = (mine: (one: Recorded) => boolean): Written => writtenAt(statements, i, moment, mine);
  return {
    written: written(ofActivity),
    run: { n: runs.indexOf(run), of: runs.length, written: written((one) => one.run === run && ofActivity(one)) },
  };
}

function writtenAt(statements: Recorded[], i: number, moment: Moment, mine: (one: Recorded) => boolean): Written {
  if (AS_OFTEN_AS_NEEDED.includes(statements[i]!.activity)) return 'some';
  // By nobody: what other activities do meanwhile may lead to another phase.
  const sent = statements.slice(statements.findIndex(mine), moment === 'before' ? i : i + 1);
  if (!sent.some(({ shows }) => shows)) return 'nothing';
  const unanswered = statements.slice(moment === 'after' ? i + 1 : i);
  return unanswered.some((one) => mine(one) && one.shows && !comesPerhaps(one)) ? 'some' : 'all';
}

export function momentsOf({ activity, writes, n }: Recorded): Moment[] {
  if (!writes) return n === 1 ? ['before'] : [];
  return activity === 'runLane' && n > TIMES_IN_LANES ? [] : ['before', 'sent', 'after'];
}
