import { describe, expect, test } from 'vitest';
import { headline, ProgressRows } from '../../src/cli/progress-rows.ts';
import type { LoadLook } from '../../src/client/follow-run.ts';

const look = (done: number, rows: number, more: Partial<LoadLook> = {}): LoadLook => ({
  load: 'core.flight',
  status: 'running',
  phase: 'flights',
  paused: false,
  waiting: undefined,
  batch: { batchId: '114', state: 'running' },
  stages: [{ n: 1, name: 'flights', total: 60, done, failed: 0, rows, startedAt: null, finishedAt: null }],
  rejected: undefined,
  error: undefined,
  reason: undefined,
  ...more,
});

describe('the rows of a progress display', () => {
  test('have speed and time left once there is something to go by', () => {
    let now = 0;
    const rows = new ProgressRows(() => now);
    expect(rows.of(look(0, 0))[0]).toMatchObject({ rowsPerSecond: undefined, secondsLeft: undefined, running: true });
    now = 10_000;
    expect(rows.of(look(20, 1_000_000))[0]).toMatchObject({ rowsPerSecond: 100_000, secondsLeft: 20 });
  });

  test('go by the last seconds, not by how slow it was an hour ago', () => {
    let now = 0;
    const rows = new ProgressRows(() => now);
    rows.of(look(0, 0));
    now = 3_600_000;
    rows.of(look(10, 10));
    now += 10_000;
    expect(rows.of(look(20, 100_010))[0]).toMatchObject({ rowsPerSecond: 10_000, secondsLeft: 40 });
  });

  test('of a stage that is done have the speed of the whole, and nothing left', () => {
    const stage = { n: 1, name: 'flights', total: 60, done: 60, failed: 0, rows: 3_000_000 };
    const done = look(60, 0, {
      stages: [{ ...stage, startedAt: new Date(0), finishedAt: new Date(30_000) }],
    });
    expect(new ProgressRows().of(done)[0]).toMatchObject({
      rowsPerSecond: 100_000,
      secondsLeft: undefined,
      running: false,
    });
  });

  test.each([
    [{}, 'core.flight · batch 114 · flights'],
    [{ paused: true }, 'core.flight · batch 114 · paused'],
    [{ status: 'finished' as const }, 'core.flight · batch 114 · published'],
    [{ status: 'cancelled' as const, error: 'cancelled' }, 'core.flight · batch 114 · cancelled'],
    [{ status: 'failed' as const, error: 'no\nmore' }, 'core.flight · batch 114 · failed · no'],
    [{ phase: undefined, batch: undefined }, 'core.flight'],
  ])('%o reads: %s', (more, text) => {
    expect(headline(look(1, 1, more))).toBe(text);
  });
});
