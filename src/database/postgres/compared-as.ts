import type { ColumnFacts } from '../dialect.ts';

/**
 * See `Dialect.comparedAs`. Whatever orders texts, equal are the same ones alone, but to collations that are not deterministic. A number is
 * compared with a double as one.
 */
export function comparedAs(column: ColumnFacts): string {
  const castType = castTypeOf(column);
  const { nondeterministic, collation } = column;
  if (nondeterministic) return `text ${collation} ${/^(bpchar|character)$/.test(castType) ? 'character' : ''}`;
  if (/^(smallint|integer|bigint|numeric)$/.test(castType)) return 'number';
  if (/^(text|character varying|name)$/.test(castType)) return 'text';
  if (/^(bpchar|character)$/.test(castType)) return 'character';
  if (/^(real|double precision)$/.test(castType)) return 'double';
  return castType === 'timestamp without time zone' ? 'date' : castType;
}

/**
 * See `Dialect.tellsApart`. A collation that is not deterministic wins over the default one, and any other beside it is an error. A
 * `varchar` is compared with a `character` as one: without the blanks at its end. A double has each `integer`. A local time is one moment,
 * by the time zone of the session.
 */
export function tellsApart(kind: string, key: ColumnFacts): boolean {
  const own = comparedAs(key);
  if (kind === own) return true;
  if (kind === 'text') return own === 'character' || own.startsWith('text ');
  if (kind === 'number') return own === 'double';
  if (kind === 'date') return own === 'timestamp with time zone';
  return kind === 'double' && /^(smallint|integer)$/.test(castTypeOf(key));
}

const castTypeOf = ({ castType, base }: ColumnFacts): string => base?.castType ?? castType;
