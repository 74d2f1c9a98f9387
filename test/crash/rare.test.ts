import { someCrashTests } from './crash-tests.ts';
import { CONSISTENT, QUERY } from './rare-scenarios.ts';
import { QUARANTINED_PAGES } from './scenarios.ts';
import { CANCELLED, FORCED_RELOAD, HELD_ANEW, RENAMED } from './steered-scenarios.ts';

await someCrashTests([CANCELLED, FORCED_RELOAD, HELD_ANEW, RENAMED, CONSISTENT, QUERY, QUARANTINED_PAGES], 2);
