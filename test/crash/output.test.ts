import { crashTests } from './crash-tests.ts';
import { OUTPUT } from './rare-scenarios.ts';

await crashTests(OUTPUT, 1);
