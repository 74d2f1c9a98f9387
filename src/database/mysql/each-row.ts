import type { EventEmitter } from 'node:events';
import type { TypeCast } from 'mysql2';
import type { Connection, FieldPacket, ResultSetHeader } from 'mysql2/promise';
import type { TakeRow } from '../dialect.ts';
import { driverConnection } from './connect.ts';
import type { Answer } from './session.ts';
import { keepGeometry, writersOf } from './written-values.ts';

interface Query {
  sql: string;
  values: (string | Buffer | null)[];
  dateStrings: boolean;
  rowsAsArray: boolean;
}

/** The driver, which gathers no rows where nobody calls for all of them. */
type Rowwise = EventEmitter &
  Record<'query' | 'execute', (query: Partial<Query & { typeCast: TypeCast }>) => EventEmitter>;

/** ER_UNSUPPORTED_PS: some kinds of `show`. */
const NOT_PREPARED = 1295;

/**
 * Sends a query whose rows are taken one by one, as the server has them, and kept nowhere. By the binary protocol, whether it binds
 * values or not: in the other one a server rounds numbers of single precision to six digits.
 */
export async function eachRow(connection: Connection, query: Query, take: TakeRow): Promise<Answer> {
  try {
    return await sendRowwise(connection, query, exactly(take), 'execute');
  } catch (error) {
    if (query.values.length > 0 || (error as { errno?: number }).errno !== NOT_PREPARED) throw error;
    return sendRowwise(connection, query, exactly(take), 'query');
  }
}

/**
 * The same, of a query whose rows hardly anybody reads, as the driver makes them. What binds no value is not prepared: some
 * statements cannot be.
 */
export const passRows = (connection: Connection, query: Query, take: TakeRow): Promise<Answer> =>
  sendRowwise(connection, query, { take: () => take }, query.values.length > 0 ? 'execute' : 'query');

/** Who takes the rows of a query, once its columns are known. */
interface Taker {
  typeCast?: TypeCast;
  take: (fields: readonly FieldPacket[]) => TakeRow;
}

const exactly = (take: TakeRow): Taker => ({
  typeCast: keepGeometry,
  take: (fields) => {
    const writers = writersOf(fields);
    return (row, columns) =>
      take(
        row.map((value, i) => writers[i]?.(value) ?? value),
        columns,
      );
  },
});

function sendRowwise(
  connection: Connection,
  { values, ...unbound }: Query,
  { take, ...cast }: Taker,
  by: 'query' | 'execute',
): Promise<Answer> {
  const driver = driverConnection(connection) as unknown as Rowwise;
  let header: ResultSetHeader | undefined;
  let fields: FieldPacket[] = [];
  let takes: ((row: unknown[]) => void) | undefined;
  let failure: { error: Error } | undefined;
  let lost: (error: Error) => void;
  return new Promise<Answer>((resolve, reject) => {
    // A connection that ends tells those who have called for an answer, and else says so itself.
    driver.once('error', (lost = reject));
    const sent = driver[by]({ ...unbound, ...cast, ...(by === 'execute' && { values }) });
    sent.on('fields', (given: FieldPacket[] | undefined) => {
      if (!given) return;
      fields = given;
      const [taker, columns] = [take(given), given.map(({ name }) => name)];
      takes = (row) => taker(row, columns);
    });
    sent.on('result', (row: unknown[] | ResultSetHeader) => {
      if (!takes) header = row as ResultSetHeader;
      else if (!failure) {
        try {
          takes(row as unknown[]);
        } catch (error) {
          failure = { error: error as Error }; // the server goes on sending
        }
      }
    });
    sent.on('error', reject);
    sent.on('end', () => {
      if (failure) reject(failure.error);
      else resolve([header ?? [], fields]);
    });
  }).finally(() => driver.off('error', lost));
}
