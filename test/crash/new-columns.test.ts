import { crashTests } from './crash-tests.ts';
import { NEW_COLUMNS } from './rare-scenarios.ts';

await crashTests(NEW_COLUMNS, 1);
