import { isWord } from '../../sql/token.ts';
import { refuseAt } from './careless-json.ts';
import { changesWholeTables, stepsOf } from './once.ts';
import type { Converted } from './statement.ts';
import { convertBeside, convertStatement } from './statement.ts';
import type { TakeNote } from './note.ts';
import { statementsOf } from './piece-statements.ts';
import { convertPreSteps } from './pre-steps.ts';
import type { Bound, PupdateTask } from './pupdate-file.ts';

/** pupdate asked for a connection for each of up to hundreds of goroutines; more lanes than this seldom help a server. */
const MOST_LANES = 16;
const MOST_ATTEMPTS = 100;

/** One task in our words. */
export interface TaskLoad {
  /** Keys of the load's file, in the order in which they are written, but for `kind`, `connection` and `sql`. */
  keys: Record<string, unknown>;
  /** Undefined: all that it does stands under `before`. */
  sql: string | undefined;
  database: string;
  lanes: number;
}

/**
 * Throws `ConfigurationError` with the place for a task that cannot be understood. `outputs`: the files of the tasks before it.
 */
export function convertTask(task: PupdateTask, outputs: OutputFiles, note: TakeNote): TaskLoad {
  const { sessionParams, before, database } = convertPreSteps(task.preSteps, task.dsn, note);
  const statement = convertStatement(task.statement, isCut(task) && (task.concurrency ?? 0) >= 1, note);
  const range = rangeOf(task, statement, note);
  const lanes = range === undefined ? 1 : lanesOf(task, note);
  const once = range === undefined ? statementsOf({ text: statement.sql, at: task.statement[0]!.at }) : [];
  const steps = task.method === 'exec' ? stepsOf(task.name, once, note) : [];
  if (steps.length === 0 && once.some(changesWholeTables)) noteGiant(task, note);
  return {
    keys: {
      description: descriptionOf(task, note),
      ...(task.disabled && { enabled: false }),
      ...(range !== undefined && { range, lanes }),
      ...attemptsOf(task, note),
      ...outputOf(task, outputs, note),
      session_params: sessionParams,
      ...(before.length + steps.length > 0 && { before: [...before, ...steps] }),
    },
    sql: steps.length > 0 ? undefined : statement.sql,
    database,
    lanes,
  };
}

/** Here `${…}` would be taken from the environment. */
function descriptionOf({ at, name, description = name }: PupdateTask, note: TakeNote): string {
  const plain = description.replaceAll('${', '$ {');
  if (plain !== description)
    note(
      'changed',
      at,
      `\`\${\` in the description of ${name}: becomes \`$ {\`, for it names a variable of the environment`,
    );
  return plain;
}

/** Whether it has a range; with a concurrency below 1 pupdate did not go over it. */
const isCut = (task: PupdateTask): boolean => whyUncut(task) === undefined;

function whyUncut({ min, max, step }: PupdateTask): string | undefined {
  if (step === undefined) return 'no Step';
  if (step <= 0) return `Step ${step}`;
  if (max === undefined) return 'no Max';
  return typeof min === 'object' || typeof max === 'object' || max > min ? undefined : 'a Max that is not above Min';
}

/** What pupdate cut into ranges, and what it would have sent with `%d` in it as it stands, which no server takes. */
function rangeOf(task: PupdateTask, { ranged }: Converted, note: TakeNote): Record<string, unknown> | undefined {
  const { name, at, min, max, step = 0, concurrency = 0 } = task;
  const cuts = isCut(task);
  const once = task.concurrency === undefined ? 'no Concurrency' : `Concurrency ${concurrency}`;
  if (!ranged) {
    if (!cuts) {
      const { rangeKeys } = task;
      const [why, are] = [whyUncut(task), rangeKeys.length === 1 ? 'has' : 'have'];
      if (rangeKeys.length > 0)
        note(
          'ignored',
          at,
          `${rangeKeys.join(', ')} ${are} no effect with ${why}: ${name} runs once, whole, as it did`,
        );
      return undefined;
    }
    if (concurrency < 1) {
      note(
        'ignored',
        at,
        `${once}: ${name} runs once, whole, as pupdate ran it, and not over the range of Min, Max and Step`,
      );
      return undefined;
    }
    note(
      'dangerous',
      at,
      `${name} has a range and a statement without %d, behind which pupdate put the bounds, and no server took that: it runs once, whole. For ranges write id>=%d and id<%d`,
    );
    return undefined;
  }
  if (!cuts) {
    refuseAt(
      at,
      `${name} has %d in its statement and no range: pupdate would have sent it as it stands`,
      'Give it Step, and a Max above Min.',
    );
  }
  if (concurrency < 1) note('changed', at, `${once} made pupdate send %d as it stands: the ranges run in one lane`);
  if (typeof min !== 'object' && typeof max !== 'object' && (BigInt(max!) - BigInt(min)) % BigInt(step) !== 0n) {
    note('changed', at, `pupdate left out what lies above the last whole step: Max (${max}) is reached now`);
  }
  return { min: queryOf(min), max: queryOf(max!), step };
}

function noteGiant({ name, at }: PupdateTask, note: TakeNote): void {
  const next =
    'one giant transaction if the table is large. Give it range: { of: table.id, step: 1000 } and its SQL `id >= :from and id < :to`';
  note('dangerous', at, `${name} runs once over whole tables, ${next}`);
}

/**
 * A query stands in YAML without its semicolon, and is asked as a derived table, where servers refuse the words about their old cache,
 * which say nothing of what it gives.
 */
function queryOf(bound: Bound): number | string {
  if (typeof bound === 'number') return bound;
  if (typeof bound === 'bigint') return String(bound); // in quotes: YAML's numbers are rounded there
  const later = 'Let the query ask without it; the statement itself may be cut by it.';
  const query = convertBeside(bound, { etl_to: later });
  const [statement, second] = statementsOf(query);
  if (statement === undefined || second !== undefined) return query.text.trim().replace(/;\s*$/, '');
  const { tokens } = statement;
  return tokens
    .filter(
      (token, i) => !isWord(token, ...OF_CACHE) && !(token.kind === 'space' && isWord(tokens[i - 1], ...OF_CACHE)),
    )
    .map(({ text }) => text)
    .join('')
    .trim();
}

const OF_CACHE = ['sql_no_cache', 'sql_cache'];

function lanesOf({ concurrency = 1, at }: PupdateTask, note: TakeNote): number {
  if (concurrency <= MOST_LANES) return Math.max(1, concurrency);
  note(
    'changed',
    at,
    `Concurrency ${concurrency}: becomes ${MOST_LANES} lanes (raise lanes and max_connections if the server has room)`,
  );
  return MOST_LANES;
}

function attemptsOf({ maxAttempts, at }: PupdateTask, note: TakeNote): { max_attempts?: number } {
  if (maxAttempts === undefined) return {};
  if (maxAttempts < 1) {
    note('ignored', at, `MaxAttempts ${maxAttempts}: a job is tried at least once; the project's max_attempts holds`);
    return {};
  }
  if (maxAttempts > MOST_ATTEMPTS)
    note('changed', at, `MaxAttempts ${maxAttempts}: becomes ${MOST_ATTEMPTS}, with a growing pause between two`);
  return { max_attempts: Math.min(MOST_ATTEMPTS, maxAttempts) };
}

function outputOf(
  { method, output, name }: PupdateTask,
  outputs: OutputFiles,
  note: TakeNote,
): { method?: string; output?: string } {
  if (method === 'exec') {
    if (output !== undefined) note('ignored', output.at, `\`Output\`: ${name} returns no rows`);
    return {};
  }
  if (output === undefined || output.text === 'stdout') return { method, output: 'stdout' };
  const plain = output.text
    .replaceAll('\\', '/')
    .replace(/^(?:[A-Za-z]:)?\/+/, '')
    .split('/')
    .filter((part) => part !== '..' && part !== '.' && part !== '')
    .join('/');
  const file = outputs.give(/\.(?:csv|jsonl|ndjson)$/.test(plain) ? plain : `${plain}.csv`);
  if (file.name !== output.text)
    note(
      'changed',
      output.at,
      `Output ${JSON.stringify(output.text)}: becomes ${file.name}, inside the project${file.taken}`,
    );
  return { method, output: file.name };
}

/** Files of a project, each written by one task. */
export class OutputFiles {
  private readonly given = new Set<string>();

  /** `taken`: what is to be said where another task has the name. */
  give(file: string): { name: string; taken: string } {
    const [stem, ending] = [file.replace(/\.[^./]*$/, ''), /\.[^./]*$/.exec(file)?.[0] ?? ''];
    let name = file;
    for (let n = 2; this.given.has(name.toLowerCase()); n += 1) name = `${stem}_${n}${ending}`;
    this.given.add(name.toLowerCase());
    return { name, taken: name === file ? '' : `, for a task before it writes ${file}` };
  }
}
