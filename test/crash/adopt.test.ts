import { crashTests } from './crash-tests.ts';
import { ADOPT } from './rare-scenarios.ts';

await crashTests(ADOPT, 1);
