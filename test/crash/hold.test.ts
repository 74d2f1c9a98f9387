import { crashTests } from './crash-tests.ts';
import { HOLD } from './scenarios.ts';

await crashTests(HOLD);
