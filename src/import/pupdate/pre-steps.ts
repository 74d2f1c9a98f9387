import { whyNotSet } from '../../config/session-settings.ts';
import { codeText } from '../../sql/code-text.ts';
import { mysqlSql } from '../../sql/mysql.ts';
import { formatTableName } from '../../sql/names.ts';
import { isMark, isWord, type Token } from '../../sql/token.ts';
import { bareNames } from './bare-names.ts';
import { refuseAt } from './careless-json.ts';
import type { Dsn } from './dsn.ts';
import type { Fragment, TakeNote } from './note.ts';
import { livesOnConnection, noteEmptying, statementsOf, type PieceStatement } from './piece-statements.ts';
import { convertBeside } from './statement.ts';

/** What stood before a task's statement, in our words. */
export interface Preparation {
  sessionParams: Record<string, string | number>;
  /** In their order, tables named with their database where it was another. */
  before: string[];
  /** The database in which the task's own statement runs. */
  database: string;
}

/** Sorts the statements that pupdate ran on each connection of a task before its own. */
export function convertPreSteps(
  pieces: Fragment[],
  { database, timeZone }: Pick<Dsn, 'database' | 'timeZone'>,
  note: TakeNote,
): Preparation {
  const steps = pieces.flatMap((piece) => statementsIn(piece, note));
  const last = steps.findLast(({ code }) => isWord(code[0], 'use'));
  const end = last === undefined ? database : nameAfterUse(last);
  const made: Preparation = { sessionParams: { time_zone: timeZone }, before: [], database: end };
  let current = database;
  for (const step of steps) {
    if (isWord(step.code[0], 'use')) current = nameAfterUse(step);
    else if (isWord(step.code[0], 'set')) takeSetting(step, made, note);
    else made.before.push(stepText(step, current === end ? undefined : current, note));
  }
  if (end !== database) note('changed', last!.piece.at, `\`use ${end}\`: the task's connection is to this database`);
  if (made.before.length > 0) {
    note(
      'changed',
      pieces[0]!.at,
      'its preparing statements run once, before the first range, no longer on every connection',
    );
  }
  return made;
}

function statementsIn(piece: Fragment, note: TakeNote): PieceStatement[] {
  const found = statementsOf(convertBeside(piece));
  if (found.length === 0) note('ignored', piece.at, `\`${piece.text.trim()}\` holds no statement`);
  return found;
}

function nameAfterUse({ code, piece }: PieceStatement): string {
  const name = code[1];
  if (code.length === 2 && (name?.kind === 'word' || name?.kind === 'quoted')) return name.value;
  return refuseAt(piece.at, '`use` names no database', 'Write: use database.');
}

/** Assignments of a `set`, as far as a setting of the load can be one. */
function takeSetting({ code, piece, text }: PieceStatement, made: Preparation, note: TakeNote): void {
  refuseTimes(code, piece);
  if (isWord(code[1], 'names', 'character', 'charset', 'transaction')) {
    note('ignored', piece.at, `\`${text}\`: Waybill says it by itself on every connection (utf8mb4, READ COMMITTED)`);
    return;
  }
  for (const assignment of splitAtCommas(code.slice(1))) {
    const { name, value } = readAssignment(assignment);
    const why = name === undefined ? undefined : whyNotSet(name);
    if (
      isWord(assignment[0], 'global', 'persist', 'persist_only') ||
      /^@@(?:global|persist)/.test(assignment[0]!.value)
    ) {
      note('dangerous', piece.at, `\`${text}\` changed the server for everybody: it is left out`);
    } else if (why !== undefined) {
      note('ignored', piece.at, `\`${text}\`: ${why}`);
    } else if (name === undefined || value === undefined) {
      refuseAt(
        piece.at,
        `\`${text}\` cannot become a setting of a load`,
        'Write set name = value, with a number, a word or a text; put what a variable holds into the statement itself.',
      );
    } else {
      const earlier = made.sessionParams[name];
      // What nobody said before, nobody has relied on.
      if (earlier !== undefined && earlier !== value && earlier !== 'default') {
        note('dangerous', piece.at, `${name} was ${earlier} before: the whole load, its steps too, runs with ${value}`);
      }
      made.sessionParams[name] = value;
    }
  }
}

function splitAtCommas(code: Token[]): Token[][] {
  const parts: Token[][] = [[]];
  for (const token of code) {
    if (isMark(token, ',')) parts.push([]);
    else parts.at(-1)!.push(token);
  }
  return parts.filter((part) => part.length > 0);
}

/** `session x = 1`, `@@session.x := 'a'`; no name where it is a variable of the user's, no value where it is more than one token. */
function readAssignment(code: Token[]): { name?: string; value?: string | number } {
  const rest = isWord(code[0], 'session', 'local') ? code.slice(1) : code;
  const [target, sign, ...values] = rest;
  const name =
    target?.kind === 'word'
      ? target.value.toLowerCase()
      : /^@@(?:session\.|local\.)?(\w+)$/.exec(target?.value ?? '')?.[1];
  if (name === undefined) return {};
  if (!isMark(sign, '=') && !isMark(sign, ':=')) return { name };
  const text = values.map((token) => token.text).join('');
  if (/^-?\d+$/.test(text)) return { name, value: Number(text) };
  if (values.length !== 1) return { name };
  const [value] = values;
  if (value!.kind === 'word' || value!.kind === 'number') return { name, value: value!.text };
  return value!.kind === 'string' && !/\\/.test(text) ? { name, value: text.slice(1, -1) } : { name };
}

/** The statement, its tables with their database where that is not the connection's. */
function stepText(step: PieceStatement, database: string | undefined, note: TakeNote): string {
  const { tokens, code, piece } = step;
  if (livesOnConnection(step)) {
    refuseAt(
      piece.at,
      `\`${step.text}\` makes or needs what lasts as long as its connection (a temporary table, a variable, a lock): the task's own statement runs on others`,
      'Put it into the statement itself, before the others, with ; between: each range then has it on its own connection.',
    );
  }
  if (!mysqlSql.bindsValues.test(codeText(code))) refuseTimes(code, piece);
  const named = new Set(database === undefined ? [] : namesOf(step, database));
  const text = tokens
    .map((token) =>
      named.has(token)
        ? `${formatTableName({ schema: undefined, name: database! }, mysqlSql)}.${token.text}`
        : token.text,
    )
    .join('')
    .trim();
  noteEmptying({ code, piece, text }, note);
  return text;
}

/** Where no value can be bound. */
function refuseTimes(code: Token[], { at }: Fragment): void {
  if (code.some(({ kind }) => kind === 'parameter'))
    refuseAt(
      at,
      '`$last_etl` or `$etl_to` stands in a statement that takes no values',
      'Put it into the statement itself.',
    );
}

function namesOf({ code, piece, text }: PieceStatement, database: string): Token[] {
  return (
    bareNames(code) ??
    refuseAt(
      piece.at,
      `\`${text}\` runs in ${database}, and the task in another database: which of its names are of ${database} cannot be told`,
      'Write the database before each of its names, and put the statement where the database in use is that of the task.',
    )
  );
}
