import { formatTableName, parseTableName } from '../../sql/names.ts';
import { mysqlSql } from '../../sql/mysql.ts';
import type { ColumnFacts, Database, Session, TableFacts } from '../dialect.ts';
import { part, raw, sql, type SqlPart, type SqlStatement } from '../sql.ts';
import { rowsAbout, type Reader } from './catalog.ts';
import { classify } from './errors.ts';
import { quoteTable } from './names.ts';
import { unmappedBy } from './unmapped.ts';

/** Columns and indexes of a table, undefined if there is none of that name, or none that the account may see. */
export async function describeTable(reader: Reader, table: string): Promise<TableFacts | undefined> {
  const tables = await rowsOf<{ type: string; engine: string | null }>(
    reader,
    table,
    (here) => sql`select table_type as type, engine as engine from information_schema.tables where ${here}`,
  );
  if (!tables[0]) return undefined;
  const columns = await columnsOf(reader, table);
  const parts = await rowsOf<IndexPart>(
    reader,
    table,
    (here) => sql`
    select s.*, index_name as name, column_name as ${raw('`column`')}, non_unique as repeats
    from information_schema.statistics s where ${here} order by index_name, seq_in_index`,
  );
  const unfit = new Set(parts.filter(isUnfit).map((one) => one.name));
  const names = [...new Set(parts.map((one) => one.name))].filter((index) => !unfit.has(index));
  return {
    table,
    ...kindOf(tables[0]),
    columns,
    indexes: names.map((index) => {
      const own = parts.filter((one) => one.name === index);
      const unique = Number(own[0]!.repeats) === 0;
      return { name: index, columns: own.map(({ column }) => column!), unique, primary: index === 'PRIMARY' };
    }),
  };
}

async function columnsOf(reader: Reader, table: string): Promise<ColumnFacts[]> {
  const rows = await rowsOf<ColumnRow>(
    reader,
    table,
    (here) => sql`
    select column_name as name, column_type as type, data_type as family, is_nullable as nullable,
      column_default as initial, extra as extra, coalesce(generation_expression, '') as expression,
      collation_name as collation
    from information_schema.columns where ${here} order by ordinal_position`,
  );
  return rows.map(factsOf);
}

/**
 * See `Dialect.columnsRead`. Another connection could wait behind somebody who wants to alter the table, and so for this session. One that
 * is gone holds nobody off any more.
 */
export async function columnsRead(
  database: Database,
  session: Session,
  table: string,
): Promise<ColumnFacts[] | undefined> {
  const columns = await columnsOf(session, table).catch((error: unknown) => {
    if (classify(error).kind !== 'connection') throw error;
    return columnsOf(database, table);
  });
  return columns.length > 0 ? columns : undefined;
}

/** The rows of information_schema that are about this table, whichever case the server stores names in; by these columns of theirs. */
export function isTable(table: string, at = { schema: 'table_schema', name: 'table_name' }): SqlPart {
  const { schema, name } = parseTableName(table, mysqlSql);
  return part`${raw(at.schema)} = ${schema === undefined ? raw('database()') : storedName(schema)}
    and ${raw(at.name)} = ${storedName(name)}`;
}

/** The name of a table or database in the case in which the server stores it. */
export const storedName = (text: string): SqlPart => part`if(@@lower_case_table_names = 0, ${text}, lower(${text}))`;

/** `rowsAbout` a table as a load calls it. */
export const rowsOf = <Row>(
  reader: Reader,
  table: string,
  statement: (here: SqlPart) => SqlStatement,
): Promise<Row[]> =>
  rowsAbout(reader, quoteTable(table), (condition) => statement(part`${isTable(table)} and ${condition}`));

interface IndexPart {
  name: string;
  column: string | null;
  repeats: unknown;
  SUB_PART: unknown;
  INDEX_TYPE: string;
  /** MySQL's and MariaDB's word for an index that no query may use. */
  IS_VISIBLE?: string;
  IGNORED?: string;
}

/** An index on an expression, on the beginnings of texts or on their words says nothing of the whole values. */
const isUnfit = (part: IndexPart): boolean =>
  part.column === null ||
  part.SUB_PART !== null ||
  part.INDEX_TYPE !== 'BTREE' ||
  part.IS_VISIBLE === 'NO' ||
  part.IGNORED === 'YES';

interface ColumnRow {
  name: string;
  type: string;
  family: string;
  nullable: string;
  initial: string | null;
  extra: string;
  expression: string;
  collation: string | null;
}

function factsOf({ name, type, family, nullable, initial, extra, expression, collation }: ColumnRow): ColumnFacts {
  return {
    name,
    type: String(type),
    castType: castTypeOf(String(family).toLowerCase(), String(type)),
    // MariaDB 10.11: `k >= 'a'` leaves out 'a\t' where it goes by an index, and `k < 'a'` has it no more.
    ...(String(family).toLowerCase() === 'char' && /nopad/i.test(collation ?? '') && { misindexed: true }),
    ...(collation !== null && { collation }),
    ...unmappedBy(collation),
    nullable: nullable === 'YES',
    // MariaDB writes a default NULL out.
    hasDefault: (initial !== null && initial !== 'NULL') || /auto_increment|default_generated/i.test(extra),
    generated: expression !== '',
  };
}

/**
 * What a bound text is cast to, so that it is compared exactly and in the column's own order. Empty: to nothing. A text takes
 * the collation of the column that it is compared with, which a cast one would refuse. MySQL takes a value that it casts to
 * `unsigned` for a signed one first, and cuts it without a word: such numbers go by way of decimals.
 */
export function castTypeOf(family: string, type: string): string {
  if (/int$|^year$|^bit$/.test(family)) return /unsigned|^(year|bit)/.test(type) ? 'decimal(20,0)' : 'signed';
  if (/^(decimal|numeric)$/.test(family)) return `decimal${/\(.*?\)/.exec(type)?.[0] ?? '(65,0)'}`;
  if (/^(float|double|real)$/.test(family)) return 'double';
  if (family === 'date') return 'date';
  if (/^(datetime|timestamp)$/.test(family)) return 'datetime(6)';
  if (family === 'time') return 'time(6)';
  return '';
}

const OTHER_ENGINE = {
  why: 'rows of another engine than InnoDB may stay after a roll back',
  alter: 'engine = InnoDB',
};

/** Only InnoDB rolls back and locks rows: a table of another engine is called by it. */
function kindOf({ type, engine }: { type: string; engine: string | null }): Pick<TableFacts, 'kind' | 'unfit'> {
  if (type === 'VIEW' || type === 'SYSTEM VIEW') return { kind: 'view' };
  if (type === 'SYSTEM VERSIONED') {
    return { kind: 'system-versioned table', unfit: { why: 'its history would keep what a roll back deletes' } };
  }
  if (type !== 'BASE TABLE') return { kind: type.toLowerCase() };
  if (engine === 'InnoDB') return { kind: 'table' };
  return { kind: `${engine ?? 'broken'} table`, ...(engine !== null && { unfit: OTHER_ENGINE }) };
}

/** Tables and views that people made, as canonical names, for near-miss suggestions. */
export async function listTables(database: Database): Promise<string[]> {
  const { rows } = await database.query<{ s: string; t: string }>(sql`
    select table_schema as s, table_name as t from information_schema.tables
    where table_schema not in ('mysql', 'sys', 'information_schema', 'performance_schema', ${database.controlSchema})
    order by 1, 2 limit 10000`);
  return rows.map(({ s, t }) => formatTableName({ schema: s, name: t }, mysqlSql));
}

/** See `Dialect.hasRows`. */
export async function hasRows(session: Session, table: string): Promise<boolean> {
  const { rows } = await session.query<{ found: boolean }>(
    sql`select exists (select 1 from ${raw(quoteTable(table))}) as found`,
  );
  return rows[0]?.found ?? false;
}
