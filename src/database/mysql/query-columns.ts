import type { FieldPacket, RowDataPacket } from 'mysql2/promise';
import { fromItem } from '../row-source.ts';
import type { ColumnFacts, Session } from '../dialect.ts';
import { quoteName, quoteTable } from './names.ts';
import { unmappedBy } from './unmapped.ts';
import type { MysqlSession } from './session.ts';
import { castTypeOf } from './tables.ts';

/**
 * See `Dialect.describeQuery`. What the protocol says of a result is less than what a table knows: an `enum` or `set`, MariaDB's
 * `uuid` and addresses are texts here.
 */
export async function describeQuery(session: Session, query: string): Promise<ColumnFacts[]> {
  const { connection } = session as MysqlSession;
  const text = `select * from ${fromItem({ query }, quoteTable)} limit 0`;
  const [, fields] = await connection.query({ sql: text, rowsAsArray: true });
  const collations = await collationsOf(connection, text, fields);
  return fields.map((field, i) => {
    const type = typeOf(field);
    const castType = castTypeOf(/^\w+/.exec(type)![0], type);
    const nullable = (flagsOf(field) & NOT_NULL) === 0;
    const { name } = field;
    return { name, type, castType, nullable, hasDefault: false, generated: false, ...unmappedBy(collations[i]) };
  });
}

/** Of each column, before the server puts its texts into the character set of the session; none where two have one name. */
async function collationsOf(
  connection: MysqlSession['connection'],
  empty: string,
  fields: readonly FieldPacket[],
): Promise<string[]> {
  if (new Set(fields.map(({ name }) => name.toLowerCase())).size < fields.length) return [];
  const list = fields.map(({ name }) => `collation(described.${quoteName(name)})`).join(', ');
  const text = `select ${list} from (select 1) one left join (${empty}) described on true`;
  const [rows] = await connection.query<RowDataPacket[]>({ sql: text, rowsAsArray: true });
  return Object.values(rows[0]!) as string[];
}

/** Flags, and the character set of bytes, in the protocol's description of a column. */
const NOT_NULL = 1;
const UNSIGNED = 32;
/** `enum` or `set`. */
const LISTED = 256 | 2048;
const BINARY = 63;
/** Bytes of a character in the character set of our sessions, by which lengths of texts are told. */
const CHARACTER = 4;
/** Decimals of a time that has none, or of a float. */
const NO_DECIMALS = 31;

const WHOLE: Record<number, string> = { 1: 'tinyint', 2: 'smallint', 3: 'int', 8: 'bigint', 9: 'mediumint' };
const PLAIN: Record<number, string> = { 4: 'float', 5: 'double', 10: 'date', 13: 'year', 14: 'date', 245: 'json' };
const TIMES: Record<number, string> = { 7: 'timestamp', 11: 'time', 12: 'datetime' };

const flagsOf = ({ flags }: FieldPacket): number => Number(flags);

/** The type as a table would have it: `bigint(20) unsigned`, `decimal(12,4)`, `datetime(6)`. */
function typeOf(field: FieldPacket): string {
  const code = field.columnType ?? -1;
  const length = field.columnLength ?? 0;
  const decimals = field.decimals === NO_DECIMALS ? 0 : (field.decimals ?? 0);
  const unsigned = (flagsOf(field) & UNSIGNED) !== 0;
  const bytes = field.characterSet === BINARY;
  if (code in WHOLE) return `${WHOLE[code]}${length === 1 ? '(1)' : ''}${unsigned ? ' unsigned' : ''}`;
  if (code in PLAIN) return PLAIN[code]!;
  if (code in TIMES) return `${TIMES[code]}${decimals > 0 ? `(${decimals})` : ''}`;
  const characters = Math.floor(length / CHARACTER);
  switch (code) {
    case 0:
    case 246: // its length counts the sign and the point
      return `decimal(${length - (decimals > 0 ? 1 : 0) - (unsigned ? 0 : 1)},${decimals})`;
    case 16:
      return `bit(${length})`;
    case 15:
    case 253:
      return bytes ? `varbinary(${length})` : `varchar(${characters})`;
    case 247:
    case 248:
    case 254:
      if (bytes) return `binary(${length})`;
      return `${(flagsOf(field) & LISTED) === 0 ? 'char' : 'varchar'}(${characters})`;
    case 249:
    case 250:
    case 251:
    case 252:
      return bytes ? 'longblob' : 'longtext';
    default:
      return code === 255 ? 'geometry' : `type ${code} of the protocol`;
  }
}
