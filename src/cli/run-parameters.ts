import { findName } from '../client/names.ts';
import type { ParameterValue, Project } from '../config/definition.ts';
import { nearest } from '../sql/names.ts';
import { UsageError } from './usage-error.ts';

/**
 * `--param region=EU` as values for `params:`. The load's own value says the type: a number stays a number. Throws for a
 * name that the load (or no load of the session) declares.
 */
export function runParameters(project: Project, name: string, given: string[]): Record<string, ParameterValue> {
  if (given.length === 0) return {};
  const named = findName(project, name);
  const loads = named.kind === 'load' ? [named.load] : named.session.loads.map((load) => project.loads[load]!);
  const declared = Object.assign({}, ...loads.map((load) => load.params)) as Record<string, ParameterValue>;
  return Object.fromEntries(
    given.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new UsageError(`--param ${text} is not NAME=VALUE`, { next: 'write --param region=EU' });
      const key = text.slice(0, at);
      if (!(key in declared)) throw unknownParameter(named.name, key, Object.keys(declared));
      return [key, valueOf(key, text.slice(at + 1), declared[key]!)];
    }),
  );
}

function unknownParameter(name: string, key: string, known: string[]): UsageError {
  const near = nearest(key, known);
  const next = near === undefined ? `parameters: ${known.join(', ') || 'none'}` : `did you mean ${near}?`;
  return new UsageError(`${name} has no parameter ${key}`, { where: 'params: of the load', next });
}

function valueOf(key: string, text: string, declared: ParameterValue): ParameterValue {
  if (typeof declared === 'number') {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value)) return value;
    throw new UsageError(`parameter ${key} is a number, and ${text} is none`);
  }
  if (typeof declared === 'boolean') {
    if (text === 'true' || text === 'false') return text === 'true';
    throw new UsageError(`parameter ${key} is true or false, and ${text} is neither`);
  }
  return text;
}
