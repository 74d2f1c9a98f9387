import { crashTests } from './crash-tests.ts';
import { ACQUISITION } from './scenarios.ts';

await crashTests(ACQUISITION);
