import { steerCommand } from './steer-command.ts';
import { UsageError } from './usage-error.ts';
import type { AddCommand } from './cli.ts';

/** As many as a load takes (src/workflows/steering.ts). */
const MOST_LANES = 64;

export const addLanes: AddCommand = (program, cli, done) => {
  program
    .command('lanes')
    .description('change how many chunks of a running load run at once; the next run has its own number again')
    .argument('<name>', 'a load')
    .argument('<n>', `1 to ${MOST_LANES}`, lanesOf)
    .action(steerCommand(cli, done, (waybill, name: string, lanes: number) => waybill.lanes(name, lanes)));
};

function lanesOf(text: string): number {
  const lanes = Number(text);
  if (Number.isInteger(lanes) && lanes >= 1 && lanes <= MOST_LANES) return lanes;
  throw new UsageError(`${text} is no number of lanes`, { next: `give a whole number from 1 to ${MOST_LANES}` });
}
