import { steerCommand } from './steer-command.ts';
import type { AddCommand } from './cli.ts';

export const addResume: AddCommand = (program, cli, done) => {
  program
    .command('resume')
    .description('let a paused load go on (one that is held goes on with: run NAME --resume)')
    .argument('<name>', 'a load')
    .action(steerCommand(cli, done, (waybill, name: string) => waybill.resume(name)));
};
