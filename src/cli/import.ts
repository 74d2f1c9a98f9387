import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { textOf } from '../config/decode-text.ts';
import { loadProject } from '../config/load-project.ts';
import { formatPlace, ProjectError, type Problem } from '../config/problem.ts';
import { ConfigurationError, EXIT } from '../errors.ts';
import { buildProject, type ImportedProject } from '../import/pupdate/build-project.ts';
import type { Note, TakeNote } from '../import/pupdate/note.ts';
import { noteLeftOut, readPupdateFile, type PupdateFile, type PupdateTask } from '../import/pupdate/pupdate-file.ts';
import type { AddCommand } from './cli.ts';
import { plural } from './format.ts';
import { howToCall, howToGo } from './how-to-call.ts';
import { gitignore, projectName, schemaFiles } from './scaffold.ts';
import { UsageError } from './usage-error.ts';
import { writeProject } from './write-project.ts';

const AGAIN = 'waybill import pupdate FILE… --project DIR';

export const addImport: AddCommand = (program, cli, done) => {
  program
    .command('import')
    .description("make a project of another tool's files: pupdate session files become task loads")
    .argument('<tool>', 'pupdate')
    .argument('<files...>', 'its session files, JSON')
    .addHelpText(
      'after',
      '\nThe project is written to the folder of --project (default: this one); nothing there is overwritten.',
    )
    .action(async (tool: string, files: string[]) => {
      if (tool !== 'pupdate') {
        throw new UsageError(`files of ${tool} cannot be imported`, { next: 'waybill import pupdate FILE…' });
      }
      const folder = path.resolve(cli.io.cwd, cli.options.project ?? '.');
      const notes: Note[] = [];
      const project = await importFiles(folder, cli.io.cwd, files, notes);
      const written = await writeProject(folder, project.files, AGAIN);
      const { loads, sessions, variables } = project;
      cli.document({ directory: folder, files: written, loads, sessions, variables, notes });
      cli.say(summary(folder, project, notes, howToGo(folder, cli.io.cwd), howToCall(folder, cli.io)));
      done(EXIT.done);
    });
};

async function importFiles(folder: string, cwd: string, files: string[], notes: Note[]): Promise<ImportedProject> {
  const noteInto =
    (list: Note[]): TakeNote =>
    (kind, at, message) =>
      void list.push({ kind, ...at, message });
  const note = noteInto(notes);
  let sources: PupdateFile[] = [];
  for (const file of files) sources.push(readPupdateFile(file, await readText(path.resolve(cwd, file), file), note));
  for (;;) {
    const said: Note[] = [];
    const project = buildProject(projectName(folder), sources, noteInto(said));
    for (const [name, text] of await schemaFiles()) project.files.set(name, text);
    // Passwords go into .env. A folder that is there may be a repository with one of its own.
    if (!existsSync(path.join(folder, '.gitignore'))) project.files.set('.gitignore', await gitignore());
    if (project.loads.length === 0) {
      throw new ConfigurationError('every task is disabled, and none of them can be a load', {
        next: `mend one of them: ${notes.map(({ message }) => message).join('; ')}`,
      });
    }
    const wrong = await disabledAndWrong(project);
    if (wrong.size === 0) {
      notes.push(...said);
      return project;
    }
    for (const [task, why] of wrong) noteLeftOut(task, why, note);
    sources = sources.map((source) => ({ ...source, tasks: source.tasks.filter((task) => !wrong.has(task)) }));
  }
}

const UNREADABLE: Record<string, string> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'you may not read it',
};

async function readText(full: string, file: string): Promise<string> {
  const bytes = await readFile(full).catch((error: NodeJS.ErrnoException) => {
    const { code = '' } = error;
    throw new ConfigurationError(`${file} cannot be read: ${UNREADABLE[code] ?? code}`, {
      next: 'name session files of pupdate',
      cause: error,
    });
  });
  return textOf(bytes, file);
}

/**
 * What our own check says of the project, before it stands anywhere: SQL that no load may hold, above all. Answers with the
 * disabled tasks that it refuses, and why; throws where it refuses others.
 */
async function disabledAndWrong(project: ImportedProject): Promise<Map<PupdateTask, string>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'waybill-import-'));
  try {
    await writeProject(folder, project.files, AGAIN);
    // Any password does: the kind of the server is known by its URL, and none is asked.
    const env = Object.fromEntries(project.variables.map((name) => [name, 'password']));
    await loadProject(folder, { env });
    return new Map();
  } catch (error) {
    if (!(error instanceof ProjectError)) throw error;
    const wrong = new Map<PupdateTask, string>();
    for (const { file, message, severity } of error.problems) {
      const task = taskOf(project, file);
      if (severity === 'error' && task?.disabled === true && !wrong.has(task)) wrong.set(task, message);
    }
    if (wrong.size > 0) return wrong;
    return refuseWrong(project, error.problems);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const taskOf = ({ tasks }: ImportedProject, file: string): PupdateTask | undefined =>
  tasks.get(file.replace(/\.[^./]*$/, ''));

/** With places of the imported files: those that the problems are about are not written. */
function refuseWrong(project: ImportedProject, problems: Problem[]): never {
  const errors = problems.filter(({ severity }) => severity === 'error');
  const lines = errors.map(({ file, message, next }) => {
    const task = taskOf(project, file);
    const at = task === undefined ? file : `${formatPlace(task.at)}: ${task.name}`;
    return `  ${at}: ${message}${next === undefined ? '' : `\n    ${next}`}`;
  });
  const [first] = errors.flatMap(({ file }) => taskOf(project, file) ?? []);
  throw new ConfigurationError(`not all of it can be a project:\n${lines.join('\n')}`, {
    where: first && formatPlace(first.at),
    next: 'mend those tasks, or set "Disabled": true in them, and import again; nothing was written',
  });
}

const TITLES: Record<Note['kind'], string> = {
  dangerous: 'Look at these',
  changed: 'Changed',
  ignored: 'Left out',
};

function summary(
  folder: string,
  { loads, sessions, variables, files }: ImportedProject,
  notes: Note[],
  go: string[],
  waybill: string,
): string {
  const made = [
    plural(loads.length, 'task load'),
    ...(sessions.length > 0 ? [plural(sessions.length, 'session')] : []),
  ];
  const lines = [`${made.join(' and ')}, ${plural(files.size, 'file')}, in ${folder}`];
  for (const kind of ['dangerous', 'changed', 'ignored'] as const) {
    const some = notes.filter((note) => note.kind === kind);
    if (some.length === 0) continue;
    lines.push(`${TITLES[kind]}:`, ...some.map((note) => `  ${formatPlace(note)}: ${note.message}`));
  }
  lines.push('Next:', ...go);
  if (variables.length > 0) lines.push(`  set ${variables.join(', ')} (.env.example says how)`);
  const first = sessions[0] ?? loads[0];
  lines.push(`  ${waybill} validate`, `  ${waybill} dev --run ${first}`);
  return lines.join('\n');
}
