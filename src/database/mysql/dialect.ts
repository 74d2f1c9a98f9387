import { mysqlSql } from '../../sql/mysql.ts';
import type { Dialect } from '../dialect.ts';
import { planKeys, rangeCondition } from './chunk-ranges.ts';
import { classify } from './errors.ts';
import { endConnection, endGateHolders, gate } from './gate.ts';
import { begin, lockOutput, migration, settings, words } from './ledger.ts';
import { quoteName, quoteTable, quoteText } from './names.ts';
import { isStill, tableIdentity } from './snapshot/identity.ts';
import { describeTable, hasRows, listTables } from './tables.ts';

/** MySQL 8.0 and MariaDB 10.6 and later. Not whole yet: no connection of a project can be one. */
export const mysqlDialect = {
  name: 'mysql',
  sql: mysqlSql,
  words,
  migration,
  quoteTable,
  quoteName,
  quoteText,
  classify,
  begin,
  settings,
  gate,
  endGateHolders,
  endConnection,
  lockOutput,
  describeTable,
  listTables,
  tableIdentity,
  isStill,
  hasRows,
  planKeys,
  rangeCondition,
} satisfies Partial<Dialect>;
