import type { LandingDialect, NewColumn } from '../landing-dialect.ts';
import { parseTableName } from '../../sql/names.ts';
import { mysqlSql } from '../../sql/mysql.ts';
import { sql } from '../sql.ts';
import type { ValueShape } from '../value-shape.ts';
import { quoteName, quoteTable } from './names.ts';
import type { MysqlSession } from './session.ts';

/** See `LandingDialect.landingType`. Types that MariaDB alone has are texts: what the target is, its dialect does not say. */
export const landingType: LandingDialect['landingType'] = ({ type }, shape, native) => {
  if (native && shape.kind === 'uuid') return 'char(36)';
  if (native && shape.kind === 'own') return 'varchar(45)'; // inet4, inet6
  // The catalog, which is in utf8mb3, says `?` for a character of four bytes: such a list would not take the source's values. Among
  // labels with commas none can be looked up.
  const exact = shape.kind === 'one of a list' ? /[?,]/ : /[?]/;
  if (native && shape.labels?.some((label) => exact.test(label))) return 'longtext';
  if (native) return type.endsWith('of the protocol') ? undefined : type;
  return typeOf(shape, type);
};

/** What keeps the values of a column of another family. */
function typeOf(shape: ValueShape, type: string): string | undefined {
  const { kind, precision = 0, scale, length } = shape;
  const digits = scale === undefined || scale === 0 ? '' : `(${scale})`;
  switch (kind) {
    case 'whole number':
      if (precision <= 15) return 'smallint';
      if (precision <= 31) return 'int';
      return precision <= 63 ? 'bigint' : 'decimal(20,0)';
    case 'decimal':
      return decimalOf(type);
    case 'float':
      return precision <= 24 ? 'float' : 'double';
    case 'boolean':
      return 'tinyint(1)';
    case 'text':
      return textOf(type, shape.padded === true);
    case 'bytes':
      return 'longblob';
    case 'bits':
      return length !== undefined && length <= 64 ? `bit(${length})` : 'longtext';
    case 'date':
      return 'date';
    case 'time':
      return `time${digits}`;
    case 'timestamp':
    case 'instant': // in UTC: a `timestamp` ends in 2038
      return `datetime${digits}`;
    case 'json':
      return 'json';
    case 'uuid':
      return 'char(36)';
    case 'year':
      return 'year';
    case 'interval':
    case 'one of a list':
    case 'some of a list':
    case 'own':
      return 'longtext';
    case 'opaque':
      return undefined;
  }
}

/** Digits, and digits behind the point, that the servers' decimals have at the most. */
const MOST_DIGITS = 65;
const MOST_DECIMALS = 30;

/** `numeric(12,4)`; without bounds the widest, in which a value that would be rounded is an error. */
function decimalOf(type: string): string | undefined {
  const [, digits, decimals = '0'] = /\((\d+)(?:,(-?\d+))?\)/.exec(type) ?? [];
  if (digits === undefined) return `decimal(${MOST_DIGITS},${MOST_DECIMALS})`;
  const scale = Math.max(0, Number(decimals));
  const precision = Math.max(Number(digits), scale) + Math.max(0, -Number(decimals));
  if (scale > MOST_DECIMALS) return undefined;
  return `decimal(${Math.min(precision, MOST_DIGITS)},${scale})`;
}

/** All `varchar`s of a row share 65,535 bytes: long ones stand outside. */
const LONGEST_INSIDE = 60;

function textOf(type: string, padded: boolean): string {
  const length = Number(/\((\d+)\)/.exec(type)?.[1] ?? Infinity);
  if (padded && length <= 255) return `char(${length})`;
  return length <= LONGEST_INSIDE ? `varchar(${length})` : 'longtext';
}

/** `null`, said: a MariaDB may give the first `timestamp` of a table a default otherwise. */
const declared = ({ name, type }: NewColumn): string => `${quoteName(name)} ${type} null`;

/** See `LandingDialect.missingPlace`. An account is shown the databases in which it may do something. */
export const missingPlace: LandingDialect['missingPlace'] = async (database, table) => {
  const { schema } = parseTableName(table, mysqlSql);
  if (schema === undefined) return undefined; // that of the connection
  const { rows } = await database.query(sql`select 1 from information_schema.schemata where schema_name = ${schema}`);
  if (rows.length > 0) return undefined;
  const make = `create database ${quoteName(schema)}, and let the user of this connection create tables in it`;
  return { what: 'database', name: schema, make };
};

export const createLanding: LandingDialect['createLanding'] = (table, columns) => [
  `create table if not exists ${quoteTable(table)} (\n  ${[
    ...columns.map(declared),
    'batch_id bigint not null',
    'ngdw_id bigint not null auto_increment primary key',
    'key (batch_id)',
  ].join(',\n  ')}\n) engine = InnoDB row_format = dynamic character set utf8mb4 collate utf8mb4_bin`,
];

export const addColumns: LandingDialect['addColumns'] = (table, columns) => [
  `alter table ${quoteTable(table)} ${columns.map((column) => `add column ${declared(column)}`).join(', ')}`,
];

/** Seconds for which writers wait behind it. */
const LOCK_WAIT = 2;

/** The statements commit by themselves: what they were to do has been looked at before, under the names' locks of `aloneWith`. */
export const changeTable: LandingDialect['changeTable'] = async (session, prepare, record) => {
  await session.begin();
  const statements = await prepare();
  await session.commit();
  if (statements.length === 0) return;
  for (const text of [`set session lock_wait_timeout = ${LOCK_WAIT}`, ...statements]) {
    await (session as MysqlSession).say(text);
  }
  await session.begin();
  await record();
  await session.commit();
};
