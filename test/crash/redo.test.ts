import { crashTests } from './crash-tests.ts';
import { REDO } from './scenarios.ts';

await crashTests(REDO);
