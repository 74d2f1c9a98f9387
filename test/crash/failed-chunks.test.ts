import { crashTests } from './crash-tests.ts';
import { FAILED_CHUNKS } from './scenarios.ts';

await crashTests(FAILED_CHUNKS);
