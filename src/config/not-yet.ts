import type { Place, Problem } from './problem.ts';
import type { ValuePath, YamlFile } from './yaml-file.ts';

/**
 * What the contract knows and this version does not do yet. It is refused by name, so that nobody takes it for a typo or
 * believes that it works. A path is written with `*` for any key or position; `=` refuses one value of the key only.
 */
export const NOT_YET_IN_LOADS = [
  'outputs.*.rollback=scd2',
  'outputs.*.rollback=undo',
  'outputs.*.write=replace',
  'outputs.*.views',
  'outputs.*.key',
  'outputs.*.effective_from',
  'outputs.*.effective_to',
  'outputs.*.current',
  'outputs.*.open_end',
  'checks.*.kind',
] as const;

export const NOT_YET_IN_PROJECT = ['connections.*.task_queue', 'sessions.*.schedule', 'sessions.*.timezone'] as const;

/** Keys that only mean something beside a value that is itself not yet available: one problem is enough. */
const SCD2_KEYS = ['key', 'effective_from', 'effective_to', 'current', 'open_end'];

/** The value without what is not yet available, and the mappings (JSON paths) that lost a key. */
export interface Pruned {
  value: unknown;
  parents: Set<string>;
}

/** Refuses what is not yet available, each at its own place, and takes it out so that it is not reported twice. */
export function refuseNotYet(yaml: YamlFile, value: unknown, patterns: readonly string[], problems: Problem[]): Pruned {
  const parents = new Set<string>();
  const refuse = (place: Place, what: string): void => {
    problems.push({ ...place, message: `\`${what}\` is not yet available in this version`, severity: 'error' });
  };

  const walk = (node: unknown, path: ValuePath): unknown => {
    if (Array.isArray(node)) return node.map((item, index) => walk(item, [...path, index]));
    if (typeof node !== 'object' || node === null) return node;
    const historised = (node as Record<string, unknown>)['rollback'] === 'scd2';
    const kept: [string, unknown][] = [];
    for (const [key, item] of Object.entries(node)) {
      const at = [...path, key];
      const pattern = patterns.find((candidate) => matches(candidate, at, item));
      if (pattern === undefined) {
        kept.push([key, walk(item, at)]);
        continue;
      }
      parents.add(JSON.stringify(path));
      if (historised && SCD2_KEYS.includes(key)) continue;
      if (pattern.includes('=')) refuse(yaml.place(at), `${key}: ${String(item)}`);
      else refuse(yaml.place(at, 'key'), shortName(at));
    }
    return Object.fromEntries(kept);
  };
  return { value: walk(value, []), parents };
}

function matches(pattern: string, path: ValuePath, value: unknown): boolean {
  const [keys = '', only] = pattern.split('=');
  const steps = keys.split('.');
  if (steps.length !== path.length) return false;
  return (only === undefined || value === only) && steps.every((step, i) => step === '*' || step === String(path[i]));
}

/** `from.sql`, `outputs.views`: list positions say nothing here. */
function shortName(path: ValuePath): string {
  if (path[0] === 'connections' || path[0] === 'sessions') return `${path[0]}.${String(path.at(-1))}`;
  return path.filter((step) => typeof step === 'string').join('.');
}
