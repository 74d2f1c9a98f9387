import { nearest } from '../sql/names.ts';
import { RANGE_PARAMETERS } from '../sql/ranged.ts';
import type { Statement } from '../sql/statement.ts';
import { isGiven } from './check-range.ts';
import { problemAt } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { Problem } from './problem.ts';

/** The parameters that every statement of a load may use, besides `:params.name`. */
export const BATCH_PARAMETERS = ['batch_id', 'load_at', 'last_load_at'];

/** Every `:name` is known where it stands. */
export function checkParameterNames(load: ParsedLoad): Problem[] {
  const known = [...BATCH_PARAMETERS, ...Object.keys(load.definition.params).map((name) => `params.${name}`)];
  const task = load.definition.kind === 'task';
  const hasRange = task && isGiven(load.yaml, 'range');
  const check = (statements: Statement[], withRange: boolean): Problem[] =>
    statements.flatMap((statement) =>
      statement.parameters.flatMap(({ name, line, column }) => {
        if (known.includes(name) || (withRange && RANGE_PARAMETERS.includes(name))) return [];
        const place = { file: statement.file, line, column };
        if (RANGE_PARAMETERS.includes(name)) {
          const message = task
            ? `\`:${name}\` is a bound of a range, and only stages of a task with \`range\` have bounds`
            : `\`:${name}\` is a bound of a chunk, and only a stage with \`chunk.key\` of one column has bounds`;
          const next = hasRange
            ? 'Leave it out.'
            : task
              ? 'Write `range:`, or leave it out.'
              : 'Leave it out: `{{ table }}` is cut to the chunk already.';
          return [problemAt(place, message, next)];
        }
        const close = nearest(name, known);
        const hint = close === undefined ? '' : `: did you mean \`:${close}\`?`;
        const next = `Known here: ${known.map((parameter) => `:${parameter}`).join(' ')}. Others stand under \`params:\`.`;
        return [problemAt(place, `unknown parameter \`:${name}\`${hint}`, next)];
      }),
    );
  return [
    ...load.stages.flatMap(({ statements, chunk }) => check(statements, hasRange || chunk?.key?.length === 1)),
    ...check([...load.before, ...load.checks, ...load.after, ...load.onError], false),
  ];
}
