import type { LoadDefinition } from '../config/definition.ts';

/** What decides which rows a load writes, and whether they are published, as its file calls it. */
const PARTS: Partial<Record<keyof LoadDefinition, string>> = {
  connection: 'connection',
  inputs: 'inputs',
  consumes: 'consumes',
  reads: 'reads',
  outputs: 'outputs',
  from: 'from',
  files: 'from',
  landing: 'to',
  stages: 'sql',
  checks: 'checks',
  before: 'before',
  after: 'after',
  params: 'params',
  sessionParams: 'session_params',
  onBadRow: 'on_bad_row',
};

/** Where something stands in a file, and on how many connections it runs. */
const BESIDE = new Set(['file', 'line', 'column', 'lanes']);

const essence = (part: unknown): string =>
  JSON.stringify(part, (key, value: unknown) => (BESIDE.has(key) ? undefined : value)) ?? '';

/** Parts of a load's file that say something else by now than when a batch of it opened; in the file's words. */
export function editedSince(then: LoadDefinition, now: LoadDefinition): string[] {
  const parts = Object.keys(PARTS) as (keyof LoadDefinition)[];
  return [...new Set(parts.filter((part) => essence(then[part]) !== essence(now[part])).map((part) => PARTS[part]!))];
}
