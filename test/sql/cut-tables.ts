import { createConnection } from 'mysql2/promise';
import { Client, DatabaseError } from 'pg';
import { mariadbSql, mysqlSql } from '../../src/sql/mysql.ts';
import { postgresSql } from '../../src/sql/postgres.ts';
import type { SqlDialect } from '../../src/sql/dialect.ts';
import { freshDatabase, type TestServer } from '../servers.ts';
import { COLUMNS, type Random, type StatementMaker } from './cut-statements.ts';
import { MysqlStatements } from './cut-statements-mysql.ts';
import { PostgresStatements } from './cut-statements-postgres.ts';

/** Tables for statements over a cut on a real server: `o` is cut, `c` and `d` are read, `t` and `u` are written to. */
export interface CutTables {
  dialect: SqlDialect;
  maker: StatementMaker;
  /** Other rows, and another cut by each of these keys. */
  fill(keys: string[][]): Promise<void>;
  /** The chunks of `o`: rows of one key are in one of them. */
  cuts(key: string[]): string[];
  /** What the statements give, or leave behind in the tables that they write to; undefined: the server does not take them. */
  rowsOf(statements: string[], isWrite: boolean): Promise<string[] | undefined>;
  close(): Promise<void>;
}

interface Asking {
  dialect: SqlDialect;
  maker: StatementMaker;
  /** The column that tells rows of `o` apart, and no `*` gives. */
  row: string;
  setUp: string[];
  /** What a connection is like when a statement begins, once per chunk, too. */
  before: string;
  ask(text: string): Promise<unknown[][]>;
  /** Whether it is an error of the server's. */
  isAnswer(error: unknown): boolean;
  end(): Promise<void>;
}

const READ = ['o', 'c', 'd', 't'];
const CHUNKS = [0, 1, 2];

export async function openCutTables(server: TestServer, random: Random): Promise<CutTables> {
  const database = await freshDatabase(server);
  const isPostgres = server.url.startsWith('postgres');
  const asking = await (isPostgres ? onPostgres(database.url, random) : onMysql(server, database.url, random));
  const { dialect, maker, row, setUp, before } = asking;
  const ask = (text: string) => asking.ask(text);
  for (const text of setUp) await ask(text);
  const cuts = new Map<string, string[]>();

  async function cut(key: string[]): Promise<string[]> {
    const group = key.length === 0 ? row : `dense_rank() over (order by ${key.join(', ')})`;
    const rows = await ask(`select ${row}, ${group} from o`);
    const chunkOf = new Map(rows.map(([, one]) => [String(one), Math.floor(random() * CHUNKS.length)]));
    return CHUNKS.map((chunk) => {
      const own = rows.filter(([, one]) => chunkOf.get(String(one)) === chunk).map(([one]) => `'${String(one)}'`);
      return own.length === 0
        ? '(select * from o where false)'
        : `(select * from o where ${row} in (${own.join(', ')}))`;
    });
  }

  return {
    dialect,
    maker,
    async fill(keys) {
      const value = (): string => (random() < 0.12 ? 'null' : String(Math.floor(random() * 4)));
      const rows = (): string => Array.from({ length: 6 }, () => `(${COLUMNS.map(value).join(', ')})`).join(', ');
      for (const table of READ) {
        await ask(`delete from ${table}`);
        await ask(`insert into ${table} (${COLUMNS.join(', ')}) values ${rows()}`);
      }
      for (const key of keys) cuts.set(key.join(), await cut(key));
    },
    cuts: (key) => cuts.get(key.join())!,
    async rowsOf(statements, isWrite) {
      const rows: unknown[][] = [];
      try {
        if (isWrite) await ask('begin');
        for (const text of statements) {
          if (before !== '') await ask(before);
          const given = await ask(text);
          if (!isWrite) rows.push(...given);
        }
        if (isWrite)
          rows.push(...(await ask(`select 't', id, k, v, x from t union all select 'u', id, k, x, null from u`)));
      } catch (error) {
        if (!asking.isAnswer(error)) throw error; // two rows for one of a merge, types that do not fit
        return undefined;
      } finally {
        if (isWrite) await ask('rollback');
      }
      return rows.map((one) => JSON.stringify(one)).sort();
    },
    async close() {
      await asking.end();
      await database.drop();
    },
  };
}

const int = (columns: string[]): string => columns.map((column) => `${column} int`).join(', ');

async function onPostgres(url: string, random: Random): Promise<Asking> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return {
    dialect: postgresSql,
    maker: new PostgresStatements(random),
    row: 'ctid',
    setUp: [
      ...['o', 'c', 'd'].map((table) => `create table ${table} (${int(COLUMNS)})`),
      `create table t (${int([...COLUMNS, 'x'])})`,
      `create table u (${int(['id', 'k', 'x'])})`,
      'create unique index on u (coalesce(id, -1), coalesce(k, -1))',
      `set statement_timeout = '100ms'`,
      'set jit = off',
    ],
    before: '',
    ask: async (text) => (await client.query<unknown[]>({ text, rowMode: 'array' })).rows,
    isAnswer: (error) => error instanceof DatabaseError,
    end: () => client.end(),
  };
}

/**
 * What makes a statement as a whole give other rows than without it, about once in a thousand of these statements (seen on MySQL 9.7 and
 * MariaDB 10.11): rows that a semi-join finds twice or not at all, that a window over a merged subquery loses, a
 * subquery's answer that is kept for another row.
 */
const PLAIN = {
  MySQL: 'semijoin=off,materialization=off',
  MariaDB: 'semijoin=off,materialization=off,subquery_cache=off,exists_to_in=off,derived_merge=off',
};

async function onMysql({ name }: TestServer, url: string, random: Random): Promise<Asking> {
  const connection = await createConnection({ uri: url.replace(/^mariadb:/, 'mysql:'), rowsAsArray: true });
  const flavour = name.startsWith('MariaDB') ? 'MariaDB' : 'MySQL';
  return {
    dialect: flavour === 'MySQL' ? mysqlSql : mariadbSql,
    maker: new MysqlStatements(random, flavour),
    row: 'n',
    setUp: [
      `set sql_mode = 'STRICT_TRANS_TABLES,ONLY_FULL_GROUP_BY'`,
      `set optimizer_switch = '${PLAIN[flavour]}'`,
      // Plainly asked, some would take minutes.
      flavour === 'MySQL' ? 'set max_execution_time = 1000' : 'set max_statement_time = 1',
      ...['o', 'c', 'd'].map(
        (table) => `create table ${table} (${int(COLUMNS)}, n int auto_increment invisible primary key)`,
      ),
      `create table t (${int([...COLUMNS, 'x'])})`,
      `create table u (${int(['id', 'k', 'x'])}, i int as (coalesce(id, -1)) stored, j int as (coalesce(k, -1)) stored, unique (i, j))`,
    ],
    before: 'set @n = null',
    ask: async (text) => {
      const [rows] = await connection.query(text);
      return Array.isArray(rows) ? (rows as unknown[][]) : [];
    },
    isAnswer: (error) => error instanceof Error && 'errno' in error && 'sqlState' in error,
    end: () => connection.end(),
  };
}
