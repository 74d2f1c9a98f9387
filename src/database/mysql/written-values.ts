/** Values of a user's query as the server would write them, whatever a driver makes of them. */
import type { FieldPacket, TypeCast } from 'mysql2';
import { JsonText } from '../json-text.ts';

type Write = (value: unknown) => unknown;

/** The protocol's numbers of types. */
const Types = { FLOAT: 4, TIMESTAMP: 7, TIME: 11, DATETIME: 12, VECTOR: 242, JSON: 245 } as const;

/** The driver takes a geometry apart; its bytes are what another server reads. */
export const keepGeometry: TypeCast = (field, next) => (field.type === 'GEOMETRY' ? field.buffer() : next());

/** For each column what becomes of its values, which came by the binary protocol; undefined: nothing. */
export const writersOf = (fields: readonly FieldPacket[]): (Write | undefined)[] => fields.map(writerOf);

function writerOf(field: FieldPacket): Write | undefined {
  const { columnType, decimals } = field;
  if ((field as { extendedFormat?: string }).extendedFormat === 'json') return asJson; // MariaDB
  switch (columnType) {
    case Types.FLOAT:
      return (value) => (typeof value === 'number' ? shortest(value) : value);
    case Types.TIME:
    case Types.DATETIME:
    case Types.TIMESTAMP:
      return decimals >= 1 && decimals <= 6 ? (value) => withFraction(value, decimals) : undefined;
    case Types.VECTOR:
      return (value) =>
        Array.isArray(value) ? new JsonText(`[${(value as number[]).map(shortest).join(',')}]`) : value;
    case Types.JSON:
      return asJson;
    default:
      return undefined;
  }
}

const asJson: Write = (value) => (typeof value === 'string' ? new JsonText(value) : value);

/** The shortest number that is this one in single precision: 0.1, not 0.10000000149011612. */
function shortest(value: number): number {
  for (let digits = 6; digits < 9; digits += 1) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}

/** `12:00:00` of a column of three decimals is `12:00:00.000`. */
function withFraction(value: unknown, decimals: number): unknown {
  if (typeof value !== 'string') return value;
  const [whole, fraction = ''] = value.split('.');
  return `${whole}.${fraction.slice(0, decimals).padEnd(decimals, '0')}`;
}
