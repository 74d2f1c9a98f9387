import type { ColumnFacts } from '../dialect.ts';

/**
 * See `Dialect.comparedAs`. Two texts of one collation are compared by it; all whole numbers and decimals by their exact values; a number
 * with a text or a decimal with a double as doubles. The local times of timestamps come twice a year.
 */
export function comparedAs({ type, castType, collation }: ColumnFacts): string {
  if (castType === '') {
    if (collation !== undefined) return `text ${collation}`;
    return /binary|blob/.test(type) ? 'bytes' : type;
  }
  if (/^(signed|decimal)/.test(castType)) return 'number';
  return /^date/.test(type) ? 'date' : /^timestamp/.test(type) ? 'timestamp' : castType;
}
