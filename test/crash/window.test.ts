import { crashTests } from './crash-tests.ts';
import { WINDOW } from './rare-scenarios.ts';

await crashTests(WINDOW, 1);
