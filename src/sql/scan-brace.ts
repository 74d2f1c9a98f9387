import type { SqlDialect } from './dialect.ts';
import { nearest, normalizeTableName } from './names.ts';
import { matchLength, quoteAt, endOfQuoted } from './scan-quoted.ts';

/** What stands between `{{` and `}}`. */
export interface Brace {
  end: number;
  table: string;
  all: boolean;
}

/** What is wrong with a brace, for the lexer to turn into an `SqlError` at the brace's start. */
export interface BraceProblem {
  problem: string;
  next: string;
}

const FORM = 'Write {{ table }}, {{ schema.table }} or {{ schema.table | all }}.';
const FILTERS = ['all'];

/** Reads the brace that opens at `at`. Quoted names inside may hold any character, `}}` too. */
export function scanBrace(text: string, at: number, dialect: SqlDialect): Brace | BraceProblem {
  const close = findClose(text, at + 2, dialect);
  if (close === undefined) return { problem: 'this {{ is never closed by }}', next: FORM };
  const inside = text.slice(at + 2, close);
  const shown = `{{${shorten(inside.replace(/\s+/g, ' '))}}}`;
  const bar = findBar(inside, dialect);
  const filter = bar === undefined ? undefined : inside.slice(bar + 1).trim();
  if (filter !== undefined && !FILTERS.includes(filter)) {
    const near = nearest(filter, FILTERS);
    const problem = `${shown}: unknown filter "${filter}"`;
    return { problem, next: near === undefined ? FORM : `Did you mean "| ${near}"?` };
  }
  try {
    return { end: close + 2, table: normalizeTableName(inside.slice(0, bar), dialect), all: filter === 'all' };
  } catch (error) {
    return { problem: `${shown}: ${(error as Error).message}`, next: FORM };
  }
}

function findClose(text: string, from: number, dialect: SqlDialect): number | undefined {
  const at = findOutsideNames(text, from, dialect, (i) => text.startsWith('}}', i) || text.startsWith('{{', i));
  return at !== undefined && text.startsWith('}}', at) ? at : undefined;
}

function findBar(inside: string, dialect: SqlDialect): number | undefined {
  return findOutsideNames(inside, 0, dialect, (i) => inside[i] === '|');
}

function findOutsideNames(text: string, from: number, dialect: SqlDialect, found: (at: number) => boolean) {
  for (let at = from; at < text.length; at++) {
    if (found(at)) return at;
    const form = quoteAt(text, at, dialect);
    if (form?.kind !== 'quoted' || matchLength(form.opens, text, at) === 0) continue;
    const end = endOfQuoted(text, at, form);
    if (end === undefined) return undefined;
    at = end - 1;
  }
  return undefined;
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
