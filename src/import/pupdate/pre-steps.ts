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

type Settings = Record<string, string | number>;

/** A step as the load's file has it: with settings of its own where those that held for it are not those of the load. */
export type Step = string | { sql: string; session_params: Settings };

/** What stood before a task's statement, in our words. */
export interface Preparation {
  /** As they are when the task's own statement runs. */
  sessionParams: Settings;
  /** In their order, tables named with their database where it was another. */
  before: Step[];
  /** The database in which the task's own statement runs. */
  database: string;
}

/** What holds on the connection when a statement comes. */
interface Held {
  settings: Settings;
  /** Variables that keep a setting until it is put back: what it was; undefined: what the server gives. */
  kept: Map<string, { name: string; value: string | number | undefined }>;
}

/** Sorts the statements that pupdate ran on each connection of a task before its own. */
export function convertPreSteps(
  pieces: Fragment[],
  { at, database, timeZone, settings }: Pick<Dsn, 'at' | 'database' | 'timeZone' | 'settings'>,
  note: TakeNote,
): Preparation {
  const steps = [...settings, ...pieces].flatMap((piece) => statementsIn(piece, note));
  const last = steps.findLast(({ code }) => isWord(code[0], 'use'));
  const end = last === undefined ? database : nameAfterUse(last);
  if (end === '') refuseAt(at, '`Dsn` names no database', 'Write user:password@tcp(host:port)/database.');
  const held: Held = { settings: { time_zone: timeZone }, kept: new Map() };
  const before: { sql: string; settings: Settings }[] = [];
  let current = database;
  for (const step of steps) {
    if (isWord(step.code[0], 'use')) current = nameAfterUse(step);
    else if (isWord(step.code[0], 'set')) takeSetting(step, held, note);
    else {
      const sql = stepText(step, current === end ? undefined : current, note);
      before.push({ sql, settings: { ...held.settings } });
    }
  }
  if (end !== database) note('changed', last!.piece.at, `\`use ${end}\`: the task's connection is to this database`);
  if (before.length > 0) {
    note(
      'changed',
      pieces[0]!.at,
      'its preparing statements run once, before the first range, no longer on every connection',
    );
  }
  return {
    sessionParams: held.settings,
    before: before.map((step) => withSettings(step, held.settings)),
    database: end,
  };
}

/** With settings of its own, in place of those of the load, where they are others. */
function withSettings({ sql, settings }: { sql: string; settings: Settings }, inTheEnd: Settings): Step {
  const names = new Set([...Object.keys(settings), ...Object.keys(inTheEnd)]);
  const same = [...names].every((name) => settings[name] === inTheEnd[name]);
  return same ? sql : { sql, session_params: settings };
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
function takeSetting({ code, piece, text }: PieceStatement, held: Held, note: TakeNote): void {
  refuseTimes(code, piece);
  for (const assignment of splitAtCommas(code.slice(1))) {
    const { name, value, from, variable } = readAssignment(assignment);
    const why = name === undefined ? undefined : whyNotSet(name);
    if (
      isWord(assignment[0], 'global', 'persist', 'persist_only') ||
      /^@@(?:global|persist)/.test(assignment[0]!.value)
    ) {
      note('dangerous', piece.at, `\`${text}\` changed the server for everybody: it is left out`);
      if (isWord(assignment[1], 'transaction')) return;
    } else if (isWord(withoutScope(assignment)[0], 'names', 'character', 'charset', 'char', 'transaction')) {
      note('ignored', piece.at, `\`${text}\`: Waybill says it by itself on every connection (utf8mb4, READ COMMITTED)`);
      // A comma may stand between what it says.
      if (isWord(withoutScope(assignment)[0], 'transaction')) return;
    } else if (why !== undefined) {
      note('ignored', piece.at, `\`${text}\`: ${why}`);
    } else if (variable !== undefined && from !== undefined) {
      held.kept.set(variable, { name: from, value: held.settings[from] });
    } else if (name !== undefined && from !== undefined && held.kept.get(from)?.name === name) {
      setTo(held.settings, name, held.kept.get(from)!.value);
    } else if (name === undefined || value === undefined) {
      refuseAt(
        piece.at,
        `\`${text}\` cannot become a setting of a load`,
        'Write set name = value, with a number, a word or a text; put what a variable holds into the statement itself.',
      );
    } else {
      const isDefault = name !== 'time_zone' && String(value).toLowerCase() === 'default';
      setTo(held.settings, name, isDefault ? undefined : value);
    }
  }
}

/** Undefined: what the server gives. */
function setTo(settings: Settings, name: string, value: string | number | undefined): void {
  if (value === undefined) delete settings[name];
  else settings[name] = value;
}

/** At those outside of parentheses: others are within a call. */
function splitAtCommas(code: Token[]): Token[][] {
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const token of code) {
    if (isMark(token, '(')) depth += 1;
    if (isMark(token, ')')) depth -= 1;
    if (depth === 0 && isMark(token, ',')) parts.push([]);
    else parts.at(-1)!.push(token);
  }
  return parts.filter((part) => part.length > 0);
}

const withoutScope = (code: Token[]): Token[] => (isWord(code[0], 'session', 'local') ? code.slice(1) : code);

interface Assignment {
  /** Of the server's setting that is set. */
  name?: string;
  /** The user's variable that is set. */
  variable?: string;
  /** One token's. */
  value?: string | number;
  /** The server's setting (to a variable), or the variable (to a setting), that it is set to. */
  from?: string;
}

const OF_SERVER = /^@@(?:session\.|local\.)?(\w+)$/;

/** `session x = 1`, `@@session.x := 'a'`, `@old = @@x`, `x = @old`. */
function readAssignment(code: Token[]): Assignment {
  const [target, sign, ...values] = withoutScope(code);
  const known = target?.kind === 'variable' ? target.value : undefined;
  const name = target?.kind === 'word' ? target.value.toLowerCase() : OF_SERVER.exec(known ?? '')?.[1];
  const assigned: Assignment =
    name !== undefined ? { name } : known?.startsWith('@@') === false ? { variable: known } : {};
  if (!isMark(sign, '=') && !isMark(sign, ':=')) return assigned;
  const text = values.map((token) => token.text).join('');
  // Beyond 2^53 only a text has all of the digits, and as a number it is sent all the same.
  if (/^-?\d+$/.test(text)) return { ...assigned, value: Number.isSafeInteger(Number(text)) ? Number(text) : text };
  const [value, second] = values;
  if (value === undefined || second !== undefined) return assigned;
  // Numbers by other names in SQL; as texts no server takes them.
  if (isWord(value, 'true', 'false')) return { ...assigned, value: isWord(value, 'true') ? 1 : 0 };
  if (value.kind === 'word' || value.kind === 'number') return { ...assigned, value: value.text };
  if (value.kind === 'string' && !/\\/.test(text)) return { ...assigned, value: text.slice(1, -1) };
  if (value.kind !== 'variable') return assigned;
  const from = name === undefined ? OF_SERVER.exec(value.value)?.[1] : value.value;
  return { ...assigned, ...(from !== undefined && { from }) };
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
  if (database === '' && named.size > 0)
    refuseAt(piece.at, `\`${step.text}\` runs where no database is in use`, 'Write the database before its names.');
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
