import type { Problem } from './problem.ts';
import type { ValuePath, YamlFile } from './yaml-file.ts';

/** What became of the `${NAME}` in one file. */
export interface Substitution {
  value: unknown;
  /** Paths (JSON) of values that came from the environment: messages show them as written, never what they became. */
  substituted: Set<string>;
  /** Paths (JSON) of values whose variable is not set, where that is allowed: they stay as written. */
  unset: Set<string>;
}

export interface SubstitutionOptions {
  env: Record<string, string | undefined>;
  /** Leave a variable that is not set as it is, instead of reporting it. */
  allowMissing: boolean;
  /** Values that are taken as they are, such as SQL: a `${NAME}` in them is a problem. */
  isVerbatim?: (path: ValuePath, text: string) => boolean;
}

const VARIABLE = /\$\{([^}]*)(\}?)/g;
const REFERENCE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;

/** Puts `${NAME}` and `${NAME:-default}` (used when the variable is not set or empty) into the values of a file. */
export function substituteEnvironment(yaml: YamlFile, options: SubstitutionOptions, problems: Problem[]): Substitution {
  const substituted = new Set<string>();
  const unset = new Set<string>();

  const inText = (text: string, path: ValuePath): string => {
    if (!text.includes('${')) return text;
    if (options.isVerbatim?.(path, text) === true) {
      problems.push({
        ...placeInScalar(yaml, path, '${'),
        message: '`${…}` is not filled in inside SQL',
        next: 'Use a parameter (`params:` and `:params.name`), or a .sql file if these characters are meant as they are.',
        severity: 'error',
      });
      return text;
    }
    substituted.add(JSON.stringify(path));
    return text.replace(VARIABLE, (whole: string, inner: string, closed: string) => {
      const [, name, fallback] = REFERENCE.exec(inner) ?? [];
      const report = (message: string, next: string): string => {
        problems.push({ ...placeInScalar(yaml, path, whole), message, next, severity: 'error' });
        unset.add(JSON.stringify(path));
        return whole;
      };
      if (inner.includes('${')) {
        return report('a `${…}` cannot stand in the default of another one', 'Write `${NAME}` or `${NAME:-default}`.');
      }
      if (name === undefined || closed === '') {
        return report('this `${…}` does not name an environment variable', 'Write `${NAME}` or `${NAME:-default}`.');
      }
      const value = Object.hasOwn(options.env, name) ? options.env[name] : undefined;
      if (value !== undefined && (value !== '' || fallback === undefined)) return value;
      if (fallback !== undefined) return fallback;
      if (options.allowMissing) {
        unset.add(JSON.stringify(path));
        return whole;
      }
      return report(`the environment variable \`${name}\` is not set`, `Set it, or write \`\${${name}:-default}\`.`);
    });
  };

  const walk = (value: unknown, path: ValuePath): unknown => {
    if (typeof value === 'string') return inText(value, path);
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index]));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key])]));
    }
    return value;
  };
  return { value: walk(yaml.value, []), substituted, unset };
}

function placeInScalar(yaml: YamlFile, path: ValuePath, part: string) {
  const range = yaml.scalar(path)?.range;
  const offset = range ? yaml.text.indexOf(part, range[0]) : -1;
  return range && offset >= 0 && offset < range[1] ? yaml.placeOfOffset(offset) : yaml.place(path);
}
