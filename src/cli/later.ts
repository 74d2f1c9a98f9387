import type { AddCommand } from './cli.ts';
import { notYet } from './usage-error.ts';

/** Commands of the contract that later versions bring: known by name, so that nobody takes them for a typo. */
const LATER = ['doctor', 'watch', 'history', 'report', 'retract', 'gc', 'test', 'schedule'];

export const addLaterCommands: AddCommand = (program) => {
  for (const name of LATER) {
    program
      .command(name, { hidden: true })
      .argument('[anything...]')
      .allowUnknownOption()
      .helpOption(false)
      .action(() => {
        throw notYet(`waybill ${name}`);
      });
  }
};
