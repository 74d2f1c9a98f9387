import { crashTests } from './crash-tests.ts';
import { FILES } from './scenarios.ts';

await crashTests(FILES);
