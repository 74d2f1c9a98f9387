import type { QuoteForm, SqlDialect } from './dialect.ts';

/** Length of what a sticky pattern matches at `at`; 0 when it does not match there. */
export function matchLength(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
}

/** The quote form that opens at `at`, if one does. */
export function quoteAt(text: string, at: number, dialect: SqlDialect): QuoteForm | undefined {
  return dialect.quotes.find((form) => matchLength(form.opens, text, at) > 0);
}

/** Offset after the literal or quoted name that opens at `at`, its further pieces included; undefined: never closed. */
export function endOfQuoted(text: string, at: number, form: QuoteForm): number | undefined {
  let from = at + matchLength(form.opens, text, at);
  for (;;) {
    const end = endOfQuote(text, from, form);
    if (end === undefined || form.continues === undefined) return end;
    const bridge = matchLength(form.continues, text, end);
    if (bridge === 0) return end;
    from = end + bridge;
  }
}

function endOfQuote(text: string, from: number, form: QuoteForm): number | undefined {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\' && form.backslashEscapes) at++;
    else if (text[at] === form.closes) {
      if (text[at + 1] !== form.closes) return at + 1;
      at++;
    }
  }
  return undefined;
}

/** Offset after the dollar-quoted string that opens at `at` with `delimiter`; undefined: never closed. */
export function endOfDollarQuoted(text: string, at: number, delimiter: string): number | undefined {
  const close = text.indexOf(delimiter, at + delimiter.length);
  return close < 0 ? undefined : close + delimiter.length;
}

/** Offset after the block comment that opens at `at`; undefined: never closed. */
export function endOfBlockComment(text: string, at: number, nested: boolean): number | undefined {
  let depth = 1;
  for (let i = at + 2; i < text.length; i++) {
    if (text.startsWith('*/', i)) {
      depth--;
      i++;
      if (depth === 0) return i + 1;
    } else if (nested && text.startsWith('/*', i)) {
      depth++;
      i++;
    }
  }
  return undefined;
}
