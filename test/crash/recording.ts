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
  /pg_terminate_backend|^kill|show global status|lock_waits/i,
  /select connection_id from/,
];

/**
 * Run beside the lanes, once for each time that a load continues as new: how often and how far the lanes are then, the clock says.
 * Or looks until those have ended who were on the source's server, other tests too.
 */
const AS_OFTEN_AS_NEEDED = ['steerLanes', 'describeBatch', 'settleSource'];

export const comesPerhaps = ({ activity, text, n }: Recorded): boolean =>
  (n > 1 && AS_OFTEN_AS_NEEDED.includes(activity)) || PERHAPS.some((known) => known.test(text));

type Recorded = StatementName & { n: number };

/** How far its activity is with what it writes, just before the statement and just after it. */
export type Place = 'nothing written' | 'all written' | 'in between';

/** All points at statements of these activities, in the order in which the recorded run came to them. */
export async function pointsOf(
  recording: string,
  activities: readonly string[],
): Promise<(Point & { place: Place })[]> {
  const lines = (await readFile(recording, 'utf8')).split('\n').filter((line) => line !== '');
  const statements = lines.map((line) => JSON.parse(line) as Recorded);
  return statements.flatMap((statement, i) =>
    activities.includes(statement.activity)
      ? momentsOf(statement).map((moment) => ({ ...statement, moment, place: placeOf(statements, i, moment) }))
      : [],
  );
}

function placeOf(statements: Recorded[], i: number, moment: Moment): Place {
  const { activity } = statements[i]!;
  if (AS_OFTEN_AS_NEEDED.includes(activity)) return 'in between';
  const certain = (one: Recorded): boolean => one.activity === activity && one.writes && !comesPerhaps(one);
  // By nobody: what other activities do between two runs of it may lead to another phase.
  const first = statements.findIndex((one) => one.activity === activity);
  if (moment === 'before' && !statements.slice(first, i).some(({ writes }) => writes)) return 'nothing written';
  if (moment === 'after' && certain(statements[i]!) && !statements.slice(i + 1).some(certain)) return 'all written';
  return 'in between';
}

function momentsOf({ activity, writes, n }: Recorded): Moment[] {
  if (!writes) return n === 1 ? ['before'] : [];
  return activity === 'runLane' && n > TIMES_IN_LANES ? [] : ['before', 'sent', 'after'];
}
