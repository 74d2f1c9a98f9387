import type { SqlDialect } from '../sql/dialect.ts';
import { SqlError } from '../sql/sql-error.ts';
import { parseStatements } from '../sql/statement.ts';
import type { SqlPlace, Statement } from '../sql/statement.ts';
import type { LoadDefinition, SqlSource, StageDefinition } from './definition.ts';
import type { Problem } from './problem.ts';
import { boundQueries } from './ranges.ts';
import type { ValuePath, YamlFile } from './yaml-file.ts';

/** A stage and its statements. */
export interface ParsedStage extends StageDefinition {
  /** Position in `stages:`. */
  index: number;
  statements: Statement[];
}

/** A load whose SQL has been read: what the checks of `check-*.ts` look at. */
export interface ParsedLoad {
  definition: LoadDefinition;
  yaml: YamlFile;
  before: Statement[];
  stages: ParsedStage[];
  checks: Statement[];
  after: Statement[];
  /** `from.sql` of an acquisition, in the dialect of its source. */
  source: Statement[];
  onError: Statement[];
  /** The queries of a task's range. */
  bounds: Statement[];
  /** The queries that say whether an input is ready. */
  ready: Statement[];
  /** Some of its SQL could not be read: "nothing uses this" cannot be said of it. */
  incomplete: boolean;
}

/** Reads the SQL of a load. What cannot be read, or may not be sent, goes to `problems` with its place in the SQL. */
export function parseLoad(
  definition: LoadDefinition,
  yaml: YamlFile,
  dialect: SqlDialect,
  sourceDialect: SqlDialect,
  problems: Problem[],
): ParsedLoad {
  const before = problems.length;
  const parse = (source: SqlSource): Statement[] => statementsOf(source, dialect, 'batch', problems);
  const parseStep = (source: SqlSource): Statement[] => statementsOf(source, dialect, 'step', problems);
  const stages = definition.stages.map((stage, index) => ({ ...stage, index, statements: stage.sql.flatMap(parse) }));
  const checks = definition.checks.flatMap(({ sql }) => onlyQuery(sql, dialect, 'a check', problems));
  return {
    definition,
    yaml,
    before: definition.before.flatMap(parseStep),
    stages,
    checks,
    after: definition.after.flatMap(parseStep),
    source: definition.from?.sql ? statementsOf(definition.from.sql, sourceDialect, 'batch', problems) : [],
    onError: definition.onError.flatMap(parseStep),
    bounds: boundQueries(definition).flatMap((source) => onlyQuery(source, dialect, 'a bound', problems)),
    ready: definition.inputs.flatMap(({ ready }) =>
      ready === undefined ? [] : onlyQuery(ready, dialect, '`ready`', problems),
    ),
    incomplete: problems.length > before,
  };
}

/** The one query of a check or a bound. */
function onlyQuery(source: SqlSource, dialect: SqlDialect, what: string, problems: Problem[]): Statement[] {
  const statements = statementsOf(source, dialect, 'batch', problems);
  const [query, second] = statements;
  if (second !== undefined) problems.push(problemAt(second, `${what} is exactly one query, and this is a second`));
  if (query !== undefined && !QUERY_VERBS.includes(query.verb)) {
    problems.push(problemAt(query, `${what} is a query, and this is \`${query.verb}\``, 'Begin with `select`.'));
  }
  return statements;
}

/** What begins a query. */
export const QUERY_VERBS = ['select', 'with', 'values', 'table', 'show'];

function statementsOf(source: SqlSource, dialect: SqlDialect, place: SqlPlace, problems: Problem[]): Statement[] {
  try {
    const statements = parseStatements(source, dialect, place);
    if (statements.length === 0) problems.push(problemAt(source, 'there is no SQL statement here'));
    return statements;
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    const [line, column] = (error.where ?? '').split(':').slice(-2).map(Number);
    problems.push(
      problemAt({ file: source.file, line: line || source.line, column: column || 1 }, error.message, error.next),
    );
    return [];
  }
}

/** A problem at a place in SQL. */
export function problemAt(
  place: { file: string; line: number; column: number },
  message: string,
  next?: string,
  severity: Problem['severity'] = 'error',
): Problem {
  const { file, line, column } = place;
  return { file, line, column, message, ...(next !== undefined && { next }), severity };
}

/** A problem at a key or value of a load's file. */
export function problemIn(yaml: YamlFile, at: ValuePath, message: string, next?: string, key = false): Problem {
  return problemAt(yaml.place(at, key ? 'key' : 'value'), message, next);
}

/** ": did you mean `x`?", or nothing. */
export function didYouMean(close: string | undefined): string {
  return close === undefined ? '' : `: did you mean \`${close}\`?`;
}
