import type { ColumnFacts } from '../dialect.ts';
import { quoteName, quoteText } from './names.ts';

/** Types whose values are bytes to JSON_OBJECT, which would say no more of them than their base64. */
const BYTES =
  /^(?:(?:var)?binary|(?:tiny|medium|long)?blob|bit|geometry|point|linestring|polygon|multi\w+|geomcollection|vector)\b/i;

/** These columns of a row as one JSON object, as text. */
export function rowAsJson(columns: ColumnFacts[]): string {
  const pairs = columns.map(({ name, type }) => {
    const value = BYTES.test(type) ? `hex(${quoteName(name)})` : quoteName(name);
    return `${quoteText(name)}, ${value}`;
  });
  return `cast(json_object(${pairs.join(', ')}) as char)`;
}
