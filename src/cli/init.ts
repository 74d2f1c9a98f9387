import path from 'node:path';
import { Option } from 'commander';
import { EXIT } from '../errors.ts';
import type { AddCommand } from './cli.ts';
import { DEV_SERVER_KINDS, type DevServerKind } from './dev-server-kind.ts';
import { howToCall, howToGo } from './how-to-call.ts';
import { newProject } from './scaffold.ts';
import { UsageError } from './usage-error.ts';
import { writeProject } from './write-project.ts';

export const addInit: AddCommand = (program, cli, done) => {
  program
    .command('init')
    .description('write a small project that works: an acquisition, a core and a services load, tables, sample rows')
    .argument('[dir]', 'the folder of the new project (default: this one)')
    .addOption(
      new Option('--on <server>', 'write its tables for this one').choices(DEV_SERVER_KINDS).default('postgres'),
    )
    .action(async (dir: string | undefined, { on }: { on: DevServerKind }) => {
      const { project } = cli.options;
      if (dir !== undefined && project !== undefined) {
        throw new UsageError(`the folder is given twice: ${dir}, and --project ${project}`, {
          next: 'give one of them',
        });
      }
      const { cwd } = cli.io;
      const folder = path.resolve(cwd, dir ?? project ?? '.');
      const files = await writeProject(folder, await newProject(folder, on), 'waybill init DIR');
      cli.document({ directory: folder, files });
      cli.say(madeProject(folder, howToGo(folder, cwd), files, howToCall(folder, cli.io)));
      done(EXIT.done);
    });
};

function madeProject(folder: string, go: string[], files: string[], waybill: string): string {
  return [
    `A new project is in ${folder}:`,
    ...files.map((file) => `  ${file}`),
    'It needs no database of yours yet:',
    ...go,
    `  ${waybill} validate --scratch  # files, tables, columns, SQL`,
    `  ${waybill} dev --run nightly   # starts everything, loads the sample rows, stops everything`,
  ].join('\n');
}
