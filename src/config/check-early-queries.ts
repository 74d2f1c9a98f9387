import { nearest } from '../sql/names.ts';
import type { Statement } from '../sql/statement.ts';
import { didYouMean, problemAt } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';

/** Bounds of a range and `ready` of an input are asked before the batch opens: what only a batch has is not there yet. */
export function checkEarlyQueries(load: ParsedLoad): Problem[] {
  return [
    ...load.bounds.flatMap((query) => problemsOf(query, load, 'a bound')),
    ...load.ready.flatMap((query) => problemsOf(query, load, '`ready`')),
  ];
}

function problemsOf(query: Statement, { definition }: ParsedLoad, what: string): Problem[] {
  const known = ['last_load_at', ...Object.keys(definition.params).map((name) => `params.${name}`)];
  const braces = query.braces.map(({ table, line, column }) =>
    problemAt(
      { file: query.file, line, column },
      `\`{{ ${table} }}\` cannot be read in ${what}: it is asked before the batch opens`,
      `Write \`${table}\`.`,
    ),
  );
  const parameters = query.parameters.flatMap(({ name, line, column }) => {
    if (known.includes(name)) return [];
    const message = ['batch_id', 'load_at', 'from', 'to'].includes(name)
      ? `\`:${name}\` is not known yet when ${what} is asked: the batch opens after that`
      : `unknown parameter \`:${name}\`${didYouMean(nearest(name, known)?.replace(/^/, ':'))}`;
    const next = `Known here: ${known.map((parameter) => `:${parameter}`).join(' ')}.`;
    return [problemAt({ file: query.file, line, column }, message, next)];
  });
  return [...braces, ...parameters];
}
