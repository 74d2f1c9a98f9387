import { lastingKey } from '../sql/row-key.ts';
import type { LoadDefinition } from './definition.ts';
import type { TableDescription } from './table-requirements.ts';

type Source = Pick<TableDescription, 'columns' | 'indexes'>;

/** Whether an acquisition's source is one chunk, for it has no values to cut it by. Of a query the files say. */
export const nothingCuts = ({ from }: LoadDefinition, source: Source): boolean =>
  from?.table !== undefined && from.cursor === undefined && from.range === undefined && lastingKey(source).length === 0;

/**
 * Why bad rows of an acquisition's source could not be told apart, and the ways out; undefined: they can, or need not. A bad row is
 * found by halving what the source is cut by. Of a query the files say whether it is.
 */
export function nothingHalves(load: LoadDefinition, source: Source): { message: string; next: string } | undefined {
  if (load.onBadRow !== 'quarantine' || !nothingCuts(load, source)) return undefined;
  return {
    message: `\`on_bad_row: quarantine\` cannot tell rows apart: \`${load.from!.table!}\` has no primary key and no unique index without NULLs`,
    next: 'Give it one, name `cursor` or `range` in `from`, or leave `on_bad_row` out.',
  };
}
