import { crashTests } from './crash-tests.ts';
import { CONTINUED_TASK, FAILING_TASK } from './scenarios.ts';

await crashTests(FAILING_TASK);
await crashTests(CONTINUED_TASK);
