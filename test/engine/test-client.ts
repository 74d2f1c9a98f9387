/** A connection of a test's own to any server: one shape of answers, bigints and decimals as text, booleans as such. */
import mysql, {
  type Connection,
  type FieldPacket,
  type QueryResult as MysqlResult,
  type TypeCastField,
} from 'mysql2/promise';
import pg from 'pg';
import { asMysql, withPlaceholders } from './as-mysql.ts';
import { processListAt } from '../mysql-servers.ts';
import type { TableNames } from './table-names.ts';

export interface Answer<Row> {
  rows: Row[];
  rowCount: number;
}

export interface TestClient {
  /** One statement with values (`$1`), or several without: then the answer is the last one's. */
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Answer<Row>>;
  /** Every row as the server writes it, a JSON array of texts, to compare. */
  texts(query: string): Promise<string[]>;
  end(): Promise<void>;
}

/** @param name by which the server's lists of connections show it */
export function openTestClient(url: string, names: TableNames, name = 'test'): Promise<TestClient> {
  return url.startsWith('postgres') ? openPostgres(url, name) : openMysql(url, names, name);
}

async function openPostgres(url: string, name: string): Promise<TestClient> {
  const client = new pg.Client({ connectionString: url, application_name: name });
  client.on('error', () => undefined); // databases are dropped under it
  await client.connect();
  return {
    query: async <Row>(text: string, values: readonly unknown[] = []) => {
      // Without values the simple protocol, which takes several statements.
      const result: unknown = await client.query(text, values.length > 0 ? [...values] : undefined);
      const last = (Array.isArray(result) ? result.at(-1) : result) as pg.QueryResult;
      return { rows: last.rows as Row[], rowCount: last.rowCount ?? 0 };
    },
    texts: async (query) => {
      const { rows } = await client.query<(string | null)[]>({ text: query, rowMode: 'array', types: AS_WRITTEN });
      return rows.map((row) => JSON.stringify(row));
    },
    end: () => client.end(),
  };
}

const AS_WRITTEN = { getTypeParser: () => (text: string) => text } as pg.CustomTypesConfig;

async function openMysql(url: string, names: TableNames, name: string): Promise<TestClient> {
  const connection = await mysql.createConnection({
    uri: url.replace(/^mariadb:/, 'mysql:'),
    multipleStatements: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    timezone: 'Z',
    connectAttributes: { program_name: name },
    typeCast: booleans,
  });
  connection.on('error', () => undefined);
  await connection.query(`set session time_zone = '+00:00', group_concat_max_len = 1000000`);
  await letSeriesBeLong(connection);
  const listed = (text: string): string => text.replaceAll('information_schema.processlist', processListAt(url));
  return {
    query: async <Row>(text: string, values: readonly unknown[] = []) => {
      const sent = withPlaceholders(asMysql(names.into(listed(text))), values);
      const [result] = (await connection.query(sent.text, sent.values)) as [MysqlResult | MysqlResult[], FieldPacket[]];
      const results = isSeveral(result) ? result : [result];
      const last = results.at(-1)!;
      const rows = Array.isArray(last) ? (last as Row[]).map((row) => names.outOf({ ...row })) : [];
      return { rows, rowCount: Array.isArray(last) ? rows.length : (last as { affectedRows: number }).affectedRows };
    },
    texts: async (query) => {
      const sql = asMysql(names.into(query));
      const [rows] = await connection.query({ sql, rowsAsArray: true, typeCast: (field) => field.string() });
      return (rows as unknown[]).map((row) => JSON.stringify(row));
    },
    end: () => connection.end(),
  };
}

/** Several statements give an array of arrays of rows and headers, one gives rows or a header. */
const isSeveral = (result: MysqlResult | MysqlResult[]): result is MysqlResult[] =>
  Array.isArray(result) &&
  result.length > 0 &&
  result.every(
    (one) => Array.isArray(one) || (one as { constructor: { name: string } }).constructor.name === 'ResultSetHeader',
  );

/** Both flavours stop a recursive query after 1000 rows unless told otherwise. */
async function letSeriesBeLong(connection: Connection): Promise<void> {
  await connection
    .query('set session cte_max_recursion_depth = 10000000')
    .catch(() => connection.query('set session max_recursive_iterations = 10000000'));
}

/** A condition, and a column of type boolean, are numbers of one digit. */
function booleans(field: TypeCastField, next: () => unknown): unknown {
  if (field.length !== 1 || !['TINY', 'LONG', 'LONGLONG'].includes(field.type)) return next();
  const text = field.string();
  return text === null ? null : text !== '0';
}
