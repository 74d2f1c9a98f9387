import { crashTests } from './crash-tests.ts';
import { RESUME } from './scenarios.ts';

await crashTests(RESUME);
