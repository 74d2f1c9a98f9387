import { crashTests } from './crash-tests.ts';
import { FORCED } from './rare-scenarios.ts';

await crashTests(FORCED, 1);
