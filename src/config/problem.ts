import { ConfigurationError } from '../errors.ts';
import { hideUserInfo } from './hide-credentials.ts';

/** A spot in a file of the project: path relative to the project folder, 1-based line and column. */
export interface Place {
  file: string;
  line: number;
  column: number;
}

/** One thing that is wrong (`error`) or looks wrong (`warn`) in a project's files or databases. */
export interface Problem extends Place {
  message: string;
  /** What to do about it, as a sentence. */
  next?: string;
  severity: 'error' | 'warn';
}

/** `loads/core/flight.yaml:3:1`. */
export function formatPlace(place: Place): string {
  return `${place.file}:${place.line}:${place.column}`;
}

/** `loads/core/flight.yaml:3:1: what is wrong`, without the advice of `next`. */
export function formatProblem(problem: Problem): string {
  return `${formatPlace(problem)}: ${problem.message}`;
}

/** The problems in reading order (file, line, column), each once. */
export function sortProblems(problems: Problem[]): Problem[] {
  const safe = problems.map((problem) => ({ ...problem, message: hideUserInfo(problem.message) }));
  const unique = new Map(safe.map((problem) => [formatProblem(problem), problem]));
  return [...unique.values()].sort(
    (a, b) =>
      (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) ||
      a.line - b.line ||
      a.column - b.column ||
      (a.message < b.message ? -1 : 1),
  );
}

/**
 * The files of a project are wrong. Carries every problem that was found, in reading order; `message` lists them all,
 * `where` is the place of the first error. No message ever holds a connection's URL or password.
 */
export class ProjectError extends ConfigurationError {
  readonly problems: Problem[];

  constructor(problems: Problem[]) {
    const sorted = sortProblems(problems);
    const first = sorted.find(({ severity }) => severity === 'error') ?? sorted[0];
    super(summary(sorted), { where: first && formatPlace(first), next: sorted.length === 1 ? first?.next : undefined });
    this.problems = sorted;
  }
}

function summary(problems: Problem[]): string {
  const [first] = problems;
  if (first !== undefined && problems.length === 1) return first.message;
  const lines = problems.map(
    ({ severity, message, next, ...place }) =>
      `  ${formatPlace(place)}: ${severity === 'warn' ? 'warning: ' : ''}${message}${next === undefined ? '' : `\n    ${next}`}`,
  );
  return `the project has ${problems.length} problems:\n${lines.join('\n')}`;
}
