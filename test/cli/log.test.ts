import { readFile } from 'node:fs/promises';
import pino from 'pino';
import { describe, expect, test } from 'vitest';
import { createLog, logLevel } from '../../src/cli/log.ts';
import { UsageError } from '../../src/cli/usage-error.ts';

const LEVELS = [...Object.keys(pino.levels.values), 'silent'];

describe('WAYBILL_LOG_LEVEL', () => {
  const levelOf = (level: string | undefined, unlessSet?: string): string =>
    createLog({ stderr: process.stderr, env: { WAYBILL_LOG_LEVEL: level } }, unlessSet).level;

  test.each(LEVELS)('may be %s', (level) => {
    expect(levelOf(level)).toBe(level);
  });

  test.each([undefined, ''])('that is %j is what is usual', (level) => {
    expect(levelOf(level)).toBe('info');
    expect(levelOf(level, 'error')).toBe('error');
  });

  test.each(['verbose', 'INFO', '30', 'toString'])('that is %s is refused, and what there is is listed', (level) => {
    expect(() => logLevel({ WAYBILL_LOG_LEVEL: level })).toThrow(
      new UsageError(`WAYBILL_LOG_LEVEL is ${level}, and must be one of ${LEVELS.join(', ')}`),
    );
  });

  test('has its values in docs/cli.md', async () => {
    const text = await readFile(new URL('../../docs/cli.md', import.meta.url), 'utf8');
    const listed = /`WAYBILL_LOG_LEVEL` \(([^)]*)\)/.exec(text)?.[1] ?? '';
    expect([...listed.matchAll(/`(\w+)`/g)].map(([, level]) => level)).toEqual(expect.arrayContaining(LEVELS));
  });
});
