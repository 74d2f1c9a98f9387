import { cpus } from 'node:os';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { ProvidedContext } from 'vitest';
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node';

declare module 'vitest' {
  interface TaskMeta {
    /** Why a test did a part of its work once more: each time, what was late. */
    triedAgain?: string[];
    /** The run did not come to where its worker was to be killed, as not all do. */
    withoutKill?: boolean;
  }
}

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Ends a run with how many tests ran on which server, with everything that was skipped, loudly, and with one plain line
 * `Tests: N passed, N failed, N skipped`. In CI a skip, or a server that was not there, fails the run.
 */
export default class ServerReporter implements Reporter {
  private vitest: Vitest | undefined;
  private readonly atStart = processorTime();

  onInit(vitest: Vitest): void {
    this.vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const context = this.vitest?.getRootProject().getProvidedContext();
    const running = [...(context?.postgresServers ?? []), ...(context?.mysqlServers ?? [])];
    const missing = [...(context?.missingServers ?? []), ...(context?.missingMysqlServers ?? [])];
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    // A file that does not load has no tests to fail: it counts as one that did.
    const broken = modules.filter((module) => module.errors().length > 0).length + unhandledErrors.length;
    const skipped = tests.filter((test) => stateOf(test) === 'skipped');

    // Far below a hundred, more files at a time would shorten the run (maxWorkers).
    const now = processorTime();
    const busy = (now.busy - this.atStart.busy) / Math.max(1, now.all - this.atStart.all);
    const lines = ['', `The processors of this machine were busy for ${Math.round(busy * 100)} % of the run.`];
    for (const { name } of running)
      lines.push(`On ${name}: ${inWords(count(tests.filter((test) => runsOn(test, name))))}`);
    const names = [...running, ...missing].map(({ name }) => name);
    const nowhere = tests.filter((test) => !names.some((name) => runsOn(test, name)));
    lines.push(`On no database: ${inWords(count(nowhere))}`);
    for (const test of skipped) lines.push(`!!! SKIPPED: ${test.module.relativeModuleId} > ${test.fullName}`);
    // A second try saves a run on a busy machine, but never in silence: what the first one failed with is told.
    for (const test of tests.filter((one) => one.diagnostic()?.flaky)) {
      lines.push(`!!! PASSED ONLY AT ITS SECOND TRY: ${test.module.relativeModuleId} > ${test.fullName}`);
      lines.push(...errorsOf(test));
    }
    for (const test of tests) {
      for (const late of test.meta().triedAgain ?? [])
        lines.push(`!!! TRIED ONCE MORE WITHIN: ${test.module.relativeModuleId} > ${test.fullName}`, indented(late));
    }
    // A point that comes in no run is none that was tried.
    for (const test of tests.filter((one) => one.meta().withoutKill))
      lines.push(`!!! PASSED WITHOUT ITS KILL: ${test.module.relativeModuleId} > ${test.fullName}`);
    // Last, for of a long run's output often only the end is kept; by file, for the first of a file may be why the others failed.
    for (const test of tests.filter((one) => stateOf(one) === 'failed')) {
      lines.push(`!!! FAILED: ${test.module.relativeModuleId} > ${test.fullName}`);
      lines.push(...errorsOf(test));
    }
    for (const { name, reason } of missing) lines.push(`!!! SKIPPED: every test on ${name}: ${reason}`);
    if (inCi() && (skipped.length > 0 || missing.length > 0)) {
      lines.push('!!! In CI a skip is a failure.');
      process.exitCode = 1;
    }
    const total = count(tests);
    // A set-up that failed has given none.
    const { seed }: Partial<ProvidedContext> = context ?? {};
    if (seed) lines.push(`The same choices again: WAYBILL_TEST_SEED=${seed.value}`);
    lines.push(`Tests: ${inWords({ ...total, failed: total.failed + broken })}`);
    console.log(lines.join('\n'));
  }
}

/** Of each try, in a line or few, with the place. */
function errorsOf(test: TestCase): string[] {
  return (test.result().errors ?? []).map(({ message, stacks }) => {
    const at = stacks?.[0];
    const where = at ? ` (${relative(process.cwd(), at.file)}:${at.line})` : '';
    return `${indented(message)}${where}`;
  });
}

const indented = (message: string): string =>
  `    ${shortened(stripVTControlCharacters(message)).replaceAll('\n', '\n    ')}`;

const MESSAGE_CHARACTERS = 1_000;

const shortened = (text: string): string =>
  text.length <= MESSAGE_CHARACTERS ? text : `${text.slice(0, MESSAGE_CHARACTERS)} …`;

/** Of all processors together, since the machine started. */
function processorTime(): { busy: number; all: number } {
  const times = cpus().map((one) => one.times);
  const all = times.flatMap((one) => Object.values(one)).reduce((sum, ms) => sum + ms, 0);
  return { all, busy: all - times.reduce((sum, { idle }) => sum + idle, 0) };
}

function count(tests: TestCase[]): Count {
  const counts: Count = { passed: 0, failed: 0, skipped: 0 };
  for (const test of tests) counts[stateOf(test)] += 1;
  return counts;
}

/** A test that never came to run (the run was cut off) is no success: it counts as skipped. */
function stateOf(test: TestCase): keyof Count {
  const { state } = test.result();
  return state === 'pending' ? 'skipped' : state;
}

function runsOn(test: TestCase, server: string): boolean {
  return test.fullName.includes(server);
}

function inWords({ passed, failed, skipped }: Count): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

function inCi(): boolean {
  return !['', '0', 'false', undefined].includes(process.env['CI']);
}
