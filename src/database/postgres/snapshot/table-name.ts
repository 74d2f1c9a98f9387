/** A table by schema and name, both as they stand in the catalog (unquoted, never folded). */
export interface TableName {
  schema: string;
  name: string;
}

/** Longest name that PostgreSQL keeps; longer ones it cuts silently. Bytes, not characters. */
const LONGEST_NAME = 63;

/** What a snapshot of the table is called (DESIGN.md §1). */
export const processingNameOf = (name: string): string => `${name}_processing`;

/** Whether PostgreSQL keeps the name whole. */
export const fitsInName = (name: string): boolean => Buffer.byteLength(name) <= LONGEST_NAME;

/**
 * A name for something that stays with the snapshot while the twin takes over its old name. The OID makes it free: no
 * other object of this database has one that ends so, unless somebody made it on purpose.
 */
export function asideName(name: string, oid: string): string {
  const suffix = `_${oid}`;
  const characters = [...name];
  while (Buffer.byteLength(characters.join('') + suffix) > LONGEST_NAME) characters.pop();
  return characters.join('') + suffix;
}
