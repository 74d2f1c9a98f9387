import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-reporter-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Runs vitest itself, with our reporter, over one file of tests. */
async function run(
  tests: string,
  { ci = false, missing = false, onDemand = false, all = false } = {},
): Promise<{ status: number | null; lines: string[] }> {
  await writeFile(join(folder, 'some.test.js'), tests);
  await writeFile(
    join(folder, 'setup.js'),
    `export default (project) => {
      project.provide('postgresServers', [{ name: 'PostgreSQL 18', url: '' }]);
      project.provide('seed', { value: 'cafe', all: false });
      project.provide('missingServers', ${missing ? "[{ name: 'PostgreSQL 15', reason: 'not installed' }]" : '[]'});
      // As where a test has asked for them.
      project.provide('mysqlServers', ${onDemand ? "[{ name: 'MariaDB 10.11', url: '' }]" : '[]'});
      project.provide('missingMysqlServers', ${onDemand ? "[{ name: 'MySQL', reason: 'nor to be had' }]" : '[]'});
    };`,
  );
  await writeFile(
    join(folder, 'vitest.config.mjs'),
    `export default { test: {
      globals: true, pool: 'forks', globalSetup: ['./setup.js'],
      retry: process.env.CI ? 1 : 0, setupFiles: [${JSON.stringify(join(ROOT, 'test/second-try.ts'))}],
      reporters: ['default', ${JSON.stringify(join(ROOT, 'test/reporter.ts'))}],
    } };`,
  );
  const { status, stdout } = spawnSync(
    process.execPath,
    [
      join(ROOT, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--root',
      folder,
      '--config',
      join(folder, 'vitest.config.mjs'),
    ],
    { encoding: 'utf8', env: { ...process.env, CI: ci ? 'true' : '', NO_COLOR: '1' } },
  );
  return {
    status,
    lines: stdout
      .trim()
      .split('\n')
      .slice(all ? 0 : -6),
  };
}

const GOOD = `describe('claiming on PostgreSQL 18', () => { it('works', () => {}); }); it('adds', () => {});`;

describe('the last lines of a test run', () => {
  it('count the tests of each server, and all of them', async () => {
    const { status, lines } = await run(GOOD);
    expect(lines.slice(-4)).toEqual([
      'On PostgreSQL 18: 1 passed, 0 failed, 0 skipped',
      'On no database: 1 passed, 0 failed, 0 skipped',
      'The same choices again: WAYBILL_TEST_SEED=cafe',
      'Tests: 2 passed, 0 failed, 0 skipped',
    ]);
    expect(status).toBe(0);
  });

  it('shout about a skipped test, which fails the run in CI only', async () => {
    const tests = `${GOOD} it.skip('waits', () => {});`;
    const local = await run(tests);
    expect(local.status).toBe(0);
    expect(local.lines).toContain('!!! SKIPPED: some.test.js > waits');
    expect(local.lines.at(-1)).toBe('Tests: 2 passed, 0 failed, 1 skipped');
    const ci = await run(tests, { ci: true });
    expect(ci.status).toBe(1);
    expect(ci.lines).toContain('!!! In CI a skip is a failure.');
  });

  it('shout about a server that is not there, which fails the run in CI only', async () => {
    const local = await run(GOOD, { missing: true });
    expect(local.status).toBe(0);
    expect(local.lines).toContain('!!! SKIPPED: every test on PostgreSQL 15: not installed');
    expect((await run(GOOD, { ci: true, missing: true })).status).toBe(1);
  });

  it('name the servers that a test asked for, there or not', async () => {
    const tests = `${GOOD} it('reads on MariaDB 10.11', () => {});`;
    const local = await run(tests, { onDemand: true });
    expect(local.status).toBe(0);
    expect(local.lines).toContain('On MariaDB 10.11: 1 passed, 0 failed, 0 skipped');
    expect(local.lines).toContain('!!! SKIPPED: every test on MySQL: nor to be had');
    expect((await run(tests, { ci: true, onDemand: true })).status).toBe(1);
  });

  const LATE_AND_WRONG = `
    let tries = 0;
    beforeEach(() => { tries += 1; });
    afterEach(({ task }) => (task.name.endsWith('late') && tries < 2 ? new Promise(() => {}) : undefined), 200);
    describe.each([
      ['waits', () => { if (tries < 2) throw new Error('nothing came of it within 60 s: probe'); }],
      ['polls', () => expect.poll(() => tries, { timeout: 50 }).toBe(2)],
      ['sleeps', () => (tries < 2 ? new Promise(() => {}) : undefined)],
      ['looks', () => expect(tries).toBe(2)],
      ['reads', () => { if (tries < 2) throw new Error('row 2 timed out in the table'); }],
    ])('%s', (_, body) => {
      beforeAll(() => { tries = 0; });
      it('first', body, 200);
    });
    describe('looks, and ends', () => {
      beforeAll(() => { tries = 0; });
      it('late', () => expect(tries).toBe(2));
    });`;

  it('tell what passed only at its second try, which in CI is for what came too late, never for what was wrong', async () => {
    const ci = await run(LATE_AND_WRONG, { ci: true, all: true });
    const told = ci.lines.filter((line) => line.startsWith('!!! ')).map((line) => line.replace('some.test.js > ', ''));
    expect(told).toEqual([
      '!!! PASSED ONLY AT ITS SECOND TRY: waits > first',
      '!!! PASSED ONLY AT ITS SECOND TRY: polls > first',
      '!!! PASSED ONLY AT ITS SECOND TRY: sleeps > first',
      '!!! FAILED: looks > first',
      '!!! FAILED: reads > first',
      '!!! FAILED: looks, and ends > late',
    ]);
    expect(ci.status).toBe(1);
    expect((await run(LATE_AND_WRONG)).lines.at(-1)).toBe('Tests: 0 passed, 6 failed, 0 skipped');
  });

  it('tell what a test that passed did once more by itself', async () => {
    const { status, lines } = await run(
      `it('is slow', ({ task }) => { task.meta.triedAgain = ['not done within 180 s']; });`,
    );
    expect(status).toBe(0);
    expect(lines.slice(-4, -2)).toEqual([
      '!!! TRIED ONCE MORE WITHIN: some.test.js > is slow',
      '    not done within 180 s',
    ]);
  });

  it('tell of which crash test nothing was killed', async () => {
    const { status, lines } = await run(`it('dies', ({ task }) => { task.meta.withoutKill = true; });`);
    expect(status).toBe(0);
    expect(lines.slice(-3, -2)).toEqual(['!!! PASSED WITHOUT ITS KILL: some.test.js > dies']);
  });

  it('name what failed, with why and where, and count a file that does not load', async () => {
    const { status, lines } = await run(`it('fails', () => { throw new Error('no'); });`);
    expect(status).toBe(1);
    expect(lines.at(-4)).toBe('!!! FAILED: some.test.js > fails');
    expect(lines.at(-3)).toMatch(/^ {4}no \(.*some\.test\.js:1\)$/);
    expect(lines.at(-1)).toBe('Tests: 0 passed, 1 failed, 0 skipped');
    expect((await run(`import './nothing.js';`)).lines.at(-1)).toBe('Tests: 0 passed, 1 failed, 0 skipped');
  });
});
