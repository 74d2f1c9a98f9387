/** Every scenario by its name in the code, from whichever file. */
import * as leftover from './leftover-scenarios.ts';
import * as rare from './rare-scenarios.ts';
import * as scenarios from './scenarios.ts';
import * as steered from './steered-scenarios.ts';

const exported: Record<string, unknown> = { ...scenarios, ...rare, ...steered, ...leftover };

const isScenario = (entry: [string, unknown]): entry is [string, scenarios.Scenario] =>
  typeof entry[1] === 'object' && entry[1] !== null && 'activities' in entry[1];

export const allScenarios = new Map(Object.entries(exported).filter(isScenario));
