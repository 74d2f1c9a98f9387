import { crashTests } from './crash-tests.ts';
import { ROLL_BACK } from './scenarios.ts';

await crashTests(ROLL_BACK);
