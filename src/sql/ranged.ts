import type { StageDefinition } from '../config/definition.ts';
import type { SqlDialect } from './dialect.ts';
import { parseStatements, type Statement } from './statement.ts';

/** The bounds of a chunk. */
export const RANGE_PARAMETERS = ['from', 'to'];

/** Which of `:from` and `:to` these statements use. */
export function usedBounds(statements: Statement[]): string[] {
  const used = new Set(statements.flatMap(({ parameters }) => parameters.map(({ name }) => name)));
  return RANGE_PARAMETERS.filter((name) => used.has(name));
}

/** Whether a task's range cuts this stage: its SQL uses the bounds. One that does not runs once. */
export function isRanged(stage: StageDefinition, dialect: SqlDialect): boolean {
  return usedBounds(stage.sql.flatMap((source) => parseStatements(source, dialect))).length > 0;
}
