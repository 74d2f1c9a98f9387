import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { checkBatchId } from './check-batch-id.ts';
import { checkBraces } from './check-braces.ts';
import { checkChunks } from './check-chunks.ts';
import { checkCycles } from './check-cycles.ts';
import { checkEarlyQueries } from './check-early-queries.ts';
import { checkInputsUsed } from './check-inputs-used.ts';
import { checkKeptRows } from './check-kept-rows.ts';
import { checkLanes } from './check-lanes.ts';
import { checkNames } from './check-names.ts';
import { checkOutputsKept } from './check-outputs-kept.ts';
import { checkParameterNames } from './check-parameters.ts';
import { checkRange, isGiven } from './check-range.ts';
import { checkSourceQuery } from './check-source-query.ts';
import { checkSpelling } from './check-spelling.ts';
import { checkTables } from './check-tables.ts';
import { decodeText } from './decode-text.ts';
import type { Project } from './definition.ts';
import { checkOutput } from './task-output.ts';
import { producersOf } from './dependencies.ts';
import type { SubstitutionOptions } from './environment.ts';
import { findFiles } from './find-files.ts';
import { ProjectError, sortProblems } from './problem.ts';
import type { Place, Problem } from './problem.ts';
import type { ParsedLoad } from './parsed-load.ts';
import { defineProject, unknownSettings } from './project-definition.ts';
import type { ProjectSettings } from './project-definition.ts';
import { indexLoads } from './project-loads.ts';
import type { ProjectLoads } from './project-loads.ts';
import { readLoad } from './read-load.ts';
import { defineSessions } from './sessions.ts';
import { parseYamlFile } from './yaml-file.ts';
import type { ValuePath } from './yaml-file.ts';

export interface LoadProjectOptions {
  /** Where `${NAME}` comes from. Default: the process's environment. */
  env?: Record<string, string | undefined>;
  /** Check the files although variables are not set: URLs of such connections are then empty. Default false. */
  allowMissingEnvironment?: boolean;
}

/** A project, what is doubtful in its files, and where things stand in them. */
export interface LoadedProject extends Project {
  /** Things that work and are probably not meant. Errors are never here: they throw. */
  warnings: Problem[];
  /** Place of a key or value of a load's file. Not enumerable. */
  placeInLoad: (load: string, at: ValuePath) => Place;
  /** Whether a load's file says this itself. Not enumerable. */
  saysInLoad: (load: string, key: string) => boolean;
}

/**
 * Reads and checks a project folder: `waybill.yaml`, `loads/**`, the SQL beside them. No database is asked.
 * Throws `ProjectError` with every problem found, each with file, line and column.
 */
export async function loadProject(directory: string, options: LoadProjectOptions = {}): Promise<LoadedProject> {
  const root = path.resolve(directory);
  const problems: Problem[] = [];
  const environment = { env: options.env ?? process.env, allowMissing: options.allowMissingEnvironment ?? false };

  const settings = await readSettings(root, environment, problems);
  const project = await readLoads(root, settings, environment, problems);
  for (const load of project.loads) {
    problems.push(
      ...checkNames(load, project),
      ...checkTables(load, project),
      ...checkBraces(load, project),
      ...checkParameterNames(load),
      ...checkSourceQuery(load),
      ...checkInputsUsed(load, project),
      ...checkChunks(load, project),
      ...checkRange(load),
      ...checkEarlyQueries(load),
      ...checkOutput(load, project),
      ...checkBatchId(load),
      ...checkKeptRows(load),
      ...checkOutputsKept(load),
      ...checkLanes(load, project),
    );
    load.definition.producers = producersOf(load.definition, project);
  }
  problems.push(...checkSpelling(project));
  const cycles = checkCycles(project);
  problems.push(...cycles);
  const sessions = cycles.length === 0 ? defineSessions(project, problems) : {};

  if (problems.some(({ severity }) => severity === 'error')) throw new ProjectError(problems);
  return assemble(root, project, sessions, sortProblems(problems));
}

const PROJECT_FILE = 'waybill.yaml';

/** The bytes of a project's `waybill.yaml`. Throws `ProjectError` where it is not there, or cannot be read. */
export const readProjectFile = (root: string): Promise<Buffer> =>
  readFile(path.join(root, PROJECT_FILE)).catch(({ code = '' }: NodeJS.ErrnoException) => {
    const message =
      code === 'ENOENT' ? `there is no ${PROJECT_FILE} in ${root}` : `${PROJECT_FILE} cannot be read (${code})`;
    const next = UNREADABLE[code] ?? 'Name the project folder with --project DIR, or make one with `waybill init`.';
    throw new ProjectError([{ file: PROJECT_FILE, line: 1, column: 1, message, next, severity: 'error' }]);
  });

/** What to do about a file that is there. */
const UNREADABLE: Record<string, string> = {
  EACCES: 'Check its permissions.',
  EPERM: 'Check its permissions.',
  EISDIR: 'It is a folder: put the file in its place, or name the project folder with --project DIR.',
};

async function readSettings(
  root: string,
  environment: SubstitutionOptions,
  problems: Problem[],
): Promise<ProjectSettings> {
  const decoded = decodeText(await readProjectFile(root));
  if ('wrong' in decoded) throw new ProjectError([{ file: PROJECT_FILE, ...decoded.wrong, severity: 'error' }]);
  const yaml = parseYamlFile(PROJECT_FILE, decoded.text, problems);
  const settings = yaml.value === undefined ? undefined : defineProject(yaml, root, environment, problems);
  return settings ?? unknownSettings(yaml, environment);
}

async function readLoads(
  root: string,
  settings: ProjectSettings,
  environment: SubstitutionOptions,
  problems: Problem[],
) {
  const found = await findFiles(root, problems);
  const loads: ParsedLoad[] = [];
  for (const file of found.loads) {
    const load = await readLoad(file, { directory: root, found, settings, environment, problems });
    if (load !== undefined) loads.push(load);
  }
  if (found.loads.length === 0) {
    problems.push({ ...settings.yaml.place([]), message: 'there is no load under loads/', severity: 'warn' });
  }
  return indexLoads(settings, loads, new Set(found.loads.map(({ name }) => name)));
}

/** People ask by name: without a prototype there is a `constructor` where the project has one, and not because every object has. */
const byName = <T>(found: Record<string, T>): Record<string, T> =>
  Object.assign(Object.create(null) as Record<string, T>, found);

function assemble(
  directory: string,
  project: ProjectLoads,
  sessions: Project['sessions'],
  warnings: Problem[],
): LoadedProject {
  const { name, taskQueue, connections } = project.settings;
  const loads = Object.fromEntries(project.loads.map(({ definition }) => [definition.name, definition]));
  const placeInLoad = (load: string, at: ValuePath): Place =>
    project.byName.get(load)?.yaml.place(at) ?? { file: PROJECT_FILE, line: 1, column: 1 };
  const saysInLoad = (load: string, key: string): boolean => {
    const parsed = project.byName.get(load);
    return parsed !== undefined && isGiven(parsed.yaml, key);
  };
  const known = { connections: byName(connections), loads: byName(loads), sessions: byName(sessions) };
  const loaded = { name, directory, taskQueue, ...known, warnings };
  return Object.defineProperties(loaded, {
    placeInLoad: { value: placeInLoad },
    saysInLoad: { value: saysInLoad },
  }) as LoadedProject;
}
