import { inspect } from 'node:util';

import { describe, expect, it } from 'vitest';

import { loadProject } from '../../src/config/load-project.ts';
import { formatProblem, ProjectError } from '../../src/config/problem.ts';
import { corpus } from './broken/corpus.ts';
import { BASE_PROJECT, ENVIRONMENT, PASSWORD, withProject } from './project-folder.ts';
import type { WrittenFiles } from './project-folder.ts';

async function refusal(files: WrittenFiles): Promise<{ error: ProjectError; directory: string }> {
  return withProject({ ...BASE_PROJECT, ...files }, async (directory) => {
    const error: unknown = await loadProject(directory, { env: ENVIRONMENT }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof ProjectError)) throw new Error(`no ProjectError, but ${inspect(error)}`);
    return { error, directory };
  });
}

for (const [group, cases] of Object.entries(corpus)) {
  describe(`a project is refused for ${group}`, () => {
    it.each(cases)('$title', async ({ files, expected }) => {
      const { error, directory } = await refusal(files);
      const errors = error.problems.filter(({ severity }) => severity === 'error');
      expect(errors.map((problem) => formatProblem(problem).replaceAll(directory, 'DIR'))).toEqual(expected);
      expect(error.exitCode).toBe(2);
      expect(inspect(error, { depth: 9 })).not.toContain(PASSWORD);
      expect(error.problems.map((problem) => problem.message).join()).not.toMatch(/invalid input|undefined|\[object/i);
    });
  });
}

describe('a project error', () => {
  it('has the message, place and advice of its only problem', async () => {
    const { error } = await refusal({ 'loads/core/flights.sql': 'select :batchid from {{ acq.flight }} f' });
    expect(error).toMatchObject({
      message: 'unknown parameter `:batchid`: did you mean `:batch_id`?',
      where: 'loads/core/flights.sql:1:8',
    });
  });

  it('lists all problems in its message', async () => {
    const { error } = await refusal({
      'waybill.yaml': `${String(BASE_PROJECT['waybill.yaml'])}banana: 1\napple: 2\n`,
    });
    expect(error.message).toBe(
      'the project has 2 problems:\n' +
        '  waybill.yaml:9:1: unknown key `banana`\n' +
        '  waybill.yaml:10:1: unknown key `apple`',
    );
  });

  it.each([
    ['a URL as a key', 'name: x\nconnections: { "postgres://me:hush@localhost/a": { url: x } }\n'],
    ['a URL as an unknown key', 'name: x\n"postgres://me:hush@localhost/a": 1\n'],
    ['a URL in a name', 'name: [x]\ntask_queue: { a: postgres://me:hush@localhost/a }\n'],
    ['a URL where a number is due', 'name: x\ndefaults: { lanes: "postgres://me:hush@localhost/a" }\n'],
    ['a password with a space', 'name: x\ndefaults: { lanes: "postgres://me:x hush@localhost/a" }\n'],
    ['a URL in broken YAML', 'name: x\nconnections: { a: { url: "postgres://me:hush@localhost/a }\n'],
    ['a URL given twice', 'name: x\nconnections:\n  a: { url: postgres://me:hush@h/a, url: postgres://me:hush@h/a }\n'],
    ['a default that is a URL', 'name: x\ndefaults: { lanes: "${X:-postgres://me:hush@localhost/a}" }\n'],
    ['a URL in place of a session', 'name: x\nsessions: { postgres://me:hush@localhost/a: { loads: [x] } }\n'],
  ])('never shows a password: %s', async (_title, text) => {
    const { error } = await refusal({ 'waybill.yaml': text });
    expect(inspect(error, { depth: 9 })).not.toContain(PASSWORD);
  });
});
