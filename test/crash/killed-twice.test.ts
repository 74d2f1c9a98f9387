import { allScenarios } from './all-scenarios.ts';
import { killedTwiceTests } from './killed-twice.ts';

await killedTwiceTests([...allScenarios.values()], 3);
