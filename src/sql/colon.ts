import type { SqlDialect } from './dialect.ts';
import { isWord, type Token } from './token.ts';

/**
 * Words after which an expression has yet to come, so that `when :x` inside brackets is no slice. A column of such a name
 * needs quotes, or a space after the colon, in a slice; either way a wrong guess is loud, never silent.
 */
const UNFINISHED = `all and any at between by case collate distinct else escape from ilike in is like not on or select
  similar some then to using when where zone`.split(/\s+/);

/**
 * Knows where a lone `:` separates two expressions and starts no parameter: array slices `x[lo:hi]`, and the pairs of
 * `json_object('key':value)`. There a colon that follows a finished expression is the separator; one that follows an
 * opening bracket, a comma, an operator or another colon starts a parameter: `x[:lo : :hi]`, `array[:a, :b]`. (So the
 * upper bound alone is written `x[ : n]`.)
 */
export class ColonContext {
  readonly #dialect: SqlDialect;
  /** For each open bracket: do colons separate directly inside it? */
  readonly #open: boolean[] = [];
  #previous: Token | undefined;

  constructor(dialect: SqlDialect) {
    this.#dialect = dialect;
  }

  /** Tells it of each code token, in order. */
  passed(token: Token): void {
    if (token.kind === 'punctuation') {
      if (token.text === '[') this.#open.push(this.#dialect.slices);
      else if (token.text === '(') this.#open.push(this.#opensPairs());
      else if (token.text === ']' || token.text === ')') this.#open.pop();
      else if (token.text === ';') this.#open.length = 0;
    }
    this.#previous = token;
  }

  /** Whether a `:` that comes now separates. */
  separates(): boolean {
    return this.#open.at(-1) === true && endsExpression(this.#previous);
  }

  #opensPairs(): boolean {
    return this.#previous?.kind === 'word' && this.#dialect.pairFunctions.has(this.#previous.value);
  }
}

function endsExpression(token: Token | undefined): boolean {
  switch (token?.kind) {
    case 'string':
    case 'quoted':
    case 'number':
    case 'parameter':
      return true;
    case 'word':
      return !isWord(token, ...UNFINISHED);
    case 'punctuation':
      return token.text === ')' || token.text === ']';
    default:
      return false;
  }
}
