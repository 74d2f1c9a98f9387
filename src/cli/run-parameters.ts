import { findName } from '../client/names.ts';
import type { LoadDefinition, ParameterValue, Project } from '../config/definition.ts';
import { isKept } from '../sql/kept-number.ts';
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
  const declared = new Set(loads.flatMap((load) => Object.keys(load.params)));
  return Object.fromEntries(
    given.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new UsageError(`--param ${text} is not NAME=VALUE`, { next: 'write --param region=EU' });
      const key = text.slice(0, at);
      if (!declared.has(key)) throw unknownParameter(named.name, key, [...declared]);
      return [key, oneValue(key, text.slice(at + 1), loads)];
    }),
  );
}

/** In the type that the loads declare: for two types of one parameter there may be no value that both mean. */
function oneValue(key: string, text: string, loads: readonly LoadDefinition[]): ParameterValue {
  const values = loads
    .filter(({ params }) => Object.hasOwn(params, key))
    .map((load) => valueOf(key, text, load.params[key]!));
  const other = values.find((value) => value !== values[0]);
  if (other === undefined) return values[0]!;
  throw new UsageError(`parameter ${key} is a ${typeof values[0]} in one load and a ${typeof other} in another`, {
    next: 'give both the same type in params:, or run the loads one by one',
  });
}

function unknownParameter(name: string, key: string, known: string[]): UsageError {
  const near = nearest(key, known);
  const next = near === undefined ? `parameters: ${known.join(', ') || 'none'}` : `did you mean ${near}?`;
  return new UsageError(`${name} has no parameter ${key}`, { where: 'params: of the load', next });
}

function valueOf(key: string, text: string, declared: ParameterValue): ParameterValue {
  if (typeof declared === 'number') {
    const value = Number(text);
    // Beyond this, JavaScript's numbers skip some: the database would be told of another id, or amount.
    if ((Number.isInteger(value) && !Number.isSafeInteger(value)) || !isKept(text, value)) {
      throw new UsageError(`parameter ${key}: a number has 53 bits, and ${text} needs more`, {
        next: `write the default of ${key} in quotes in params: as text it comes to the database digit by digit`,
      });
    }
    if (text.trim() !== '' && Number.isFinite(value)) return value;
    throw new UsageError(`parameter ${key} is a number, and ${text} is none`);
  }
  if (typeof declared === 'boolean') {
    if (text === 'true' || text === 'false') return text === 'true';
    throw new UsageError(`parameter ${key} is true or false, and ${text} is neither`);
  }
  return text;
}
