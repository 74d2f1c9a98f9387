import type { SqlDialect } from '../dialect.ts';
import { skipsRows } from '../grouping.ts';
import { holdsQuery, isSetOperator } from '../query-blocks.ts';
import { isMark, isWord, type Token } from '../token.ts';

/** Half-open, of code tokens. */
export interface Range {
  from: number;
  to: number;
}

/** A statement's code, with the ends of its parentheses. What it is asked never throws: SQL that is odd is read as far as it goes. */
export class Code {
  private readonly ends = new Map<number, number>();

  constructor(
    readonly tokens: Token[],
    readonly dialect: SqlDialect,
  ) {
    const open: number[] = [];
    for (const [i, token] of tokens.entries()) {
      if (isMark(token, '(') || isMark(token, '[')) open.push(i);
      if (isMark(token, ')') || isMark(token, ']')) this.ends.set(open.pop() ?? i, i);
    }
  }

  /** Where the parenthesis at `at` closes; undefined: none opens there. */
  close(at: number): number | undefined {
    return this.ends.get(at);
  }

  is(at: number, ...words: string[]): boolean {
    return isWord(this.tokens[at], ...words);
  }

  mark(at: number, mark: string): boolean {
    return isMark(this.tokens[at], mark);
  }

  /** What stands there, as it is written, but for white space. */
  text({ from, to }: Range): string {
    return this.tokens
      .slice(from, to)
      .map(({ text }) => text)
      .join(' ');
  }

  /** A name there, as the server compares it; undefined: none. */
  name(at: number): string | undefined {
    const token = this.tokens[at];
    return token?.kind === 'word' || token?.kind === 'quoted' ? this.dialect.foldName(token.value) : undefined;
  }

  /** The names of `a.b.c` there; none when no name starts there. It is `2 × length - 1` tokens long. */
  chain(at: number, to = this.tokens.length): string[] {
    const names: string[] = [];
    for (let i = at; i < to; i += 2) {
      const name = this.name(i);
      if (name === undefined) return names;
      names.push(name);
      if (!this.mark(i + 1, '.')) return names;
    }
    return names;
  }

  /** Names in the parenthesis at `at`. */
  namesIn(at: number): string[] {
    return this.byComma(this.inside(at)).flatMap(({ from }) => this.name(from) ?? []);
  }

  /** Positions that no parenthesis of the range holds. */
  *level({ from, to }: Range): Generator<number> {
    for (let i = from; i < to; i = (this.close(i) ?? i) + 1) yield i;
  }

  find(range: Range, wanted: (at: number) => boolean): number | undefined {
    for (const i of this.level(range)) if (wanted(i)) return i;
    return undefined;
  }

  split(range: Range, separates: (at: number) => boolean): Range[] {
    const parts: Range[] = [];
    let { from } = range;
    for (const i of this.level(range)) {
      if (!separates(i)) continue;
      parts.push({ from, to: i });
      from = i + 1;
    }
    return [...parts, { from, to: range.to }];
  }

  byComma(range: Range): Range[] {
    return range.from >= range.to ? [] : this.split(range, (i) => this.mark(i, ','));
  }

  /** What stands in the parenthesis at `at`. */
  inside(at: number): Range {
    return { from: at + 1, to: this.close(at) ?? at + 1 };
  }

  /** A parenthesis that is a query, and not an expression that begins with one. */
  isQuery(at: number): boolean {
    if (!this.mark(at, '(') || !holdsQuery(this.tokens, at)) return false;
    if (!this.mark(at + 1, '(')) return true;
    const after = (this.close(at + 1) ?? at) + 1;
    const ends = after === this.close(at) || this.isSetOperator(after) || this.is(after, 'order', 'limit', 'fetch');
    return ends && this.isQuery(at + 1);
  }

  isSetOperator(at: number): boolean {
    return isSetOperator(this.tokens[at]!, this.tokens[at - 1]);
  }

  /** Cuts a range at its clauses' words; what stands before the first has the name ''. A clause's range is without its word. */
  clauses(range: Range, words: readonly string[]): Map<string, Range> {
    const clauses = new Map<string, Range>();
    let [word, { from }] = ['', range];
    for (const i of this.level(range)) {
      if (!this.is(i, ...words) || this.mark(i - 1, '.') || this.is(i - 1, 'as') || !this.begins(i)) continue;
      clauses.set(word, { from, to: i });
      word = this.tokens[i]!.keyword;
      from = i + 1;
    }
    return clauses.set(word, { from, to: range.to });
  }

  private begins(at: number): boolean {
    if (this.is(at, 'from')) return !this.is(at - 1, 'distinct');
    if (this.is(at, 'group', 'order')) return this.is(at + 1, 'by');
    if (this.is(at, 'for')) return this.is(at + 1, 'update', 'share', 'no', 'key');
    if (this.is(at, 'offset')) return skipsRows(this.tokens, at, this.dialect);
    if (this.is(at, 'window')) return this.is(at + 2, 'as');
    if (this.is(at, 'using')) return !this.isColumnList(at + 1);
    if (this.is(at, 'on')) return this.is(at + 1, 'conflict', 'duplicate');
    return true;
  }

  /** `(a, b)`: of `join … using`, and no table in parentheses. */
  private isColumnList(at: number): boolean {
    return this.mark(at, '(') && this.name(at + 1) !== undefined && (this.mark(at + 2, ',') || this.mark(at + 2, ')'));
  }
}
