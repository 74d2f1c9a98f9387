import { someCrashTests } from './crash-tests.ts';
import { CONSISTENT, FINISH, QUERY, SERVICES_REDO, SKIPPED_STEPS, TASK_OUTPUTS } from './rare-scenarios.ts';
import { QUARANTINED_PAGES } from './scenarios.ts';
import { CANCELLED, FORCED_RELOAD, HELD_ANEW, RENAMED } from './steered-scenarios.ts';

await someCrashTests(
  [
    ...[CANCELLED, FORCED_RELOAD, HELD_ANEW, RENAMED, CONSISTENT, QUERY, QUARANTINED_PAGES],
    ...[FINISH, SKIPPED_STEPS, SERVICES_REDO, TASK_OUTPUTS],
  ],
  2,
);
