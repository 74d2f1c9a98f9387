import { crashTests } from './crash-tests.ts';
import { CONTINUED } from './scenarios.ts';

await crashTests(CONTINUED);
