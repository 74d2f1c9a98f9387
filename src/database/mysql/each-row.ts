import type { EventEmitter } from 'node:events';
import type { Connection, FieldPacket, ResultSetHeader } from 'mysql2/promise';
import type { TakeRow } from '../dialect.ts';
import { driverConnection } from './connect.ts';
import type { Answer } from './session.ts';

interface Query {
  sql: string;
  values: (string | Buffer | null)[];
  dateStrings: boolean;
  rowsAsArray: boolean;
}

/** The driver, which gathers no rows where nobody calls for all of them. */
type Rowwise = EventEmitter & Record<'query' | 'execute', (query: Partial<Query>) => EventEmitter>;

/** Sends a query whose rows are taken one by one, and kept nowhere. */
export function eachRow(connection: Connection, query: Query, take: TakeRow): Promise<Answer> {
  const driver = driverConnection(connection) as unknown as Rowwise;
  let header: ResultSetHeader | undefined;
  let fields: FieldPacket[] = [];
  let columns: string[] | undefined;
  let failure: { error: Error } | undefined;
  let lost: (error: Error) => void;
  return new Promise<Answer>((resolve, reject) => {
    // A connection that ends tells those who have called for an answer, and else says so itself.
    driver.once('error', (lost = reject));
    const { values, ...unbound } = query;
    const sent = values.length > 0 ? driver.execute(query) : driver.query(unbound);
    sent.on('fields', (given: FieldPacket[] | undefined) => {
      if (!given) return;
      fields = given;
      columns = given.map(({ name }) => name);
    });
    sent.on('result', (row: unknown[] | ResultSetHeader) => {
      if (!columns) header = row as ResultSetHeader;
      else if (!failure) {
        try {
          take(row as unknown[], columns);
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
