import { Code } from '../sql/cut/code.ts';
import { groupingConstructs } from '../sql/lint.ts';
import type { Statement } from '../sql/statement.ts';
import { isCode, isWord, type Token } from '../sql/token.ts';
import { problemAt, QUERY_VERBS } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';

/** `from.sql` is one query that stands for itself: it is read as a derived table, and nothing binds values in a COPY. */
export function checkSourceQuery({ source, definition }: ParsedLoad): Problem[] {
  const [query, second] = source;
  if (query === undefined) return [];
  if (second !== undefined) return [problemAt(second, '`from.sql` is exactly one query, and this is a second')];
  if (!QUERY_VERBS.includes(query.verb) || query.verb === 'show') {
    return [problemAt(query, `\`from.sql\` is a query, and this is \`${query.verb}\``, 'Begin with `select`.')];
  }
  const { file } = query;
  const cut = (['cursor', 'range'] as const).find((key) => definition.from?.[key] !== undefined);
  return [
    ...(cut === undefined ? [] : runsOtherwise(query, cut)),
    ...query.parameters.map(({ name, line, column }) =>
      problemAt(
        { file, line, column },
        `\`:${name}\` cannot be used in \`from.sql\`: a copy binds no values`,
        'Write the value itself; for a window over growing values, name the column in `from.cursor`.',
      ),
    ),
    ...query.braces.map(({ table, line, column }) =>
      problemAt(
        { file, line, column },
        `\`{{ ${table} }}\` cannot be used in \`from.sql\`: it reads the source, which knows no batches`,
        `Write the table's plain name.`,
      ),
    ),
  ];
}

/** Functions that number rows, or look at those beside them. */
const BY_ORDER = ['row_number', 'ntile', 'lag', 'lead', 'first_value', 'last_value', 'nth_value'];

/** What gives other rows, or other values of them, each time that the query runs: it runs once a chunk. */
function runsOtherwise(query: Statement, cut: 'cursor' | 'range'): Problem[] {
  const code = new Code(query.tokens.filter(isCode), query.dialect);
  const isOrdered = code.tokens.some((_, i) => code.is(i, 'order') && code.is(i + 1, 'by'));
  const begun = begunVariables(code);
  const next = `leave \`${cut}\` out: the query then runs once, as one chunk`;
  const problems = groupingConstructs(query).flatMap(({ what, line, column }): Problem[] => {
    const at = { file: query.file, line, column };
    if (what === 'variable assignment') {
      const { text } = code.tokens.find((token) => token.line === line && token.column === column)!;
      if (begun.has(text.toLowerCase())) return [];
      const message = `\`${text}\` is set in \`from.sql\` with \`${cut}\`: the query runs once a chunk, on several connections, and finds another value there each time`;
      const begin = `Begin it within the query (\`from …, (select ${text} := 0) begin\`), or number rows with \`row_number() over (order by …)\`. Or: ${next}.`;
      return [problemAt(at, message, begin)];
    }
    if (what !== 'limit' || isOrdered) return [];
    const message = `a limit without \`order by\` in \`from.sql\` with \`${cut}\`: the query runs once a chunk, and the server may take other rows each time`;
    return [problemAt(at, message, `Add an \`order by\` that tells all rows apart. Or: ${next}.`, 'warn')];
  });
  for (const [i, token] of code.tokens.entries()) {
    if (!isWord(token, ...BY_ORDER) || !code.mark(i + 1, '(')) continue;
    const window = windowAfter(code, i + 1);
    if (window === undefined || window.some((one) => isWord(one, 'order'))) continue;
    const message = `\`${token.text} (…) over (…)\` without \`order by\` in \`from.sql\` with \`${cut}\`: the query runs once a chunk, and the server may take the rows in another order each time`;
    const { line, column } = token;
    problems.push(
      problemAt(
        { file: query.file, line, column },
        message,
        `Add an \`order by\` that tells all rows apart. Or: ${next}.`,
        'warn',
      ),
    );
  }
  return problems;
}

/** Variables that the query begins with a value of its own: `(select @n := 0)`. */
function begunVariables(code: Code): Set<string> {
  const begun = code.tokens.flatMap((token, i) => {
    const open =
      token.kind === 'variable'
        ? code.tokens.findLastIndex((_, at) => at < i && code.mark(at, '(') && endOf(code, at) > i)
        : -1;
    if (open < 0 || !code.is(open + 1, 'select') || !code.mark(i + 1, ':=')) return [];
    const inside = code.tokens.slice(open, endOf(code, open));
    return inside.some((one) => isWord(one, 'from')) ? [] : [token.text.toLowerCase()];
  });
  return new Set(begun);
}

/** What stands in `over (…)` behind the arguments that open at `open`; undefined: no such. */
function windowAfter(code: Code, open: number): Token[] | undefined {
  const over = endOf(code, open) + 1;
  if (!code.is(over, 'over') || !code.mark(over + 1, '(')) return undefined;
  const inside = code.tokens.slice(over + 2, endOf(code, over + 1));
  // It may be a window that `window` names, and orders.
  const isNamed = inside[0]?.kind === 'word' && !isWord(inside[0], 'partition', 'order', 'rows', 'range', 'groups');
  return isNamed ? undefined : inside;
}

/** Of a parenthesis; one that nobody closes reaches to the end. */
const endOf = (code: Code, open: number): number => code.close(open) ?? code.tokens.length;
