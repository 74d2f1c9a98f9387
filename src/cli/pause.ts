import { steerCommand } from './steer-command.ts';
import type { AddCommand } from './cli.ts';

export const addPause: AddCommand = (program, cli, done) => {
  program
    .command('pause')
    .description('let a running load stop after the chunks that it is at, until `resume`')
    .argument('<name>', 'a load')
    .action(steerCommand(cli, done, (waybill, name: string) => waybill.pause(name)));
};
