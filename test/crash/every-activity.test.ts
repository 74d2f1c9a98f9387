import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createActivities } from '../../src/activities/activities.ts';
import type { Engine } from '../../src/activities/engine.ts';
import { allScenarios } from './all-scenarios.ts';

/** Activities whose death no point can hit: they send no statement. */
const WITHOUT_STATEMENTS = {
  planSession: 'reads the files of the project',
  awaitLoad: 'asks Temporal',
};

// A scenario that names an activity and never runs it fails by itself (crash-tests.ts).
test('a worker is killed in every activity that sends a statement', () => {
  const killed = [...allScenarios.values()].flatMap(({ activities }) => activities);
  const activities = Object.keys(createActivities({} as Engine));
  expect(
    [...new Set([...killed, ...Object.keys(WITHOUT_STATEMENTS)])].filter((name) => name !== 'start').sort(),
  ).toEqual(activities.sort());
});

test('each scenario is run by a file of tests', async () => {
  const names = (await readdir(import.meta.dirname)).filter((name) => name.endsWith('.test.ts'));
  const texts = await Promise.all(names.map((name) => readFile(join(import.meta.dirname, name), 'utf8')));
  const run = texts.flatMap((text) =>
    [...text.matchAll(/rashTests\(([^;]*)\)/g)].flatMap(([, given]) => given!.split(/\W+/)),
  );
  expect([...allScenarios.keys()].filter((name) => !run.includes(name))).toEqual([]);
});
