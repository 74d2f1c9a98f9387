import type { ColumnFacts } from '../dialect.ts';

/**
 * See `Dialect.comparedAs`. Whatever orders texts, equal are the same ones alone, but to collations that are not deterministic. A number is
 * compared with a double as one.
 */
export function comparedAs({ castType: own, base, nondeterministic, collation }: ColumnFacts): string {
  const castType = base?.castType ?? own;
  if (nondeterministic) return `text ${collation} ${castType === 'character' ? castType : ''}`;
  if (/^(smallint|integer|bigint|numeric)$/.test(castType)) return 'number';
  if (/^(text|character varying|name)$/.test(castType)) return 'text';
  if (/^(real|double precision)$/.test(castType)) return 'double';
  return castType === 'timestamp without time zone' ? 'date' : castType;
}
