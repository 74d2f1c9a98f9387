/** "One output in two loads (tasks of one sequential session excepted)". */
import { describe, expect, it } from 'vitest';
import { loadProject } from '../../src/config/load-project.ts';
import { formatProblem, ProjectError } from '../../src/config/problem.ts';
import { BASE_PROJECT, ENVIRONMENT, withProject } from './project-folder.ts';

const TASK = `kind: task
connection: warehouse
sql: insert into core.total (n, batch_id) select 1, :batch_id
outputs: [core.total]
`;
const CORE = `kind: core
connection: warehouse
inputs: [{ table: acq.total, external: true }]
stages: [ { name: totals, sql: "insert into core.total (n, batch_id) select t.n, :batch_id from {{ acq.total }} t" } ]
outputs: [core.total]
`;

/** What is said of these loads and sessions; empty: they are taken. */
function problems(loads: Record<string, string>, sessions: string): Promise<string[]> {
  const yaml = BASE_PROJECT['waybill.yaml']!.replace(/sessions:[^]*$/, `sessions:\n${sessions}`);
  const files = Object.fromEntries(Object.entries(loads).map(([name, text]) => [`loads/${name}.yaml`, text]));
  return withProject({ ...BASE_PROJECT, 'waybill.yaml': yaml, ...files }, async (directory) => {
    const error: unknown = await loadProject(directory, { env: ENVIRONMENT }).catch((thrown: unknown) => thrown);
    return error instanceof ProjectError ? error.problems.map((problem) => formatProblem(problem).split('\n')[0]!) : [];
  });
}

const refused = (load: string, other: string, line = 4): string =>
  `loads/${load}.yaml:${line}:11: \`core.total\` is written by \`${other}\` too: one table belongs to one load`;
const TWO = { 'task/a': TASK, 'task/b': TASK };

describe('one output of two tasks', () => {
  it.each([
    ['one sequential session has both', '  nightly: { loads: [task.a, task.b], sequential: true }\n'],
    ['it has them by a pattern, beside others', '  nightly: { loads: [core.*, task.*], sequential: true }\n'],
    [
      'one of several sessions does',
      '  other: { loads: [task.*] }\n  nightly: { loads: [task.*], sequential: true }\n',
    ],
  ])('is taken: %s', async (_, sessions) => {
    expect(await problems(TWO, sessions)).toEqual([]);
  });

  it.each([
    ['they are in no session', '  nightly: { loads: [core.*] }\n'],
    ['their session runs them side by side', '  nightly: { loads: [task.*] }\n'],
    [
      'each is in a sequential session of its own',
      '  one: { loads: [task.a], sequential: true }\n  two: { loads: [task.b], sequential: true }\n',
    ],
  ])('is refused: %s', async (_, sessions) => {
    expect(await problems(TWO, sessions)).toEqual([refused('task/b', 'task.a')]);
  });

  it('is refused where one of them is disabled, and so in no session', async () => {
    const loads = { ...TWO, 'task/b': `${TASK}enabled: false\n` };
    expect(await problems(loads, '  nightly: { loads: [task.*], sequential: true }\n')).toEqual([
      refused('task/b', 'task.a'),
    ]);
  });

  it('is refused of a task and a load of another kind', async () => {
    const loads = { 'core/a': CORE, 'task/b': TASK };
    expect(await problems(loads, '  nightly: { loads: [core.*, task.*], sequential: true }\n')).toEqual([
      refused('task/b', 'core.a'),
    ]);
  });

  it('is refused of two that each take turns with a third one, and not with each other', async () => {
    const sessions =
      '  one: { loads: [task.a, task.b], sequential: true }\n  two: { loads: [task.a, task.c], sequential: true }\n';
    expect(await problems({ ...TWO, 'task/c': TASK }, sessions)).toEqual([refused('task/c', 'task.b')]);
  });
});
