import path from 'node:path';

import { QUERY_VERBS } from './parsed-load.ts';
import { problemAt, problemIn } from './parsed-load.ts';
import type { ParsedLoad } from './parsed-load.ts';
import type { TaskOutput } from './definition.ts';
import type { TaskFile } from './load-schema.ts';
import type { Problem } from './problem.ts';
import type { ProjectLoads } from './project-loads.ts';

const FORMATS: Record<string, TaskOutput['format']> = {
  '.csv': 'csv',
  '.jsonl': 'json lines',
  '.ndjson': 'json lines',
};

/** Where the rows of a task's query go; undefined: its SQL changes rows, and has none to show. */
export function outputOf({ method = 'exec', output = 'stdout' }: TaskFile): TaskOutput | undefined {
  if (method === 'exec') return undefined;
  const first = method === 'query_one';
  if (output === 'stdout') return { first, file: null, format: 'csv' };
  const file = path.posix.normalize(output.replaceAll('\\', '/'));
  return { first, file, format: FORMATS[path.extname(file).toLowerCase()] ?? 'csv' };
}

/** `method` and `output` of a task. */
export function checkOutput(load: ParsedLoad, project: ProjectLoads): Problem[] {
  const { definition, yaml, stages } = load;
  const { output } = definition;
  if (definition.kind !== 'task') return [];
  if (output === undefined) {
    if (yaml.scalar(['output']) === undefined) return [];
    const message = '`output` means nothing without `method: query` or `query_one`: nothing else has rows to show';
    return [problemIn(yaml, ['output'], message, 'Add that, or leave it out.', true)];
  }
  const problems: Problem[] = [];
  const refuse = (key: string, message: string, next?: string): void => {
    problems.push(problemIn(yaml, [key], message, next));
  };
  if (yaml.scalar(['sql']) === undefined && stages.length !== 1) {
    refuse('method', 'a query has one stage, whose last statement gives the rows', 'Write `sql`.');
  }
  const last = stages.at(-1)?.statements.at(-1);
  if (last !== undefined && !QUERY_VERBS.includes(last.verb)) {
    problems.push(
      problemAt(last, `the last statement gives the rows, and this is \`${last.verb}\``, 'End with a query.'),
    );
  }
  if (definition.onBadRow === 'quarantine') {
    refuse('on_bad_row', 'a query cannot set rows aside: their place among the others would be lost', 'Leave it out.');
  }
  const { file } = output;
  if (file === null) return problems;
  if (FORMATS[path.extname(file).toLowerCase()] === undefined) {
    refuse('output', '`output` must be `stdout`, or a file that ends in .csv, .jsonl or .ndjson');
  }
  if (path.isAbsolute(file) || file === '..' || file.startsWith('../')) {
    refuse('output', `\`${file}\` is outside the project's folder`, 'Name a file inside it, such as out/vehicles.csv.');
  }
  const first = project.loads.find(({ definition: other }) => other.output?.file === file)?.definition;
  if (first !== undefined && first.name !== definition.name) {
    refuse('output', `\`${file}\` is written by \`${first.name}\` too`, 'Give each task a file of its own.');
  }
  return problems;
}
