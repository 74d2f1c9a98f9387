import { crashTests } from './crash-tests.ts';
import { DEAD_WRITER } from './rare-scenarios.ts';

await crashTests(DEAD_WRITER, 1);
