import { crashTests } from './crash-tests.ts';
import { CREATED } from './scenarios.ts';

await crashTests(CREATED);
