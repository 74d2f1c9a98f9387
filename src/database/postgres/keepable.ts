import type { ColumnFacts } from '../dialect.ts';
import { beyondBits, beyondDigits } from '../numbers-kept.ts';
import type { ValueShape } from '../value-shape.ts';
import { quoteName } from './names.ts';
import { shapeOf, hasLongNumbers } from './values.ts';

/** See `CopyDialect.keepable`. NaN is greater than infinity, and both are greater than every number. */
export function keepable(column: ColumnFacts, into: ValueShape): string | undefined {
  const name = quoteName(column.name);
  const shape = shapeOf(column);
  if (into.kind === 'text') return undefined;
  switch (shape.kind) {
    case 'float':
      return into.ordinary ? `abs(${name}) < 'Infinity'` : undefined;
    case 'whole number':
      return beyondBits(name, shape, into);
    case 'decimal': {
      // A numeric of any number of digits may be NaN, and no whole number is.
      const finite = into.ordinary || into.kind === 'whole number' ? [`abs(${name}) < 'Infinity'`] : [];
      const digits = beyondDigits(name, shape, into);
      return [...finite, ...(digits === undefined ? [] : [digits])].join(' and ') || undefined;
    }
    case 'date':
    case 'timestamp':
    case 'instant': {
      if (!into.ordinary) return undefined;
      // The year is that of UTC, in which it travels, whatever the role's zone.
      // `instant` of that family is its `timestamp`, whose seconds are counted from 1970 in 31 bits.
      return into.kind === 'instant'
        ? `${name} > '1970-01-01 00:00:00+00' and ${name} < '2038-01-19 03:14:08+00'`
        : `isfinite(${name}) and extract(year from ${shape.kind === 'instant' ? `(${name} at time zone 'UTC')` : name}) between 1 and 9999`;
    }
    case 'json':
      return into.floats ? `not (${hasLongNumbers(name)})` : undefined;
    default:
      return undefined;
  }
}
