import { stringify } from 'yaml';
import { Connections } from './connections.ts';
import { Names } from './names.ts';
import type { TakeNote } from './note.ts';
import { unlessDisabled, type PupdateFile, type PupdateTask } from './pupdate-file.ts';
import { convertTask, OutputFiles, type TaskLoad } from './task-load.ts';

/** A project's files, by path. */
export interface ImportedProject {
  files: Map<string, string>;
  loads: string[];
  sessions: string[];
  /** Names of the environment variables that the connections need. */
  variables: string[];
  /** What each load was, by its file without the ending. */
  tasks: Map<string, PupdateTask>;
}

const SERVER_LINE = (up: string, file: string): string =>
  `# yaml-language-server: $schema=${up}.waybill/schemas/${file}.schema.json\n`;

/** Folder of tasks that belong to no session. */
const SINGLE = 'task';

/** pupdate knew no longest time. */
const MAX_RUNTIME = '7d';

/** Builds the project: a task load for each task, a sequential session for each file that had several. */
export function buildProject(name: string, files: PupdateFile[], note: TakeNote): ImportedProject {
  const connections = new Connections();
  const outputs = new OutputFiles();
  const folders = new Names();
  const alone = folders.give(SINGLE, SINGLE);
  const namesOfSingle = new Names();
  const project: ImportedProject = { files: new Map(), loads: [], sessions: [], variables: [], tasks: new Map() };
  const sessions: Record<string, unknown> = {};
  for (const source of files) {
    const folder = source.session ? folders.give(source.name, 'session', renamed(source, note)) : alone;
    const names = source.session ? new Names() : namesOfSingle;
    const loads: string[] = [];
    for (const task of source.tasks) {
      const load = unlessDisabled(task, note, () => convertTask(task, outputs, note));
      if (load === undefined) continue;
      const connection = connections.of(task.dsn, load, note);
      const file = names.give(task.name, 'task', (changed, taken) => {
        const why = taken
          ? `a task before it has the name ${task.name}, too: this one becomes`
          : `${task.name}: becomes`;
        note('changed', task.at, `${why} ${changed}`);
      });
      loads.push(`${folder}.${file}`);
      project.tasks.set(`loads/${folder}/${file}`, task);
      writeLoad(project.files, `loads/${folder}/${file}`, connection, load, source.file);
    }
    project.loads.push(...loads);
    if (!source.session || loads.length === 0) continue;
    sessions[folder] = { loads, sequential: true, window: 'shared' };
    project.sessions.push(folder);
  }
  const settings = {
    name,
    connections: connections.settings(),
    defaults: { max_runtime: MAX_RUNTIME },
    ...(project.sessions.length > 0 && { sessions }),
  };
  project.files.set('waybill.yaml', SERVER_LINE('./', 'waybill') + stringify(settings, { lineWidth: 0 }));
  project.variables = connections.variables();
  project.files.set('.env.example', envExample(project.variables));
  return project;
}

/** Of a session, and of the folder of its loads. */
const renamed =
  ({ file, name }: PupdateFile, note: TakeNote) =>
  (changed: string, taken: boolean): void => {
    const why = taken ? `another folder has the name ${name}, too` : `the name ${name} is none of a folder`;
    note('changed', { file, line: 1, column: 1 }, `${why}: this session becomes ${changed}`);
  };

function writeLoad(files: Map<string, string>, file: string, connection: string, load: TaskLoad, source: string): void {
  const statement = file.split('/').at(-1)!;
  const { description, ...keys } = load.keys;
  const sql = load.sql === undefined ? {} : { sql: `${statement}.sql` };
  const yaml = { description, kind: 'task', connection, ...keys, ...sql };
  files.set(`${file}.yaml`, `${SERVER_LINE('../../', 'load')}# From ${source}\n${stringify(yaml, { lineWidth: 0 })}`);
  if (load.sql !== undefined) files.set(`${file}.sql`, `${load.sql}\n`);
}

function envExample(variables: string[]): string {
  const head = `# Passwords of the connections. Copy this file to .env (keep that one out of git), put them in, and read it into the shell:
#   set -a; . ./.env; set +a
# Special characters are percent-encoded: @ is %40, # is %23, / is %2F.
`;
  return head + variables.map((name) => `${name}=''\n`).join('');
}
