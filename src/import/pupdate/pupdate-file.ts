import path from 'node:path';
import type { Place } from '../../config/problem.ts';
import { ConfigurationError } from '../../errors.ts';
import { readJsonObject, refuseAt, type Section } from './careless-json.ts';
import { parseDsn, type Dsn } from './dsn.ts';
import type { Fragment, TakeNote } from './note.ts';

/** A bound of a range: a number (a big one where it is beyond 2^53), or a query for one. */
export type Bound = number | bigint | Fragment;

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
  /** Keys of a range that are set, as they are written. */
  rangeKeys: string[];
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
  if (sections === undefined) return { file, name, session: false, tasks: readTask(root, name, note) };
  if (sections.length === 0) refuseAt(root.at, 'the session has no tasks', 'Get the whole file.');
  root.finish();
  const tasks = sections.flatMap((section, i) => readTask(section, `task ${i + 1}`, note));
  return { file, name, session: true, tasks };
}

/** None: it is switched off, and cannot be understood. */
function readTask(section: Section, nameless: string, note: TakeNote): PupdateTask[] {
  const known = { at: section.at, name: nameless, disabled: section.flag('Disabled') };
  const task = unlessDisabled(known, note, () => {
    known.name = section.text('Name')?.text ?? nameless;
    return { ...known, ...readWork(section, known.name, note) };
  });
  return task === undefined ? [] : [task];
}

/** What is switched off need not be understood: it is left out then, and named. */
export function unlessDisabled<T>(
  task: Pick<PupdateTask, 'at' | 'name' | 'disabled'>,
  note: TakeNote,
  understand: () => T,
): T | undefined {
  try {
    return understand();
  } catch (error) {
    if (!task.disabled || !(error instanceof ConfigurationError)) throw error;
    noteLeftOut(task, error.message, note);
    return undefined;
  }
}

export function noteLeftOut({ at, name }: Pick<PupdateTask, 'at' | 'name'>, why: string, note: TakeNote): void {
  note('ignored', at, `${name} is disabled, and left out: ${why}`);
}

function readWork(section: Section, name: string, note: TakeNote): Omit<PupdateTask, 'at' | 'name' | 'disabled'> {
  const dsn = section.text('Dsn');
  if (dsn === undefined) refuseAt(section.at, `${name} has no \`Dsn\``, 'Write user:password@tcp(host:port)/database.');
  if (section.flag('Debug')) section.leaveOut('Debug', 'loads have no log level of their own yet');
  const [description, output] = [section.text('Description')?.text, section.text('Output')];
  const work = {
    ...(description !== undefined && { description }),
    dsn: parseDsn(dsn, note),
    statement: statementOf(section, name, note),
    method: methodOf(section, note),
    ...(output !== undefined && { output }),
    rangeKeys: section.set('Min', 'MinQuery', 'Max', 'MaxQuery', 'Step', 'Concurrency'),
    min: boundOf(section, 'Min') ?? 0,
    ...optional('max', boundOf(section, 'Max')),
    ...optional('step', section.number('Step')),
    ...optional('concurrency', section.number('Concurrency')),
    ...optional('maxAttempts', section.number('MaxAttempts')),
    // In the order in which they stand in the known files.
    preSteps: ['SessionParam', 'SessionParamTab', 'PreSteps'].flatMap((key) => section.texts(key)),
  };
  section.finish();
  return work;
}

/** Lines of `ExecTab`, unless nothing stands in them. */
function statementOf(section: Section, name: string, note: TakeNote): Fragment[] {
  const pieces = section.texts('ExecTab');
  const whole = section.text('Exec', 'Update');
  if (pieces.some(isWritten)) {
    if (whole !== undefined) note('ignored', whole.at, 'the statement of `ExecTab` wins over this one');
    return pieces;
  }
  if (whole !== undefined && isWritten(whole)) return [whole];
  return refuseAt(section.at, `${name} has no statement`, 'It stands under `Exec`, `Update` or `ExecTab`.');
}

const isWritten = ({ text }: Fragment): boolean => text.trim() !== '';

/** A query wins over the number, which files have beside it as a remark. */
function boundOf(section: Section, key: 'Min' | 'Max'): Bound | undefined {
  const query = section.text(`${key}Query`);
  if (query === undefined) return section.whole(key);
  section.leaveOut(key, `\`${key}Query\` wins over it`);
  return query;
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

/** pupdate went by `ExecType`; in the older `Method` people wrote what they liked. */
function methodOf(section: Section, note: TakeNote): PupdateTask['method'] {
  const given = section.text('ExecType', 'Method');
  if (given === undefined) return 'exec';
  const method = given.text.trim().toLowerCase();
  if (Object.hasOwn(METHODS, method)) return METHODS[method]!;
  const unknown = `there is no method ${JSON.stringify(given.text)}`;
  if (section.text('ExecType') !== undefined) refuseAt(given.at, unknown, 'It is EXEC, Query or QueryOne.');
  note('ignored', given.at, `\`Method\`: ${unknown}, and the statement is executed, as pupdate did`);
  return 'exec';
}
