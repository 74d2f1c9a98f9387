import { existsSync } from 'node:fs';
import path from 'node:path';

import { nearest } from '../sql/names.ts';
import { checkAgainstSchema } from './check-schema.ts';
import { checkControlSchema } from './check-control-schema.ts';
import { checkUrl } from './check-url.ts';
import type { ConnectionDefinition, SessionDefinition } from './definition.ts';
import { valueAt } from './describe-issue.ts';
import { parseDuration } from './duration.ts';
import { substituteEnvironment } from './environment.ts';
import type { SubstitutionOptions } from './environment.ts';
import { NOT_YET_IN_PROJECT } from './not-yet.ts';
import type { Problem } from './problem.ts';
import { projectSchema } from './project-schema.ts';
import { schemeOf, writtenScheme } from './sql-dialect.ts';
import { unknownServerWarning, variablesIn } from './unknown-server.ts';
import type { YamlFile } from './yaml-file.ts';

/** What loads take where they do not say otherwise. */
export interface Defaults {
  lanes: number;
  chunkRows: number;
  maxRuntimeMs: number;
  maxAttempts: number;
}

/** A session, its patterns not yet expanded. */
export type SessionSettings = Pick<SessionDefinition, 'loads' | 'sequential' | 'sharesWindow'>;

/** `waybill.yaml`, checked by itself: what it says of loads is checked once those are read. */
export interface ProjectSettings {
  yaml: YamlFile;
  name: string;
  taskQueue: string;
  connections: Record<string, ConnectionDefinition>;
  defaults: Defaults;
  /** As written: load names and patterns. */
  sessions: Record<string, SessionSettings>;
  /** The file is wrong: of connections the servers are known at most, where their URLs say them, and sessions are not. */
  unknown: boolean;
}

const DEFAULTS: Defaults = { lanes: 4, chunkRows: 50_000, maxRuntimeMs: 7_200_000, maxAttempts: 5 };

/** Longest `max_runtime`: what one timer of Node holds (2^31 - 1 ms), in whole days. */
export const MAX_RUNTIME_MS = 24 * 86_400_000;

/** Checks the value of `waybill.yaml`; `undefined` when something in it is wrong. */
export function defineProject(
  yaml: YamlFile,
  directory: string,
  environment: SubstitutionOptions,
  problems: Problem[],
): ProjectSettings | undefined {
  const before = problems.length;
  const substitution = substituteEnvironment(yaml, environment, problems);
  const file = checkAgainstSchema({ yaml, schema: projectSchema, substitution, notYet: NOT_YET_IN_PROJECT }, problems);
  if (file === undefined) return undefined;

  const connections: Record<string, ConnectionDefinition> = {};
  const unknown: Problem[] = [];
  for (const [name, given] of Object.entries(file.connections)) {
    const at = ['connections', name];
    const tls =
      typeof given.tls === 'object' ? pemFiles(yaml, directory, [...at, 'tls'], given.tls, problems) : given.tls;
    const isUnset = substitution.unset.has(JSON.stringify([...at, 'url']));
    if (!isUnset) problems.push(...checkUrl(given.url, yaml, [...at, 'url'], given.tls !== undefined));
    if (given.control_schema !== undefined) {
      problems.push(...checkControlSchema(given.control_schema, yaml, [...at, 'control_schema']));
    }
    const isKnown = !isUnset || writtenScheme(given.url) !== undefined;
    const variables = isKnown ? undefined : variablesIn(yaml.written([...at, 'url']));
    if (variables !== undefined) unknown.push(unknownServerWarning({ name, variables }, yaml));
    connections[name] = {
      name,
      url: isUnset ? '' : given.url,
      scheme: schemeOf(given.url), // of one that is not set, as far as the file says it: mysql://${HOST}/shop
      maxConnections: given.max_connections ?? 8,
      controlSchema: given.control_schema ?? 'waybill',
      ...(variables !== undefined && { unknownServer: variables }),
      ...(tls !== undefined && { tls }),
    };
  }
  if (Object.keys(connections).length === 0) {
    problems.push({
      ...yaml.place(['connections'], 'key'),
      message: '`connections` must not be empty',
      severity: 'error',
    });
  }

  const maxRuntime = file.defaults?.max_runtime;
  const maxRuntimeMs = maxRuntime === undefined ? DEFAULTS.maxRuntimeMs : (parseDuration(maxRuntime) ?? 0);
  checkMaxRuntime(yaml, ['defaults', 'max_runtime'], maxRuntimeMs, problems);
  if (problems.length > before) return undefined;
  problems.push(...unknown);
  return {
    yaml,
    name: file.name,
    taskQueue: file.task_queue ?? 'waybill',
    connections,
    defaults: {
      lanes: file.defaults?.lanes ?? DEFAULTS.lanes,
      chunkRows: file.defaults?.chunk_rows ?? DEFAULTS.chunkRows,
      maxRuntimeMs,
      maxAttempts: file.defaults?.max_attempts ?? DEFAULTS.maxAttempts,
    },
    sessions: Object.fromEntries(
      Object.entries(file.sessions ?? {}).map(([name, { loads, sequential = false, window }]) => [
        name,
        { loads, sequential, sharesWindow: window === 'shared' },
      ]),
    ),
    unknown: false,
  };
}

/**
 * What loads are checked against when `waybill.yaml` itself is wrong, so that their own problems come to light too. Which server a
 * connection is of stands in its URL also where a password in it is not set.
 */
export function unknownSettings(yaml: YamlFile, environment: SubstitutionOptions): ProjectSettings {
  const value: unknown = yaml.value === undefined ? undefined : substituteEnvironment(yaml, environment, []).value;
  const given: unknown = valueAt(value, ['connections']);
  const connections: Record<string, ConnectionDefinition> = {};
  for (const name of typeof given === 'object' && given !== null ? Object.keys(given) : []) {
    const url = valueAt(given, [name, 'url']);
    const scheme = typeof url === 'string' ? writtenScheme(url) : undefined;
    if (scheme === undefined) continue;
    connections[name] = { name, url: '', scheme, maxConnections: Infinity, controlSchema: 'waybill' };
  }
  return { yaml, name: '', taskQueue: 'waybill', connections, defaults: DEFAULTS, sessions: {}, unknown: true };
}

/** Refuses a `max_runtime` of nothing, and one that no timer can keep. */
export function checkMaxRuntime(yaml: YamlFile, at: string[], milliseconds: number, problems: Problem[]): void {
  if (milliseconds > 0 && milliseconds <= MAX_RUNTIME_MS) return;
  const message = milliseconds === 0 ? '`max_runtime` must be longer than nothing' : '`max_runtime` is 24 days at most';
  problems.push({ ...yaml.place(at), message, severity: 'error' });
}

type PemFiles = { ca?: string | undefined; cert?: string | undefined; key?: string | undefined };

function pemFiles(yaml: YamlFile, directory: string, at: string[], given: PemFiles, problems: Problem[]) {
  const files: { ca?: string; cert?: string; key?: string } = {};
  for (const part of ['ca', 'cert', 'key'] as const) {
    const name = given[part];
    if (name === undefined) continue;
    files[part] = path.resolve(directory, name);
    if (existsSync(files[part])) continue;
    problems.push({
      ...yaml.place([...at, part]),
      message: `the PEM file of \`${part}\` does not exist`,
      severity: 'error',
    });
  }
  if ((given.cert === undefined) !== (given.key === undefined)) {
    const message = '`cert` and `key` go together: one of them is missing';
    problems.push({ ...yaml.place(at, 'key'), message, severity: 'error' });
  }
  return files;
}

/** Checks that a connection's name is one of the project's. */
export function checkConnectionName(
  name: string,
  settings: ProjectSettings,
  yaml: YamlFile,
  at: string[],
  problems: Problem[],
): void {
  const known = Object.keys(settings.connections);
  if (settings.unknown || known.includes(name)) return;
  const close = nearest(name, known);
  problems.push({
    ...yaml.place(at),
    message: `unknown connection \`${name}\`${close === undefined ? '' : `: did you mean \`${close}\`?`}`,
    next: `Connections are declared in waybill.yaml: ${known.join(', ')}.`,
    severity: 'error',
  });
}
