import { crashTests } from './crash-tests.ts';
import { CORE_LOAD } from './scenarios.ts';

await crashTests(CORE_LOAD);
