import { z } from 'zod';

import { DURATION_PATTERN } from './duration.ts';
import { EXPECTATION_PATTERN } from './expectation.ts';

/**
 * The kinds of value that both file kinds share. They check and do not change anything, so that the JSON Schema says the
 * same as the check; `project-definition.ts` and `load-definition.ts` turn them into definitions. Every message begins
 * with "must", for the place says the rest.
 */

export const text = z.string().min(1, 'must not be empty');

/** A name that stands in ids and commands: connections, sessions. */
export const plainName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_-]*$/, 'must be letters, digits, `_` and `-`, and begin with a letter');

/** A database identifier that needs no quotes. */
export const identifier = z
  .string()
  .regex(/^[a-z_][a-z0-9_]{0,62}$/, 'must be lower-case letters, digits and `_`, at most 63');

/** A duration longer than nothing: `2h`, `90s`, `1h30m`, `500ms`, up to 24 days (a timer's limit). */
export const duration = z
  .string({ error: 'must be a duration such as `90s`, `15m` or `1h30m`' })
  .regex(DURATION_PATTERN, 'must be a duration such as `90s`, `15m` or `1h30m`');

export const tableName = text.describe('A table, with its schema: core.flight');

export const loadName = text.describe('A load: its path under loads/, dots for slashes: core.flight');

export const sqlText = text.describe('SQL, or the name of a file that ends in .sql, relative to this file');

/** A step or stage: one text of SQL, or several. */
export const sqlList = z.union([sqlText, z.array(sqlText).min(1)], {
  error: 'must be SQL, the name of a .sql file, or a list of them',
});

export const tableList = z.array(tableName).min(1);

export const loadList = z.array(loadName).min(1);

export const wholeNumber = z.int({ error: 'must be a whole number' });

export const lanes = wholeNumber.min(1).max(64);

export const maxAttempts = wholeNumber.min(1).max(100);

export const chunkRows = wholeNumber.min(1).max(100_000_000);

/** A value of `params:`: bound, never pasted. */
export const parameterValue = z.union([z.string(), z.number(), z.boolean(), z.null()], {
  error: 'must be text, a number, true, false or null',
});

export const parameterName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be letters, digits and `_`, and begin with a letter');

/** The name of a server setting. Which may be set is checked in `session-settings.ts`. */
export const settingName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$/, 'must be the name of a server setting');

export const settingValue = z.union([z.string(), z.number(), z.boolean()], {
  error: 'must be text, a number, true or false',
});

const stepText = z.union(
  [sqlText, z.strictObject({ sql: sqlText, session_params: z.record(settingName, settingValue) })],
  { error: 'must be SQL, the name of a .sql file, or { sql, session_params }' },
);

/** One step, or several. */
export const stepList = z.union([sqlText, z.array(stepText).min(1)], {
  error: 'must be SQL, the name of a .sql file, or a list of them',
});

/** `100`, `"0.5%"`. */
export const rejectLimit = z.union(
  [
    wholeNumber.min(0),
    z.string().regex(/^(?:100|\d{1,2})(?:\.\d+)?%$/, 'must be a number of rows, or a share such as `"1%"`'),
  ],
  { error: 'must be a number of rows, or a share such as `"1%"`' },
);

export const expectation = z.union([z.number(), z.string().regex(EXPECTATION_PATTERN, expectationAdvice())], {
  error: expectationAdvice(),
});

function expectationAdvice(): string {
  return 'must be a number, or a comparison in quotes such as `">0"`';
}
