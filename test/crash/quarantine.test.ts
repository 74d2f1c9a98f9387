import { crashTests } from './crash-tests.ts';
import { QUARANTINE } from './scenarios.ts';

await crashTests(QUARANTINE);
