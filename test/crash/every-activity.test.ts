import { expect, test } from 'vitest';
import { createActivities } from '../../src/activities/activities.ts';
import type { Engine } from '../../src/activities/engine.ts';
import * as rare from './rare-scenarios.ts';
import * as scenarios from './scenarios.ts';

/** Activities whose death no point can hit: they send no statement. */
const WITHOUT_STATEMENTS = {
  planSession: 'reads the files of the project',
  awaitLoad: 'asks Temporal',
};

// A scenario that names an activity and never runs it fails by itself (crash-tests.ts).
test('a worker is killed in every activity that sends a statement', () => {
  const killed = [...Object.values(scenarios), ...Object.values(rare)].flatMap((one) =>
    typeof one === 'string' ? [] : one.activities,
  );
  const all = Object.keys(createActivities({} as Engine));
  expect(
    [...new Set([...killed, ...Object.keys(WITHOUT_STATEMENTS)])].filter((name) => name !== 'start').sort(),
  ).toEqual(all.sort());
});
