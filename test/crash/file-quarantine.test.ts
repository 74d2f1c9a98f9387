import { crashTests } from './crash-tests.ts';
import { FILE_QUARANTINE } from './scenarios.ts';

await crashTests(FILE_QUARANTINE);
