import { killedTwiceTests } from './killed-twice.ts';
import * as rare from './rare-scenarios.ts';
import * as scenarios from './scenarios.ts';
import * as steered from './steered-scenarios.ts';

const all = Object.values({ ...scenarios, ...rare, ...steered }).filter((one) => typeof one !== 'string');

await killedTwiceTests(all, 3);
