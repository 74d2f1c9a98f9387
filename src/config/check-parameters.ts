import { nearest } from '../sql/names.ts';
import type { Statement } from '../sql/statement.ts';
import { problemAt } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';

/** The parameters that every statement of a load may use, besides `:params.name`. */
export const BATCH_PARAMETERS = ['batch_id', 'load_at', 'last_load_at'];

/** The bounds of a chunk: of a stage that is cut by the values of one column. */
export const RANGE_PARAMETERS = ['from', 'to'];

/** Every `:name` is known where it stands. */
export function checkParameterNames(load: ParsedLoad): Problem[] {
  const known = [...BATCH_PARAMETERS, ...Object.keys(load.definition.params).map((name) => `params.${name}`)];
  const check = (statements: Statement[], withRange: boolean): Problem[] =>
    statements.flatMap((statement) =>
      statement.parameters.flatMap(({ name, line, column }) => {
        if (known.includes(name) || (withRange && RANGE_PARAMETERS.includes(name))) return [];
        const place = { file: statement.file, line, column };
        if (RANGE_PARAMETERS.includes(name)) {
          const message = `\`:${name}\` is a bound of a chunk, and only a stage with \`chunk.key\` of one column has bounds`;
          return [problemAt(place, message, 'Leave it out: `{{ table }}` is cut to the chunk already.')];
        }
        const close = nearest(name, known);
        const hint = close === undefined ? '' : `: did you mean \`:${close}\`?`;
        const next = `Known here: ${known.map((parameter) => `:${parameter}`).join(' ')}. Others stand under \`params:\`.`;
        return [problemAt(place, `unknown parameter \`:${name}\`${hint}`, next)];
      }),
    );
  return [
    ...load.stages.flatMap(({ statements, chunk }) => check(statements, chunk?.key?.length === 1)),
    ...check([...load.before, ...load.checks, ...load.after], false),
  ];
}
