import { z } from 'zod';

import {
  chunkRows,
  duration,
  expectation,
  lanes,
  loadList,
  loadName,
  maxAttempts,
  parameterName,
  parameterValue,
  plainName,
  rejectLimit,
  settingName,
  settingValue,
  sqlList,
  sqlText,
  stepList,
  tableList,
  tableName,
  text,
  wholeNumber,
} from './schema-values.ts';

const input = z.union(
  [
    tableName,
    z.strictObject({
      table: tableName,
      external: z.boolean().optional().describe('Filled by scripts outside this project'),
      ready: sqlText.optional().describe('One query: true, or a number that is not 0, once the scripts are done'),
    }),
  ],
  { error: 'must be a table, or { table, external: true, ready }' },
);

const output = z.union(
  [
    tableName,
    z.strictObject({
      table: tableName,
      rollback: z.literal('delete').optional().describe("How a batch's rows leave the table again"),
      write: z.literal('append').optional(),
    }),
  ],
  { error: 'must be a table, or { table, rollback: delete }' },
);

const chunk = z.strictObject({
  input: tableName.describe('The table that is cut: one of `inputs`, or an output of a consumed load'),
  rows: chunkRows.optional().describe('Rows a chunk, about'),
  key: z
    .union([text, z.array(text).min(1)], { error: 'must be a column or a list of columns' })
    .optional()
    .describe('All rows of one value share a chunk'),
});

const stage = z.strictObject({
  name: text,
  sql: sqlList,
  chunk: chunk.optional().describe('Cut this stage into chunks; without it, the stage is one chunk'),
  lanes: lanes.optional().describe("Overrides the load's lanes"),
});

const check = z.strictObject({
  name: text,
  sql: sqlText.describe('One query; the first column of its first row is compared'),
  expect: expectation.describe('0, ">0", ">= 5", "<> 3"'),
  severity: z.enum(['error', 'warn']).optional().describe('error (default) fails the batch'),
});

/** Keys of every kind. */
const anyLoad = {
  description: text.optional(),
  enabled: z.boolean().optional().describe('false: sessions leave it out'),
  connection: plainName.describe('The connection that holds inputs, outputs and control tables of this load'),
  needs: loadList.optional().describe('Loads that come first in a session, beyond what the tables say'),
  params: z.record(parameterName, parameterValue).optional().describe('Bound as :params.name'),
  session_params: z.record(settingName, settingValue).optional().describe('Server settings of each transaction'),
  lanes: lanes.optional(),
  max_attempts: maxAttempts.optional(),
  max_runtime: duration.optional(),
  before: stepList.optional().describe('Steps before the snapshot, each its own transaction'),
  after: stepList.optional().describe('Steps after publishing, each its own transaction'),
  checks: z.array(check).optional(),
  on_bad_row: z
    .enum(['fail', 'quarantine'])
    .optional()
    .describe('quarantine: what cannot be processed is set aside row by row, and the others go on'),
  max_rejected: rejectLimit.optional().describe('Rows, or "1%" of those read, that may be set aside (100)'),
  on_failure: z.enum(['roll_back', 'hold']).optional(),
  renamed_from: loadName.optional().describe('The name under which this load ran before'),
};

const oneCharacter = z.string().regex(/^[\t !-[\]-~]$/, 'must be one ASCII character, and no backslash or line end');

const csv = z.strictObject({
  delimiter: oneCharacter.optional().describe('Between two values; `,`'),
  quote: oneCharacter.optional().describe('Around values; doubled within them; `"`'),
  null_text: z.string().optional().describe('An unquoted value that is NULL; nothing at all'),
  encoding: z.literal('utf-8').optional(),
});

/** No list of values, which a mapping would be measured by. */
const invalidRuleName = z.string().regex(/^(fail|null|text)$/, 'must be `fail`, `null` or `text`');

/** YAML reads a plain `null` as nothing. */
const invalidRule = z.union([invalidRuleName, z.null()], { error: 'must be `fail`, `null` or `text`' });

const landing = z.strictObject({
  table: tableName,
  create: z.boolean().optional().describe('A start makes the table where there is none'),
  on_new_columns: z
    .enum(['fail', 'ignore', 'add'])
    .optional()
    .describe('What becomes of columns of the source that the table lacks; fail (default) refuses the start'),
  on_invalid: z
    .union([invalidRuleName, z.null(), z.record(text, invalidRule)], {
      error: 'must be `fail`, `null` or `text`, or a mapping of columns to one of them',
    })
    .optional()
    .describe('What becomes of values that the table cannot keep, such as zero dates and infinity; fail (default)'),
});

export const acquisitionSchema = z
  .strictObject({
    kind: z.literal('acquisition'),
    ...anyLoad,
    from: z.strictObject({
      connection: plainName.optional().describe('Where the rows are; not for files'),
      files: z
        .union([text, z.array(text).min(1)], {
          error: 'must be a file, a pattern such as `data/*.csv`, or a list of them',
        })
        .optional()
        .describe('CSV files where the workers run, relative to the project; `.gz` is unpacked'),
      csv: csv.optional().describe('How the files are written'),
      table: tableName.optional().describe('The table that is copied; or `sql`, or `files`'),
      sql: sqlText.optional().describe('One SELECT whose rows are copied, in the SQL of the source'),
      cursor: text.optional().describe('Column whose growing values cut windows'),
      range: z
        .strictObject({ column: text, step: wholeNumber.min(1) })
        .optional()
        .describe('Chunks by arithmetic, for a view or a query that no key cuts'),
      consistent: z.boolean().optional().describe('All chunks read the source as it was at one moment; false'),
      lag: duration
        .optional()
        .describe("How far behind the source server's clock a window ends (10s); of files: how old they must be (0)"),
      start: z
        .union([text, z.number()], { error: 'must be text or a number' })
        .optional()
        .describe('First value of the first window'),
    }),
    to: z.union([tableName, landing], { error: 'must be a table, or { table, create, on_new_columns }' }),
    chunk_rows: chunkRows.optional().describe('Rows a chunk, about'),
  })
  .describe('Copies rows of a source table into a landing table');

export const coreSchema = z
  .strictObject({
    kind: z.literal('core'),
    ...anyLoad,
    inputs: z.array(input).min(1).optional().describe('Landing tables that this load empties'),
    consumes: loadList.optional().describe('Acquisitions whose published batches this load takes, each once'),
    reads: tableList.optional().describe('Tables whose published rows are looked up'),
    stages: z.array(stage).min(1),
    outputs: z.array(output).min(1),
  })
  .describe('Turns landed rows into warehouse rows');

export const servicesSchema = z
  .strictObject({
    kind: z.literal('services'),
    ...anyLoad,
    consumes: loadList.describe('Loads whose published batches this load takes, each once'),
    reads: tableList.optional().describe('Tables whose published rows are looked up'),
    stages: z.array(stage).min(1),
    outputs: z.array(output).min(1),
  })
  .describe('Derives rows from published batches');

const bound = z
  .union([z.int(), text], { error: 'must be a whole number, a date, a time, or a query' })
  .describe('A whole number, a date (2001-01-31), a time (2001-01-31 10:00:00), or a query that gives one');

const range = z.strictObject({
  min: bound.optional().describe('The first value'),
  max: bound.optional().describe('The last value: it is in the last range'),
  of: text.optional().describe('Instead of `min` and `max`: all values of this column, `core.vehicle.id`'),
  step: z
    .union([z.int(), text], { error: 'must be a whole number above 0, or a step of the calendar such as `1 day`' })
    .describe('How long a range is: 1000, `1 day`, `1 month`, `2h`'),
});

const taskStage = z.strictObject({
  name: text,
  sql: sqlList.describe('Uses :from and :to, and runs once a range; or neither, and runs once'),
  lanes: lanes.optional().describe("Overrides the task's lanes"),
});

export const taskSchema = z
  .strictObject({
    kind: z.literal('task'),
    ...anyLoad,
    reads: tableList.optional().describe('Tables whose published rows are looked up'),
    range: range.optional().describe('What :from and :to go over'),
    sql: sqlList.optional().describe('What is done, where there is one stage'),
    stages: z.array(taskStage).min(1).optional().describe('What is done, where there are several'),
    outputs: z.array(output).min(1).optional().describe('Tables whose rows are taken back when the task fails'),
    method: z
      .enum(['exec', 'query', 'query_one'])
      .optional()
      .describe('query: the rows of the last statement are shown; query_one: the first one of each range'),
    output: text.optional().describe('Where the rows go: stdout, or a file of the project, .csv, .jsonl or .ndjson'),
    on_error: stepList.optional().describe('Steps when the task has failed, each its own transaction'),
  })
  .describe('Runs SQL, over ranges of values');

/** A file under `loads/`. */
export const loadSchema = z.discriminatedUnion('kind', [acquisitionSchema, coreSchema, servicesSchema, taskSchema]);

/** The schema of each kind. */
export const SCHEMA_OF_KIND = {
  acquisition: acquisitionSchema,
  core: coreSchema,
  services: servicesSchema,
  task: taskSchema,
} as const;

export type AcquisitionFile = z.infer<typeof acquisitionSchema>;
export type CoreFile = z.infer<typeof coreSchema>;
export type ServicesFile = z.infer<typeof servicesSchema>;
export type TaskFile = z.infer<typeof taskSchema>;
export type StepsFile = z.infer<typeof stepList>;
export type LoadFile = z.infer<typeof loadSchema>;
