import { usedBounds } from '../sql/ranged.ts';
import { writingVerb } from '../sql/writing-verb.ts';
import { valueAt } from './describe-issue.ts';
import { problemAt, problemIn } from './parsed-load.ts';
import type { ParsedLoad, ParsedStage } from './parsed-load.ts';
import type { Problem } from './problem.ts';
import type { ValuePath, YamlFile } from './yaml-file.ts';

/**
 * What a task says fits its SQL: what is cut uses both bounds, nothing is done once a range that should be done once, and steps
 * alone have neither ranges nor outputs.
 */
export function checkRange(load: ParsedLoad): Problem[] {
  const { definition, yaml, stages, incomplete } = load;
  if (definition.kind !== 'task') return [];
  const problems: Problem[] = [];
  const hasRange = isGiven(load.yaml, 'range');
  const ranged = stages.filter(({ statements }) => usedBounds(statements).length > 0);
  for (const stage of stages) {
    if (stage.lanes === undefined || (hasRange && ranged.includes(stage))) continue;
    const message = '`lanes` means nothing in a stage without `:from` and `:to`: it runs once';
    problems.push(problemIn(yaml, ['stages', stage.index, 'lanes'], message, 'Leave it out.', true));
  }
  if ('percent' in definition.maxRejected) {
    const message = 'a task does not know how many rows it reads: `max_rejected` cannot be a share of them';
    problems.push(problemIn(yaml, ['max_rejected'], message, 'Write a number.'));
  }
  if (stages.length === 0 && !incomplete && definition.outputs.length > 0) {
    const message = '`outputs` means nothing without `sql` or `stages`: what steps write is not taken back';
    problems.push(problemIn(yaml, ['outputs'], message, 'Leave it out, or write what fills them as `sql`.', true));
  }
  if (!hasRange) return problems;
  problems.push(...ranged.flatMap((stage) => halfCut(stage, load)));
  if (ranged.length > 0 || incomplete) return problems;
  if (stages.length === 0) {
    const message = '`range` means nothing without `sql` or `stages`: steps run once';
    return [...problems, problemIn(yaml, ['range'], message, 'Leave it out.', true)];
  }
  const several = isGiven(load.yaml, 'stages');
  const message = several
    ? 'no stage uses `:from` and `:to`: nothing goes over this range'
    : '`sql` does not use `:from` and `:to`: it would do everything once a range';
  const next = 'Write `where id >= :from and id < :to`, or leave `range` out.';
  return [...problems, problemIn(yaml, several ? ['range'] : ['sql'], message, next, true)];
}

/** Whether the file has this key, be its value right or wrong. */
export const isGiven = (yaml: YamlFile, key: string): boolean => valueAt(yaml.value, [key]) !== undefined;

/** One bound of two is a slip; and what changes rows without them does so in every range. */
function halfCut({ name, index, statements }: ParsedStage, load: ParsedLoad): Problem[] {
  const used = usedBounds(statements);
  if (used.length === 1) {
    const [has, lacks] = used[0] === 'from' ? ['from', 'to'] : ['to', 'from'];
    const at: ValuePath = isGiven(load.yaml, 'stages') ? ['stages', index, 'sql'] : ['sql'];
    const message = `stage \`${name}\` uses \`:${has}\` and not \`:${lacks}\`: its ranges would overlap`;
    return [problemIn(load.yaml, at, message, 'Write `where id >= :from and id < :to`.')];
  }
  const makes = statements.findIndex(({ verb }) => verb === 'create');
  return statements.flatMap((statement, i) => {
    const verb = writingVerb(statement);
    if (verb === undefined || (makes >= 0 && makes < i) || usedBounds([statement]).length > 0) return [];
    const message = `this \`${verb}\` does not use \`:from\` and \`:to\`: it does the same in every range`;
    return [problemAt(statement, message, 'Make it a stage of its own, which runs once.', 'warn')];
  });
}
