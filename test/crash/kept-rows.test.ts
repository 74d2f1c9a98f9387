import { crashTests } from './crash-tests.ts';
import { KEPT_ROWS } from './rare-scenarios.ts';

await crashTests(KEPT_ROWS, 1);
