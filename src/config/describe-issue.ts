import type { z } from 'zod';

import { nearest } from '../sql/names.ts';
import { hideCredentials } from './hide-credentials.ts';
import { keysAt } from './schema-keys.ts';
import type { ValuePath } from './yaml-file.ts';

type Issue = z.core.$ZodIssue;

/** One thing that a schema found wrong, in plain English. */
export interface Finding {
  path: ValuePath;
  /** What to point at: the value, or the key itself. */
  at: 'key' | 'value';
  message: string;
  /** The key that is not there, where that is the finding. */
  missing?: string;
  /** The key that the reader probably meant, where an unknown one was found. */
  meant?: string;
}

export interface DescribeOptions {
  schema: z.ZodType;
  value: unknown;
  /** How a value is shown in a message; hides what must not be seen. */
  show: (path: ValuePath, value: unknown) => string;
  /** A better message for a key that does not belong here, such as "it belongs to `core`". */
  explainKey?: (path: ValuePath, key: string) => string | undefined;
}

/** Turns one of zod's issues into findings: none of its words reach the reader. */
export function describeIssue(issue: Issue, options: DescribeOptions): Finding[] {
  const path = issue.path as ValuePath;
  const name = nameOf(path);
  const got = valueAt(options.value, path);
  const found = (message: string): Finding[] => [{ path, at: 'value', message }];
  const wrong = (expected: string): Finding[] => {
    if (got === undefined) return [missingKey(path)];
    if (got === null) return found(`${name} is empty: it ${expected}`);
    return found(`${name} ${expected}, got ${options.show(path, got)}`);
  };

  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(path, key, options));
    case 'invalid_type':
      return wrong(isCustom(issue) ? issue.message : `must be ${KIND_NAMES[issue.expected] ?? issue.expected}`);
    case 'invalid_value':
      return wrong(oneOf(issue.values.map(String), got));
    case 'too_small':
      if (issue.origin === 'number') return wrong(`must be at least ${String(issue.minimum)}`);
      return issue.origin === 'array' ? found(`${name} must not be empty`) : found(`${name} ${issue.message}`);
    case 'too_big':
      return wrong(`must be at most ${String(issue.maximum)}`);
    case 'invalid_key':
      return [
        {
          path,
          at: 'key',
          message: `the name \`${hideCredentials(String(path.at(-1)))}\` ${issue.issues[0]?.message ?? ''}`,
        },
      ];
    case 'invalid_union': {
      const fitting = issue.errors.find((errors) => !errors.some((error) => isWrongKind(error)));
      if (fitting === undefined) return wrong(issue.message);
      return fitting.flatMap((error) => describeIssue({ ...error, path: [...path, ...error.path] }, options));
    }
    default:
      return wrong(issue.message);
  }
}

/** The plain names of what zod calls `string`, `int`, `record`. */
const KIND_NAMES: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys to values',
  record: 'a mapping of names to values',
};

function isWrongKind(issue: Issue): boolean {
  return issue.path.length === 0 && issue.code === 'invalid_type';
}

function isCustom(issue: Issue): boolean {
  return issue.message.startsWith('must ');
}

function missingKey(path: ValuePath): Finding {
  const key = String(path.at(-1));
  const parent = path.slice(0, -1);
  const inside = parent.length === 0 ? '' : ` in ${nameOf(parent)}`;
  return { path: parent, at: 'key', message: `\`${key}\` is missing${inside}`, missing: key };
}

function unknownKey(path: ValuePath, key: string, options: DescribeOptions): Finding {
  const explained = options.explainKey?.(path, key);
  if (explained !== undefined) return { path: [...path, key], at: 'key', message: explained };
  const meant = nearest(key, keysAt(options.schema, path));
  const message = `unknown key \`${hideCredentials(key)}\`${meant === undefined ? '' : `: did you mean \`${meant}\`?`}`;
  return { path: [...path, key], at: 'key', message, ...(meant !== undefined && { meant }) };
}

function oneOf(values: string[], got: unknown): string {
  const names = values.map((value) => `\`${value}\``);
  const list = names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
  const close = typeof got === 'string' ? nearest(got, values) : undefined;
  return `must be ${list}${close === undefined || values.length < 2 ? '' : ` (did you mean \`${close}\`?)`}`;
}

/** `` `lanes` ``, or "an entry of `inputs`". */
export function nameOf(path: ValuePath): string {
  const last = path.at(-1);
  if (last === undefined) return 'the file';
  return typeof last === 'number' ? `an entry of \`${String(path.at(-2))}\`` : `\`${hideCredentials(last)}\``;
}

/** The value at a path; `undefined` where there is none. */
export function valueAt(value: unknown, path: ValuePath): unknown {
  return path.reduce<unknown>(
    (node, step) => (typeof node === 'object' && node !== null ? (node as Record<string, unknown>)[step] : undefined),
    value,
  );
}
