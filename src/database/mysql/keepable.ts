import type { ColumnFacts } from '../dialect.ts';
import type { ValueShape } from '../value-shape.ts';
import { beyondBits, beyondDigits } from '../numbers-kept.ts';
import { quoteName } from './names.ts';
import { losesBytes } from './unmapped.ts';
import { hasLongNumbers, shapeOf } from './values.ts';

/** See `CopyDialect.keepable`. A date that is none (`0000-00-00`, `2026-02-31`) has a month or a day that no calendar has. */
export function keepable(column: ColumnFacts, into: ValueShape): string | undefined {
  const name = quoteName(column.name);
  const shape = shapeOf(column);
  if (shape.kind === 'one of a list' || shape.kind === 'some of a list') return hasCharacters(column, name)[0];
  if (into.kind === 'text' || into.kind === 'own')
    return shape.kind === 'text' ? wholeText(column, name, into) : undefined;
  switch (shape.kind) {
    case 'date':
    case 'timestamp':
    case 'instant':
      return `year(${name}) > 0 and month(${name}) > 0 and day(${name}) between 1 and day(last_day(${name}))`;
    case 'time':
      return into.kind === 'time' && !into.ordinary ? `${name} between '00:00:00' and '24:00:00'` : undefined;
    case 'whole number':
      return into.kind === 'boolean' ? `${name} in (0, 1)` : beyondBits(name, shape, into);
    case 'decimal':
      return beyondDigits(name, shape, into);
    case 'json':
      return into.floats ? `not (${hasLongNumbers(name)})` : undefined;
    default:
      return undefined;
  }
}

/** No text of PostgreSQL has a character 0; those of this family do. */
function wholeText(column: ColumnFacts, name: string, { ordinary }: ValueShape): string | undefined {
  const conditions = [
    ...(ordinary ? [] : [`instr(cast(${name} as binary), 0x00) = 0`]),
    ...hasCharacters(column, name),
  ];
  return conditions.length > 0 ? conditions.join(' and ') : undefined;
}

const hasCharacters = ({ unmapped }: ColumnFacts, name: string): string[] =>
  unmapped ? [`not (${losesBytes(name)})`] : [];
