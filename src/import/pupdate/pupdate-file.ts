import path from 'node:path';
import type { Place } from '../../config/problem.ts';
import { readJsonObject, refuseAt, type Section } from './careless-json.ts';
import { parseDsn, type Dsn } from './dsn.ts';
import type { Fragment, TakeNote } from './note.ts';

/** A bound of a range: a number, or a query for one. */
export type Bound = number | string;

/** One task as pupdate understands it. */
export interface PupdateTask {
  at: Place;
  name: string;
  description?: string;
  disabled: boolean;
  dsn: Dsn;
  /** The statement's pieces, which pupdate joins with nothing between. */
  statement: Fragment[];
  method: 'exec' | 'query' | 'query_one';
  /** `stdout`, or a file. */
  output?: Fragment;
  min: Bound;
  max?: Bound;
  step?: number;
  concurrency?: number;
  maxAttempts?: number;
  preSteps: Fragment[];
}

/** One file. `session`: it lists tasks that run in order; else it is one task. */
export interface PupdateFile {
  file: string;
  /** The file's name without its ending. */
  name: string;
  session: boolean;
  tasks: PupdateTask[];
}

/** Reads either shape. Throws `ConfigurationError` with the position for what cannot be understood. */
export function readPupdateFile(file: string, text: string, note: TakeNote): PupdateFile {
  const root = readJsonObject(file, text, note);
  const name = path.basename(file).replace(/\.[^.]*$/, '');
  const sections = root.sections('Tasks');
  for (const key of ['Monitoring', 'Logging', 'Notifications']) {
    root.leaveOut(key, 'Temporal keeps the history, and schedules and alerts are set up there');
  }
  if (sections === undefined) return { file, name, session: false, tasks: [readTask(root, name, note)] };
  if (sections.length === 0) refuseAt(root.at, 'the session has no tasks', 'Get the whole file.');
  root.finish();
  const tasks = sections.map((section, i) => readTask(section, `task ${i + 1}`, note));
  return { file, name, session: true, tasks };
}

function readTask(section: Section, nameless: string, note: TakeNote): PupdateTask {
  const name = section.text('Name')?.text ?? nameless;
  const dsn = section.text('Dsn');
  if (dsn === undefined) refuseAt(section.at, `${name} has no \`Dsn\``, 'Write user:password@tcp(host:port)/database.');
  const pieces = section.texts('ExecTab');
  const whole = section.text('Exec', 'Update');
  if (pieces.length > 0 && whole !== undefined)
    note('ignored', whole.at, 'the statement of `ExecTab` wins over this one');
  const statement = pieces.length > 0 ? pieces : whole === undefined ? [] : [whole];
  if (statement.every((piece) => piece.text.trim() === '')) {
    refuseAt(section.at, `${name} has no statement`, 'It stands under `Exec`, `Update` or `ExecTab`.');
  }
  if (section.flag('Debug')) section.leaveOut('Debug', 'loads have no log level of their own yet');
  const [description, output] = [section.text('Description')?.text, section.text('Output')];
  const task: PupdateTask = {
    at: section.at,
    name,
    ...(description !== undefined && { description }),
    disabled: section.flag('Disabled'),
    dsn: parseDsn(dsn, note),
    statement,
    method: methodOf(section.text('ExecType', 'Method')),
    ...(output !== undefined && { output }),
    min: section.text('MinQuery')?.text ?? section.number('Min') ?? 0,
    ...optional('max', section.text('MaxQuery')?.text ?? section.number('Max')),
    ...optional('step', section.number('Step')),
    ...optional('concurrency', section.number('Concurrency')),
    ...optional('maxAttempts', section.number('MaxAttempts')),
    // In the order in which they stand in the known files.
    preSteps: ['SessionParam', 'SessionParamTab', 'PreSteps'].flatMap((key) => section.texts(key)),
  };
  section.knows('Min', 'Max', 'Exec', 'Update', 'Method', 'ExecType'); // the winner of two may have been asked for only
  section.finish();
  return task;
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}

const METHODS: Record<string, PupdateTask['method']> = {
  exec: 'exec',
  sqlupdate: 'exec',
  query: 'query',
  queryone: 'query_one',
};

function methodOf(given: Fragment | undefined): PupdateTask['method'] {
  if (given === undefined) return 'exec';
  const method = METHODS[given.text.trim().toLowerCase()];
  return (
    method ?? refuseAt(given.at, `there is no method ${JSON.stringify(given.text)}`, 'It is EXEC, Query or QueryOne.')
  );
}
