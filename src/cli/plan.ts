import type { AddCommand } from './cli.ts';
export const addPlan: AddCommand = (program, cli) => {
  program.command('plan').action(() => void cli);
};
