import { codeText } from '../code-text.ts';
import type { Code } from './code.ts';

/** What a statement makes or drops. */
export interface Making {
  what: 'table' | 'view' | 'index' | 'other';
  /** As `nameAt` gives it. */
  name: string;
  at: number;
  /** It goes with the session, or with the transaction. */
  temporary: boolean;
  ifNotExists: boolean;
  /** Columns that it says itself; undefined: none, or others beside them. */
  columns: string[] | undefined;
  /** It has no rows yet, or nobody can tell by this statement. */
  isEmpty: boolean;
}

const BEFORE_KIND = ['or', 'replace', 'global', 'local', 'unlogged', 'recursive', 'materialized', 'unique'];
const CONSTRAINTS = ['constraint', 'primary', 'unique', 'check', 'foreign', 'exclude', 'key', 'index', 'fulltext'];
const EMPTY = /\bwith no data$|\blimit 0$|\bwhere (?:false|1 = 0|0 = 1|1 = 2)$/;

/** What `create …` or `select … into …` makes. */
export function makingOf(code: Code): Making | undefined {
  if (code.is(0, 'create')) return created(code);
  if (!code.is(0, 'select', 'with')) return undefined;
  const into = code.find(
    { from: 0, to: code.tokens.length },
    (i) => code.is(i, 'into') && !code.is(i - 1, 'insert', 'merge'),
  );
  if (into === undefined || !code.dialect.catalogSchema) return undefined;
  let at = into + 1;
  const temporary = code.is(at, 'temp', 'temporary');
  while (code.is(at, 'temp', 'temporary', 'unlogged', 'table')) at++;
  const name = nameAt(code, at);
  return { what: 'table', name, at, temporary, ifNotExists: false, columns: undefined, isEmpty: isEmpty(code) };
}

/** Names that `drop table a, b` drops. */
export function droppedBy(code: Code): string[] {
  if (!code.is(0, 'drop')) return [];
  const table = code.find({ from: 1, to: code.tokens.length }, (i) => code.is(i, 'table', 'view'));
  if (table === undefined) return [];
  const from = code.is(table + 1, 'if') ? table + 3 : table + 1;
  return code.byComma({ from, to: code.tokens.length }).map((item) => nameAt(code, item.from));
}

/** The name there, by which a stage's own tables are known. */
export function nameAt(code: Code, at: number): string {
  const chain = code.chain(at);
  return (chain[0] === 'pg_temp' ? chain.slice(1) : chain).join('.');
}

function created(code: Code): Making {
  let at = 1;
  let temporary = false;
  for (; code.is(at, 'temp', 'temporary', ...BEFORE_KIND); at++) {
    if (code.is(at, 'temp', 'temporary')) temporary = true;
  }
  const kind = code.tokens[at]?.keyword;
  const what = kind === 'table' || kind === 'view' || kind === 'index' ? kind : 'other';
  const ifNotExists = code.is(at + 1, 'if');
  at += ifNotExists ? 4 : 1;
  const name = nameAt(code, at);
  const open = at + code.chain(at).length * 2 - 1;
  const makes = code.find({ from: open, to: code.tokens.length }, (i) => isQueryAt(code, i));
  const columns = columnsAt(code, open, makes !== undefined);
  return { what, name, at, temporary, ifNotExists, columns, isEmpty: makes === undefined || isEmpty(code) };
}

function isQueryAt(code: Code, at: number): boolean {
  return code.is(at, 'select', 'with', 'values', 'table') || code.isQuery(at);
}

function columnsAt(code: Code, open: number, hasQuery: boolean): string[] | undefined {
  if (!code.mark(open, '(') || code.isQuery(open)) return undefined;
  const items = code.byComma(code.inside(open));
  // Definitions before a query: its columns come to them by name.
  if (items.some(({ from, to }) => code.is(from, 'like') || (hasQuery && to > from + 1))) return undefined;
  return items.flatMap(({ from }) => (code.is(from, ...CONSTRAINTS) ? [] : (code.name(from) ?? [])));
}

/** `create table t as select … limit 0`: made for its columns. */
function isEmpty({ tokens }: Code): boolean {
  return EMPTY.test(codeText(tokens).replace(/ on commit \w+(?: rows)?$/, ''));
}
