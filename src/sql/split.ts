import type { SqlSource } from '../config/definition.ts';
import { codeText } from './code-text.ts';
import type { CompoundForm, SqlDialect } from './dialect.ts';
import { lex } from './lexer.ts';
import { SqlError } from './sql-error.ts';
import { isCode, isMark, isWord, type Token } from './token.ts';

const CLOSING: Record<string, string> = { '(': ')', '[': ']' };

/**
 * Groups the tokens of a source into statements, without their `;`. Statements that hold no code are left out. A `;` inside
 * a routine's `begin … end`, or in the parentheses of a rule, separates nothing. Throws `SqlError` as `lex` does, and for a
 * bracket or a body that is open where the statement ends.
 */
export function* splitTokens(source: SqlSource, dialect: SqlDialect): Generator<Token[], void, undefined> {
  let current = new StatementTokens(source.file, dialect);
  for (const token of lex(source, dialect)) {
    if (!isMark(token, ';') || current.holdsSemicolon()) {
      current.add(token);
      continue;
    }
    yield* current.finish();
    current = new StatementTokens(source.file, dialect);
  }
  yield* current.finish();
}

class StatementTokens {
  readonly #tokens: Token[] = [];
  readonly #code: Token[] = [];
  readonly #brackets: Token[] = [];
  readonly #file: string;
  readonly #dialect: SqlDialect;
  #compound: CompoundForm | undefined;
  /** The word that opened the body. */
  #body: Token | undefined;
  #depth = 0;

  constructor(file: string, dialect: SqlDialect) {
    this.#file = file;
    this.#dialect = dialect;
  }

  add(token: Token): void {
    this.#tokens.push(token);
    if (!isCode(token)) return;
    this.#code.push(token);
    if (isMark(token, '(') || isMark(token, '[')) this.#brackets.push(token);
    else if (this.#closes(token)) this.#brackets.pop();
    else if (token.kind === 'word') this.#followBody(token);
  }

  /** Whether a `;` that comes now belongs to the statement. */
  holdsSemicolon(): boolean {
    if (this.#depth > 0) return true;
    return this.#brackets.length > 0 && this.#dialect.parenthesizedLists?.test(this.#opening()) === true;
  }

  *finish(): Generator<Token[], void, undefined> {
    const open = this.#brackets.at(-1);
    if (open !== undefined) {
      const next = `Close it with ${CLOSING[open.text]}.`;
      const message = `this ${open.text} is still open where the statement ends`;
      throw new SqlError(message, { file: this.#file, ...open }, next);
    }
    if (this.#depth > 0 && this.#body !== undefined) {
      const { closes } = this.#compound!;
      const message = `the body that opens here is never closed`;
      throw new SqlError(message, { file: this.#file, ...this.#body }, `Close it with ${closes}.`);
    }
    if (this.#code.length > 0) yield this.#tokens;
  }

  #closes(token: Token): boolean {
    const open = this.#brackets.at(-1);
    return open !== undefined && isMark(token, CLOSING[open.text]!);
  }

  /** The statement's first words, enough for every pattern that is asked here. */
  #opening(): string {
    return codeText(this.#code.slice(0, 8));
  }

  #followBody(word: Token): void {
    const before = this.#code.at(-2);
    if (isMark(before, '.') || isWord(before, 'as')) return;
    if (this.#compound === undefined) {
      this.#compound = this.#opened();
      if (this.#compound === undefined) return;
      this.#body = word;
      this.#depth = 1;
      return;
    }
    const { nests, closes, uncounted = [] } = this.#compound;
    const closing = isWord(before, closes);
    if (closing && isWord(word, ...uncounted)) this.#depth++;
    else if (this.#depth > 0 && isWord(word, closes)) this.#depth--;
    else if (this.#depth > 0 && isWord(word, ...nests) && !closing) this.#depth++;
  }

  #opened(): CompoundForm | undefined {
    return this.#dialect.compounds.find((form) => {
      const last = this.#code.slice(-form.opens.length);
      return form.opens.every((word, i) => isWord(last[i], word)) && form.statement.test(this.#opening());
    });
  }
}
