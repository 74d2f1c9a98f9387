import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { nearest } from '../sql/names.ts';
import { checkAgainstSchema } from './check-schema.ts';
import { decodeText } from './decode-text.ts';
import { LOAD_KINDS } from './definition.ts';
import { substituteEnvironment } from './environment.ts';
import type { Substitution, SubstitutionOptions } from './environment.ts';
import type { FoundFiles, FoundLoad } from './find-files.ts';
import { defineLoad } from './load-definition.ts';
import { acquisitionSchema, SCHEMA_OF_KIND } from './load-schema.ts';
import type { AcquisitionFile, LoadFile } from './load-schema.ts';
import { isQuery } from './range-definition.ts';
import { NOT_YET_IN_LOADS } from './not-yet.ts';
import { didYouMean, parseLoad, problemIn } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';
import type { ProjectSettings } from './project-definition.ts';
import { keysAt } from './schema-keys.ts';
import { sqlDialectOf } from './sql-dialect.ts';
import { parseYamlFile } from './yaml-file.ts';
import type { ValuePath, YamlFile } from './yaml-file.ts';

type AvailableKind = keyof typeof SCHEMA_OF_KIND;

/** What reading a load needs to know of its project. */
export interface ReadContext {
  /** Absolute. */
  directory: string;
  found: FoundFiles;
  settings: ProjectSettings;
  environment: SubstitutionOptions;
  problems: Problem[];
}

/**
 * Reads one load's file and its SQL. `undefined` when the file does not fit its schema, or nobody can say which server's SQL it is;
 * `problems` says why.
 */
export async function readLoad({ name, file }: FoundLoad, context: ReadContext): Promise<ParsedLoad | undefined> {
  const { directory, found, settings, environment, problems } = context;
  const bytes = await readFile(path.join(directory, file)).catch((error: NodeJS.ErrnoException) => {
    problems.push({ file, line: 1, column: 1, message: `this file cannot be read (${error.code})`, severity: 'error' });
  });
  if (bytes === undefined) return undefined;
  const decoded = decodeText(bytes);
  if ('wrong' in decoded) {
    problems.push({ file, ...decoded.wrong, severity: 'error' });
    return undefined;
  }
  const yaml = parseYamlFile(file, decoded.text, problems);
  if (yaml.value === undefined) return undefined;

  const substitution = substituteEnvironment(
    yaml,
    { ...environment, allowMissing: false, isVerbatim: isSql },
    problems,
  );
  const kind = kindOf(yaml, substitution, problems);
  if (kind === undefined) return undefined;
  const schema = SCHEMA_OF_KIND[kind];
  const explainKey = (at: ValuePath, key: string) => {
    if (at.length > 0) return undefined;
    return keyOfLanding(key, kind) ?? keyOfOtherKind(key, kind);
  };
  const content = checkAgainstSchema({ yaml, schema, substitution, notYet: NOT_YET_IN_LOADS, explainKey }, problems);
  if (content === undefined) return undefined;
  if (content.kind === 'core' && content.inputs === undefined && content.consumes === undefined) {
    problems.push(problemIn(yaml, [], 'a core load needs `inputs` or `consumes`', 'Say which rows it takes.'));
  }

  if (content.kind === 'acquisition' && !hasOneSource(content, yaml, problems)) return undefined;

  if (isOfUnknownServer(content, settings)) return undefined;
  const dialect = sqlDialectOf(settings.connections, content.connection);
  const folder = { directory, files: found.sql, dialect };
  const before = problems.length;
  const definition = defineLoad(content, { name, yaml, settings, folder, problems });
  const sourceDialect = sqlDialectOf(settings.connections, definition.from?.connection ?? definition.connection);
  const load = parseLoad(definition, yaml, dialect, sourceDialect, problems);
  return { ...load, incomplete: problems.length > before };
}

/** `waybill.yaml` is wrong, and does not say it: names, settings and SQL would be taken for another server's. */
function isOfUnknownServer(file: LoadFile, { unknown, connections }: ProjectSettings): boolean {
  const source = file.kind === 'acquisition' ? file.from.connection : undefined;
  return unknown && [file.connection, source].some((name) => name !== undefined && connections[name] === undefined);
}

/** SQL is never filled from the environment: `sql:`, steps of `before:`, `after:` and `on_error:`, queries of a range. */
function isSql(path: ValuePath, text: string): boolean {
  const key = path.findLast((step) => typeof step === 'string');
  if (path[0] === 'range') return isQuery(text);
  if (path[0] === 'params' || path.includes('session_params')) return false;
  return key === 'sql' || key === 'ready' || ['before', 'after', 'on_error'].includes(String(path[0]));
}

const SOURCES = ['table', 'sql', 'files'] as const;
/** What belongs to files, and what does not. */
const OF_FILES = ['csv'] as const;
const OF_DATABASES = ['connection', 'cursor', 'range', 'consistent', 'start'] as const;

/** Rows come from one place, and what is said of it fits. */
function hasOneSource(file: AcquisitionFile, yaml: YamlFile, problems: Problem[]): boolean {
  const { from, to } = file;
  const before = problems.length;
  if (from.files !== undefined && typeof to === 'object' && to.on_invalid !== undefined) {
    const message = '`on_invalid` means nothing for files: their values are read by the server as they are';
    problems.push(problemIn(yaml, ['to', 'on_invalid'], message, 'Have them land in a text column.', true));
  }
  const refuse = (at: ValuePath, message: string, next?: string): void => {
    problems.push(problemIn(yaml, ['from', ...at], message, next, true));
  };
  const [first, second] = SOURCES.filter((key) => from[key] !== undefined);
  if (first === undefined) refuse([], '`from` needs `table`, `sql` or `files`');
  if (second !== undefined) {
    refuse([second], `\`from\` has \`${first}\` and \`${second}\`: rows come from one of them`, 'Leave one out.');
  }
  const stray = (first === 'files' ? OF_DATABASES : OF_FILES).find((key) => from[key] !== undefined);
  if (stray !== undefined) {
    const what = first === 'files' ? 'files: they lie where the workers run' : 'a database';
    refuse([stray], `\`${stray}\` means nothing for ${what}`, 'Leave it out.');
  }
  if (from.cursor !== undefined && from.range !== undefined) {
    refuse(
      ['range'],
      '`range` cuts what is read whole, and `cursor` cuts windows: the cursor cuts those too',
      'Leave one out.',
    );
  }
  const uncut = file.chunk_rows === undefined ? undefined : whyNotCutByRows(file);
  if (uncut !== undefined) {
    problems.push(
      problemIn(yaml, ['chunk_rows'], `\`chunk_rows\` means nothing here: ${uncut}`, 'Leave it out.', true),
    );
  }
  const inconsistent = from.consistent === true && stray === undefined ? whyNotConsistent(file) : undefined;
  if (inconsistent !== undefined) refuse(['consistent'], ...inconsistent);
  if (first !== 'files' && from.connection === undefined) refuse([], '`connection` is missing in `from`');
  return problems.length === before;
}

/** Why rows are not what makes the chunks. */
function whyNotCutByRows({ from }: AcquisitionFile): string | undefined {
  if (from.files !== undefined) return 'each file is a chunk';
  if (from.range !== undefined) return '`range` has a `step`, which says how long a chunk is';
  return from.sql === undefined || from.cursor !== undefined ? undefined : 'a query without `cursor` is one chunk';
}

/** What cannot be read as it was at one moment, and what to do about it. */
function whyNotConsistent({ from, connection, on_bad_row: onBadRow }: AcquisitionFile): [string, string] | undefined {
  if (from.connection === connection) {
    const message = `\`consistent\` needs a connection of its own to the source, and \`${connection}\` is also the target`;
    return [message, 'Name another connection to the same database in `from`, or leave it out.'];
  }
  if (onBadRow !== 'quarantine') return undefined;
  return [
    '`consistent` and `on_bad_row: quarantine` exclude each other: bad rows are searched in the source as it is by then',
    'Leave one out.',
  ];
}

function kindOf(yaml: YamlFile, { value }: Substitution, problems: Problem[]): AvailableKind | undefined {
  const kinds = Object.keys(SCHEMA_OF_KIND)
    .map((kind) => `\`${kind}\``)
    .join(', ');
  const refuse = (at: ValuePath, message: string, next?: string): undefined => {
    problems.push(problemIn(yaml, at, message, next));
  };
  if (value === null) return refuse([], 'this file is empty', 'Begin with `kind: core`.');
  if (typeof value !== 'object' || Array.isArray(value)) return refuse([], 'a load is a mapping of keys to values');
  const kind = (value as Record<string, unknown>)['kind'];
  if (kind === undefined || kind === null) return refuse(['kind'], '`kind` is missing', `It is one of ${kinds}.`);
  if (typeof kind === 'string' && Object.hasOwn(SCHEMA_OF_KIND, kind)) return kind as AvailableKind;
  if (typeof kind !== 'string') return refuse(['kind'], '`kind` must be text', `It is one of ${kinds}.`);
  const close = nearest(kind, LOAD_KINDS);
  return refuse(['kind'], `unknown kind \`${kind}\`${didYouMean(close)}`, `A kind is one of ${kinds}.`);
}

function keyOfLanding(key: string, kind: AvailableKind): string | undefined {
  return kind === 'acquisition' && keysAt(acquisitionSchema, ['to']).includes(key) && key !== 'table'
    ? `\`${key}\` stands under \`to\``
    : undefined;
}

function keyOfOtherKind(key: string, kind: AvailableKind): string | undefined {
  const others = (Object.keys(SCHEMA_OF_KIND) as AvailableKind[]).filter((other) =>
    keysAt(SCHEMA_OF_KIND[other], []).includes(key),
  );
  if (others.length === 0) return undefined;
  return `\`${key}\` is no key of a load of kind \`${kind}\`: it belongs to \`${others.join('`, `')}\``;
}
