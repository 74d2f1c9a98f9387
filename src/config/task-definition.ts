import { rangeOf } from './range-definition.ts';
import { readOutputs, readTables } from './read-table.ts';
import type { StageDefinition } from './definition.ts';
import type { LoadBuild, Parts } from './load-definition.ts';
import type { TaskFile } from './load-schema.ts';
import { readSqlList } from './sql-source.ts';
import { outputOf } from './task-output.ts';

/** The stage of a task that has `sql` and no `stages`. */
export const ONLY_STAGE = 'task';

export function taskParts(file: TaskFile, build: LoadBuild): Parts {
  const { connection } = file;
  const range = file.range && rangeOf(file.range, connection, build);
  const output = outputOf(file);
  return {
    inputs: [],
    consumes: [],
    reads: readTables(file.reads ?? [], 'reads', connection, build),
    outputs: readOutputs(file.outputs ?? [], connection, build),
    stages: stagesOf(file, build),
    chunkRows: build.settings.defaults.chunkRows,
    ...(range !== undefined && { range }),
    ...(output !== undefined && { output }),
  };
}

function stagesOf(file: TaskFile, { yaml, folder, problems }: LoadBuild): StageDefinition[] {
  if (file.sql !== undefined && file.stages !== undefined) {
    const message = '`sql` and `stages` do not go together: `sql` is the one stage of a task';
    problems.push({ ...yaml.place(['sql'], 'key'), message, next: 'Make it a stage.', severity: 'error' });
  }
  if (file.sql !== undefined) {
    return [{ name: ONLY_STAGE, sql: readSqlList(yaml, ['sql'], file.sql, folder, problems) }];
  }
  if (file.stages === undefined && file.before === undefined) {
    const next =
      'Write `sql:`, or `stages:` where there is more than one; or `before:` alone, for what commits by itself.';
    problems.push({ ...yaml.place([]), message: 'a task needs `sql`, `stages` or `before`', next, severity: 'error' });
  }
  return (file.stages ?? []).map(({ name, sql, lanes }, index) => ({
    name,
    sql: readSqlList(yaml, ['stages', index, 'sql'], sql, folder, problems),
    ...(lanes !== undefined && { lanes }),
  }));
}
