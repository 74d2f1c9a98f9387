import type { LoadDefinition } from './definition.ts';

/** What it did stays, whatever becomes of the batch: nothing says which rows those were. The next one does what is left. */
export const keepsItsWork = ({ kind, outputs }: Pick<LoadDefinition, 'kind' | 'outputs'>): boolean =>
  kind === 'task' && outputs.length === 0;
