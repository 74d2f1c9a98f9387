import type { AddCommand } from './cli.ts';
export const addDev: AddCommand = (program, cli) => {
  program.command('dev').action(() => void cli);
};
