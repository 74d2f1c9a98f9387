import { lastingKey } from '../sql/row-key.ts';
import type { LoadDefinition } from './definition.ts';
import type { TableDescription } from './table-requirements.ts';

/**
 * Why bad rows of an acquisition's source could not be told apart, and the ways out; undefined: they can, or need not. A bad row is
 * found by halving what the source is cut by. Of a query the files say whether it is.
 */
export function nothingHalves(
  { onBadRow, from }: LoadDefinition,
  source: Pick<TableDescription, 'columns' | 'indexes'>,
): { message: string; next: string } | undefined {
  if (onBadRow !== 'quarantine' || from?.table === undefined) return undefined;
  if (from.cursor !== undefined || from.range !== undefined || lastingKey(source).length > 0) return undefined;
  return {
    message: `\`on_bad_row: quarantine\` cannot tell rows apart: \`${from.table}\` has no primary key and no unique index without NULLs`,
    next: 'Give it one, name `cursor` or `range` in `from`, or leave `on_bad_row` out.',
  };
}
