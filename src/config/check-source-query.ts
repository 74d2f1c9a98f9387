import { problemAt, QUERY_VERBS } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';

/** `from.sql` is one query that stands for itself: it is read as a derived table, and nothing binds values in a COPY. */
export function checkSourceQuery({ source }: ParsedLoad): Problem[] {
  const [query, second] = source;
  if (query === undefined) return [];
  if (second !== undefined) return [problemAt(second, '`from.sql` is exactly one query, and this is a second')];
  if (!QUERY_VERBS.includes(query.verb) || query.verb === 'show') {
    return [problemAt(query, `\`from.sql\` is a query, and this is \`${query.verb}\``, 'Begin with `select`.')];
  }
  const { file } = query;
  return [
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
