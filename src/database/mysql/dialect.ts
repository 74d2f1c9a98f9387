import { mariadbSql, mysqlSql } from '../../sql/mysql.ts';
import type { Dialect } from '../dialect.ts';
import { changedByDeletes } from './changed-by-deletes.ts';
import { checkStatement } from './check-statement.ts';
import { planKeys, rangeCondition } from './chunk-ranges.ts';
import { comparedAs, tellsApart } from './compared-as.ts';
import { hasOrder } from './key-form.ts';
import { insertRows, openCopyIn, openCopyOut } from './copy.ts';
import { cursorKind, cursorValue, inCursorOrder, windowCondition, windowEnd } from './cursor.ts';
import { deleteTogether } from './delete-together.ts';
import { deleteRange, planDeletion } from './deletion.ts';
import { classify } from './errors.ts';
import { listFunctions } from './functions.ts';
import { cutReading, endGateHolders, endLeft, endLeftLane, gate } from './gate.ts';
import { lockWait } from './lock-wait.ts';
import { begin, lockOutput, migration, settings, words } from './ledger.ts';
import { neverRolledBack } from './never-rolled-back.ts';
import { isStandby, numberingsOf } from './numbering.ts';
import { openTransactions } from './open-transactions.ts';
import { keepable } from './keepable.ts';
import { addColumns, changeTable, createLanding, landingType, missingPlace } from './landing.ts';
import { quoteName, quoteTable, quoteText } from './names.ts';
import { isOutput, isSameOutput, outputIdentity } from './outputs.ts';
import { longestStatement } from './longest-statement.ts';
import { rowAsJson } from './row-json.ts';
import { snapshotMethods } from './snapshot.ts';
import { describeQuery } from './query-columns.ts';
import { columnsRead, describeTable, hasRows, listTables } from './tables.ts';
import { copyInColumn, copyOutValue, ownValue, shapeOf, textOf } from './values.ts';
import { writtenForm } from './written-form.ts';
import { holdState, joinState, sharesState, stateBreach } from './state.ts';
import { stateRefusal } from './state-refusal.ts';

/** Bound values are texts to the server until they are cast. */
const CASTS = {
  'batch id': 'signed',
  time: 'datetime(6)',
  'local time': 'datetime(6)',
  date: 'date',
  integer: 'signed',
  decimal: 'decimal(65,30)',
  boolean: 'signed',
} as const;

/**
 * Both servers read `in` with a list out of a JSON text as a join, which an index serves; but MariaDB takes every such list for 40
 * values, and reads the whole table sooner. What lies between the lowest and the highest they count before they choose.
 */
const inBatches: Dialect['inBatches'] = (column, batchIds, bind) => {
  if (batchIds.length === 0) return 'false';
  const [lowest, ...rest] = [...batchIds].sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));
  const [from, to] = [lowest, rest.at(-1) ?? lowest].map((id) => bind(id, CASTS['batch id']));
  const ids = `json_table(${bind(`[${batchIds.join(',')}]`)}, '$[*]' columns (id bigint path '$'))`;
  return `(${column} between ${from} and ${to} and ${column} in (select given.id from ${ids} given))`;
};

/** MySQL 8.0.16 and MariaDB 10.6 and later. */
export const mysqlDialect: Dialect = {
  name: 'mysql',
  sql: mysqlSql,
  words,
  migration,
  quoteTable,
  quoteName,
  quoteText,
  castOf: (sort: keyof typeof CASTS) => CASTS[sort],
  inBatches,
  classify,
  begin,
  settings,
  ownStyle: [], // no setting changes what a value is as a text
  gate,
  endGateHolders,
  lockWait,
  endLeftLane,
  endLeft,
  cutReading,
  lockOutput,
  outputIdentity,
  isSameOutput,
  isOutput,
  outputOf: undefined,
  describeTable,
  columnsRead,
  describeQuery,
  listTables,
  comparedAs,
  hasOrder,
  tellsApart,
  listFunctions,
  leadsTo: undefined,
  neverRolledBack,
  hasRows,
  checkStatement,
  planPages: undefined,
  cutPages: undefined,
  rowAsJson,
  longestStatement,
  planKeys,
  rangeCondition,
  cursorKind,
  endless: () => undefined,
  cursorValue,
  windowEnd,
  inCursorOrder,
  numberingsOf,
  isStandby,
  subscribed: () => Promise.resolve(undefined), // a replica of some tables only is a replica: isStandby
  openTransactions,
  windowCondition,
  planDeletion,
  // To look first costs little along an index, and without one there is nothing else that could cut the table.
  planSweep: () => Promise.resolve([]),
  deleteRange,
  deleteTogether,
  deleteRefusal: () => Promise.resolve(undefined),
  changedByDeletes,
  catalogsForeignKeys: false, // on MariaDB, information_schema finds them in each table
  deletesKeptBy: () => Promise.resolve([]), // there are no rules, and a trigger that will not have it raises an error
  landingType,
  createLanding,
  missingPlace,
  addColumns,
  changeTable,
  shapeOf,
  copyOutValue,
  ownValue,
  textOf,
  keepable,
  copyInColumn,
  writtenForm,
  nativeCopy: undefined,
  openCopyOut,
  sharesState,
  holdState,
  joinState,
  stateBreach,
  stateRefusal,
  openCopyIn,
  insertRows,
  ...snapshotMethods,
};

/** The same, by its own name in messages. */
export const mariadbDialect: Dialect = { ...mysqlDialect, sql: mariadbSql };
