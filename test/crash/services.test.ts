import { crashTests } from './crash-tests.ts';
import { SERVICES } from './scenarios.ts';

await crashTests(SERVICES);
