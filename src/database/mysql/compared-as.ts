import type { ColumnFacts } from '../dialect.ts';
import { characterSetOf } from './unmapped.ts';

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

/**
 * See `Dialect.tellsApart`. A double has each `int`. A text that is compared with one of a `_bin` collation of its character set is compared
 * by that: what is equal to it is equal to any collation, but for blanks at the end, which most take for nothing and NO PAD ones do not.
 */
export function tellsApart(kind: string, key: ColumnFacts): boolean {
  const own = comparedAs(key);
  if (kind === own) return true;
  if (kind === 'number') return own === 'double';
  if (kind === 'double') return /^(tiny|small|medium)?int\b/.test(key.type);
  const [bin, collation] = [kind, own].map((text) => /^text (.*)/.exec(text)?.[1]);
  if (!bin?.endsWith('_bin') || collation === undefined) return false;
  return characterSetOf(bin) === characterSetOf(collation) && (isNoPad(bin) || !isNoPad(collation));
}

/** By its name: `utf8mb4_0900_bin`, MariaDB's `utf8mb4_nopad_bin`. */
const isNoPad = (collation: string): boolean => /_0900_|_nopad_/.test(collation);
