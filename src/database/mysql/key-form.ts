import { ConfigurationError } from '../../errors.ts';
import type { ColumnFacts } from '../dialect.ts';
import { quoteName } from './names.ts';

/** How the values of a key column are ordered, written down and compared again, exactly. */
export interface KeyForm {
  /** What is compared and ordered. */
  value: string;
  /** The value as text. */
  text: string;
  /** A written value, in a condition. */
  bound(written: string, bind: Bind): string;
}

export type Bind = (value: unknown, cast?: string) => string;

/** Throws `ConfigurationError` for a type whose values have no order that can be relied on. */
export function keyForm(column: ColumnFacts): KeyForm {
  const name = quoteName(column.name);
  const cast = (written: string, bind: Bind): string => bind(written, column.castType || undefined);
  if (/^(json|geometry|point|linestring|polygon|multi\w+|geometrycollection|vector)\b/.test(column.type)) {
    throw new ConfigurationError(`column ${column.name} is ${column.type}: no key can be made of it`, {
      next: 'name columns of numbers, dates or texts as the key',
    });
  }
  if (/^(enum|set|bit)\b/.test(column.type)) {
    // Ordered by number, but compared with a text as a text.
    return {
      value: `(${name} + 0)`,
      text: `cast(${name} + 0 as char)`,
      bound: (written, bind) => bind(written, 'decimal(20,0)'),
    };
  }
  if (/^(var)?binary|blob/.test(column.type)) {
    return { value: name, text: `hex(${name})`, bound: (written, bind) => `unhex(${bind(written)})` };
  }
  if (/^float/.test(column.type)) return { value: name, text: `cast(cast(${name} as double) as char)`, bound: cast };
  return { value: name, text: column.castType === '' ? name : `cast(${name} as char)`, bound: cast };
}

/** `key < bound`, `key >= bound` … with all columns of the key: the first that differs decides. */
export function compareKey(key: KeyForm[], operator: '<' | '>' | '>=', written: string[], bind: Bind): string {
  const strict = operator[0]!;
  const from = (i: number): string => {
    const column = key[i]!;
    const against = (sign: string): string => `${column.value} ${sign} ${column.bound(written[i]!, bind)}`;
    if (i === key.length - 1) return against(operator);
    // In this form both servers take all columns of an index; `a >= x and (a > x or …)` reads from the start of a's value on.
    return `(${against(strict)} or (${against('=')} and ${from(i + 1)}))`;
  };
  return from(0);
}
