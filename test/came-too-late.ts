/** An error as a test ends with it, in this process or told by another one. */
interface Failure {
  name?: string | undefined;
  message?: string | undefined;
  code?: unknown;
  cause?: unknown;
}

/** What vitest and we say where something did not come in time; each from its first character: a value may hold the same words. */
const TOO_LATE = [
  /^(?:Test|Hook) timed out in /,
  /^nothing came of it within /,
  /^not done within /,
  /^no COMMIT came that was to be /,
  // A crash point: what looks for somebody in the way, or connects anew, is sent as the moment has it.
  /^the run never came to: /,
  /^(?:never got the locks|the locks were never to be had)$/,
];

/** The cause of what `expect.poll` ends with. */
const POLLED_IN_VAIN = 'Matcher did not succeed in time.';

/** What clients say of a server that starts, or has too much to do. */
const NO_ANSWER = [
  /^the database system is (?:starting up|not yet accepting connections)/,
  /^timeout exceeded when trying to connect/, // pg's pool
  /^Connection terminated due to connection timeout/,
  /^(?:4 DEADLINE_EXCEEDED|14 UNAVAILABLE)\b/, // Temporal's
  /^Failed to connect before the deadline/,
];

const CODES: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ETIMEDOUT']);

/**
 * Whether a test failed for want of time, so that a second try says something. Never of a wrong value: a row that is lost one time in
 * two is lost.
 */
export function cameTooLate({ name, message = '', code, cause }: Failure): boolean {
  const because = (cause ?? {}) as Failure;
  if (name === 'AssertionError') return because.message === POLLED_IN_VAIN;
  if (name === 'UnreachableError' || CODES.has(code)) return true;
  if ([...TOO_LATE, ...NO_ANSWER].some((words) => words.test(message))) return true;
  return cause !== undefined && cause !== null && cameTooLate(because);
}
