/** Set-up of every file of tests: which failure may have a second try, where there are any (`retry` of vitest.config.ts). */
import { beforeEach } from 'vitest';
import { cameTooLate } from './came-too-late.ts';

beforeEach(({ task }) => {
  const everyErrorIsLate = (): boolean => (task.result?.errors ?? []).every(cameTooLate);
  // vitest asks the condition of the last error alone: behind a wrong value that is often a hook that waited in vain. A function
  // cannot stand in its configuration.
  if (task.retry) Object.assign(task, { retry: { count: 1, condition: everyErrorIsLate } });
});
