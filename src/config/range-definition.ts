import { parseColumnName } from '../sql/names.ts';
import { parseRangeValue, valueAfter, type RangeValue } from '../sql/range-value.ts';
import { WaybillError } from '../errors.ts';
import type { RangeBound, RangeDefinition } from './definition.ts';
import type { LoadBuild } from './load-definition.ts';
import type { TaskFile } from './load-schema.ts';
import { misfit, mixed } from './ranges.ts';
import { parseStep } from './range-step.ts';
import { sqlDialectOf } from './sql-dialect.ts';
import { readSql } from './sql-source.ts';

/** Whether a bound is a query, and so SQL: in the file, or in a `.sql` file of its own. */
export const isQuery = (text: string): boolean => /^\s*(?:select|with)\b|\.sql\s*$/i.test(text);

/** `range:` of a task; undefined where something in it is wrong, and `problems` says what. */
export function rangeOf(
  given: NonNullable<TaskFile['range']>,
  connection: string,
  build: LoadBuild,
): RangeDefinition | undefined {
  const { yaml, problems, settings } = build;
  const before = problems.length;
  const refuse = (key: string | undefined, message: string, next?: string): undefined => {
    const place = key === undefined ? yaml.place(['range'], 'key') : yaml.place(['range', key]);
    problems.push({ ...place, message, ...(next !== undefined && { next }), severity: 'error' });
  };

  const step = parseStep(given.step);
  if (step === undefined) {
    const next = 'Write `step: 1000`, `step: 1 day`, `1 month`, `2h` …';
    refuse('step', '`step` must be a whole number above 0, or a step of the calendar', next);
  }
  let over: RangeDefinition['over'] | undefined;
  if (given.of !== undefined) {
    if (given.min !== undefined || given.max !== undefined) {
      refuse(
        'of',
        '`of` means all values of a column: `min` and `max` do not go with it',
        'Leave one or the other out.',
      );
    }
    try {
      over = parseColumnName(given.of, sqlDialectOf(settings.connections, connection));
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      refuse('of', error.message, error.next);
    }
  } else if (given.min === undefined || given.max === undefined) {
    const missing = given.min === undefined ? (given.max === undefined ? '`min` and `max`' : '`min`') : '`max`';
    refuse(
      undefined,
      `\`range\` has no ${missing}`,
      'Write `min` and `max`; or `of: table.column` for all its values.',
    );
  } else {
    const [min, max] = (['min', 'max'] as const).map((key) => boundOf(given[key]!, key, build, refuse));
    if (min !== undefined && max !== undefined) over = { min, max };
  }
  if (step === undefined || over === undefined || problems.length > before) return undefined;

  if ('min' in over && 'value' in over.min && 'value' in over.max) {
    const [min, max] = [over.min, over.max].map(({ value }) => parseRangeValue(value)) as [RangeValue, RangeValue];
    const differ = mixed(min, max);
    if (differ) return refuse('max', differ.message, differ.next);
    const wrong = misfit(min, valueAfter(max), step);
    if (wrong) return refuse('step', wrong.message, wrong.next);
  }
  return { over, step };
}

function boundOf(
  given: string | number,
  key: 'min' | 'max',
  build: LoadBuild,
  refuse: (key: string, message: string, next: string) => undefined,
): RangeBound | undefined {
  const text = String(given).trim();
  if (isQuery(text)) {
    const query = readSql(build.yaml, ['range', key], String(given), build.folder, build.problems);
    return query && { query };
  }
  if (parseRangeValue(text) !== undefined) return { value: text };
  const next = 'Write 100, 2001-01-31, 2001-01-31 10:00:00, or a query that begins with `select` or `with`.';
  return refuse(key, `\`${key}\` must be a whole number, a date, a time, or a query`, next);
}
