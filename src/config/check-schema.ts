import type { z } from 'zod';

import { describeIssue, valueAt } from './describe-issue.ts';
import type { Finding } from './describe-issue.ts';
import type { Substitution } from './environment.ts';
import { hideCredentials } from './hide-credentials.ts';
import { refuseNotYet } from './not-yet.ts';
import type { Problem } from './problem.ts';
import type { ValuePath, YamlFile } from './yaml-file.ts';

export interface SchemaCheck<T extends z.ZodType> {
  yaml: YamlFile;
  schema: T;
  substitution: Substitution;
  /** Patterns of `not-yet.ts`. */
  notYet: readonly string[];
  explainKey?: (path: ValuePath, key: string) => string | undefined;
}

/**
 * Checks one file's value against its schema. What is wrong goes to `problems`, in plain English and with its place;
 * the answer is then `undefined`. A value from the environment is text: where a number or true/false is due, it becomes one.
 */
export function checkAgainstSchema<T extends z.ZodType>(
  check: SchemaCheck<T>,
  problems: Problem[],
): z.infer<T> | undefined {
  const { yaml, schema, substitution } = check;
  const before = problems.length;
  const pruned = refuseNotYet(yaml, substitution.value, check.notYet, problems);

  let value = pruned.value;
  let result = schema.safeParse(value);
  if (result.error !== undefined) {
    value = convertSubstituted(value, result.error.issues, substitution);
    result = schema.safeParse(value);
  }
  const findings = (result.error?.issues ?? []).flatMap((issue) =>
    describeIssue(issue, {
      schema,
      value,
      show: (path, got) => show(yaml, substitution, path, got),
      ...(check.explainKey && { explainKey: check.explainKey }),
    }),
  );
  for (const { path, at, message } of withoutEchoes(findings, pruned.parents, substitution)) {
    problems.push({ ...yaml.place(path, at), message, severity: 'error' });
  }
  return problems.length > before ? undefined : result.data;
}

/** Where the schema wants a number or true/false and the environment gave such a text: converts it. Unset: leaves it out. */
function convertSubstituted(value: unknown, issues: z.core.$ZodIssue[], { substituted, unset }: Substitution): unknown {
  const copy = structuredClone(value);
  for (const issue of issues) {
    const path = JSON.stringify(issue.path);
    const parent = valueAt(copy, issue.path.slice(0, -1) as ValuePath) as Record<PropertyKey, unknown> | undefined;
    const key = issue.path.at(-1);
    if (parent === undefined || key === undefined || !substituted.has(path)) continue;
    const text = String(parent[key]);
    if (unset.has(path)) delete parent[key];
    else if (/^-?(0|[1-9]\d*)(\.\d+)?$/.test(text)) parent[key] = Number(text);
    else if (text === 'true' || text === 'false') parent[key] = text === 'true';
  }
  return copy;
}

/** Drops findings that only follow from another: a missing key whose misspelling, or whose place, is reported already. */
function withoutEchoes(findings: Finding[], prunedParents: Set<string>, { unset }: Substitution): Finding[] {
  return findings.filter(({ path, missing }) => {
    if (unset.has(JSON.stringify(path))) return false;
    if (missing === undefined) return true;
    const parent = JSON.stringify(path);
    if (prunedParents.has(parent) || unset.has(JSON.stringify([...path, missing]))) return false;
    return !findings.some((other) => other.meant === missing && JSON.stringify(other.path.slice(0, -1)) === parent);
  });
}

/** A value as it stands in the file, short; never what the environment put there, never a URL. */
function show(yaml: YamlFile, { substituted }: Substitution, path: ValuePath, value: unknown): string {
  if (path.at(-1) === 'url') return 'something else';
  if (substituted.has(JSON.stringify(path))) return `\`${hideCredentials(yaml.written(path))}\``;
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  if (typeof value === 'number') return yaml.scalar(path)?.source ?? String(value);
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(hideCredentials(value.length > 40 ? `${value.slice(0, 37)}...` : value));
}
