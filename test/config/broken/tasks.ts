import type { BrokenProject } from '../project-folder.ts';

const FILE = 'loads/task/vehicle.yaml';
const RANGED = 'update core.vehicle set seen = 1 where id >= :from and id < :to';

/** A task, line by line below `kind` and `connection`. */
const task = (title: string, lines: string[], expected: string[]): BrokenProject => ({
  title,
  files: { [FILE]: ['kind: task', 'connection: warehouse', ...lines, ''].join('\n') },
  expected: expected.map((problem) => `${FILE}:${problem}`),
});

/** What only tasks have. */
export const tasks: BrokenProject[] = [
  task(
    'neither sql nor stages nor steps',
    ['range: { min: 1, max: 9, step: 2 }'],
    ['1:1: a task needs `sql`, `stages` or `before`'],
  ),
  task(
    'steps alone, over a range, or with rows to show',
    ['range: { min: 1, max: 9, step: 2 }', 'method: query', 'before: select 1'],
    [
      '3:1: `range` means nothing without `sql` or `stages`: steps run once',
      '4:9: a query has one stage, whose last statement gives the rows',
    ],
  ),
  task(
    'steps alone, with outputs',
    ['before: truncate core.vehicle', 'outputs: [core.vehicle]'],
    ['4:1: `outputs` means nothing without `sql` or `stages`: what steps write is not taken back'],
  ),
  task(
    'both sql and stages',
    ['sql: select 1', 'stages: [ { name: a, sql: select 1 } ]'],
    ['3:1: `sql` and `stages` do not go together: `sql` is the one stage of a task'],
  ),
  task(
    'sql that names no bound of its range',
    ['range: { min: 1, max: 9, step: 2 }', 'sql: update core.vehicle set seen = 1'],
    ['4:1: `sql` does not use `:from` and `:to`: it would do everything once a range'],
  ),
  task(
    'stages that name no bound of the range',
    ['range: { min: 1, max: 9, step: 2 }', 'stages: [ { name: a, sql: select 1 } ]'],
    ['3:1: no stage uses `:from` and `:to`: nothing goes over this range'],
  ),
  task(
    'one bound of two',
    ['range: { min: 1, max: 9, step: 2 }', 'sql: delete from core.vehicle where id >= :from'],
    ['4:6: stage `task` uses `:from` and not `:to`: its ranges would overlap'],
  ),
  task(
    'bounds without a range',
    [`sql: ${RANGED}`],
    [
      '3:51: `:from` is a bound of a range, and only stages of a task with `range` have bounds',
      '3:66: `:to` is a bound of a range, and only stages of a task with `range` have bounds',
    ],
  ),
  task(
    'bounds outside of its stages',
    ['range: { min: 1, max: 9, step: 2 }', `sql: ${RANGED}`, 'on_error: select :from'],
    ['5:18: `:from` is a bound of a range, and only stages of a task with `range` have bounds'],
  ),
  task('a range without its ends', ['range: { min: 1, step: 2 }', `sql: ${RANGED}`], ['3:1: `range` has no `max`']),
  task('a range of nothing', ['range: { step: 2 }', `sql: ${RANGED}`], ['3:1: `range` has no `min` and `max`']),
  task(
    'a range without a step',
    ['range: { min: 1, max: 9 }', `sql: ${RANGED}`],
    ['3:1: `step` is missing in `range`'],
  ),
  task(
    'a column and ends',
    ['range: { of: core.vehicle.id, min: 1, step: 2 }', `sql: ${RANGED}`],
    ['3:14: `of` means all values of a column: `min` and `max` do not go with it'],
  ),
  task(
    'a table without its column',
    ['range: { of: vehicle, step: 2 }', `sql: ${RANGED}`],
    ['3:14: "vehicle" is not a column with its table'],
  ),
  task(
    'a step of nothing',
    ['range: { min: 1, max: 9, step: 0 }', `sql: ${RANGED}`],
    ['3:32: `step` must be a whole number above 0, or a step of the calendar'],
  ),
  task(
    'a step of the calendar between numbers',
    ['range: { min: 1, max: 9, step: 1 day }', `sql: ${RANGED}`],
    ['3:32: a step of `1 day` does not lead from one number to the next'],
  ),
  task(
    'a number as a step between dates',
    ['range: { min: 2001-01-01, max: 2001-12-31, step: 7 }', `sql: ${RANGED}`],
    ['3:50: a step of `7` does not lead from one date to the next'],
  ),
  task(
    'hours between dates',
    ['range: { min: 2001-01-01, max: 2001-12-31, step: 2h }', `sql: ${RANGED}`],
    ['3:50: the range is of dates, and a step of `2h` is less than a day'],
  ),
  task(
    'a date and a number',
    ['range: { min: 2001-01-01, max: 9, step: 1 day }', `sql: ${RANGED}`],
    ['3:32: `min` is a date and `max` a whole number'],
  ),
  task(
    'a decimal',
    ['range: { min: 1.5, max: 9, step: 1 }', `sql: ${RANGED}`],
    ['3:15: `min` must be a whole number, a date, a time, or a query, got 1.5'],
  ),
  task(
    'a day that no calendar has',
    ['range: { min: 2001-02-29, max: 2001-12-31, step: 1 day }', `sql: ${RANGED}`],
    ['3:15: `min` must be a whole number, a date, a time, or a query'],
  ),
  task(
    'more ranges than the ledger takes',
    ['range: { min: 1, max: 10000000, step: 1 }', `sql: ${RANGED}`],
    ['3:39: the range would be cut into 10,000,000 ranges, and 5,000,000 are the most'],
  ),
  task(
    'a bound that asks for what is not there yet',
    ['range: { min: 1, max: "select :batch_id from {{ core.vehicle }} v", step: 1 }', `sql: ${RANGED}`],
    [
      '3:31: `:batch_id` is not known yet when a bound is asked: the batch opens after that',
      '3:46: `{{ core.vehicle }}` cannot be read in a bound: it is asked before the batch opens',
    ],
  ),
  task(
    'a bound out of the environment',
    ['range: { min: 1, max: "select ${LAST}", step: 1 }', `sql: ${RANGED}`],
    ['3:31: `${…}` is not filled in inside SQL'],
  ),
  task(
    'lanes of a stage that runs once',
    [
      'range: { min: 1, max: 9, step: 2 }',
      'stages:',
      '  - { name: once, sql: select 1, lanes: 2 }',
      `  - { name: ranged, sql: "${RANGED}", lanes: 2 }`,
    ],
    ['5:34: `lanes` means nothing in a stage without `:from` and `:to`: it runs once'],
  ),
  task(
    'rows to be set aside, and nothing to tell them by',
    ['sql: select 1', 'on_bad_row: quarantine', 'max_rejected: "1%"'],
    [
      '4:1: `on_bad_row: quarantine` cannot tell rows apart: there is no `range`',
      '5:15: a task does not know how many rows it reads: `max_rejected` cannot be a share of them',
    ],
  ),
  task(
    'keys of other kinds',
    ['sql: select 1', 'inputs: [acq.flight]', 'consumes: [acquisition.flight]'],
    [
      '4:1: `inputs` is no key of a load of kind `task`: it belongs to `core`',
      '5:1: `consumes` is no key of a load of kind `task`: it belongs to `core`, `services`',
    ],
  ),
  task(
    'output without rows',
    ['sql: select 1', 'output: out.csv'],
    ['4:1: `output` means nothing without `method: query` or `query_one`: nothing else has rows to show'],
  ),
  task(
    'a query whose last statement is none, with rows to be set aside',
    [
      `sql: [ "select 1", "${RANGED}" ]`,
      'range: { min: 1, max: 9, step: 2 }',
      'method: query',
      'on_bad_row: quarantine',
    ],
    [
      '3:21: the last statement gives the rows, and this is `update`',
      '6:13: a query cannot set rows aside: their place among the others would be lost',
    ],
  ),
  task(
    'a query in several stages',
    ['stages: [ { name: a, sql: select 1 }, { name: b, sql: select 2 } ]', 'method: query_one'],
    ['4:9: a query has one stage, whose last statement gives the rows'],
  ),
  task(
    'a file outside the project',
    ['sql: select 1', 'method: query', 'output: out/../../vehicles.csv'],
    ["5:9: `../vehicles.csv` is outside the project's folder"],
  ),
  task(
    'a file that is part of the project',
    ['sql: select 1', 'method: query', 'output: loads/core/flights.sql'],
    ['5:9: `output` must be `stdout`, or a file that ends in .csv, .jsonl or .ndjson'],
  ),
  {
    title: 'a file that another task writes, too',
    files: Object.fromEntries(
      ['a', 'b'].map((name) => [
        `loads/task/${name}.yaml`,
        'kind: task\nconnection: warehouse\nsql: select 1\nmethod: query\noutput: vehicles.csv\n',
      ]),
    ),
    expected: ['loads/task/b.yaml:5:9: `vehicles.csv` is written by `task.a` too'],
  },
];
