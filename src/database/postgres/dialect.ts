import { postgresSql } from '../../sql/postgres.ts';
import type { Dialect } from '../dialect.ts';
import { cutPages, planKeys, planPages, rangeCondition } from './chunk-ranges.ts';
import {
  cursorKind,
  cursorValue,
  endless,
  inCursorOrder,
  openTransactions,
  windowCondition,
  windowEnd,
} from './cursor.ts';
import { comparedAs, tellsApart } from './compared-as.ts';
import { deleteRefusal } from './delete-refusal.ts';
import { changedByDeletes } from './changed-by-deletes.ts';
import { deleteRange, deletesKeptBy, deleteTogether, planDeletion, planSweep } from './deletion.ts';
import { classify } from './errors.ts';
import { agreesInBinary, insertRows, openCopyIn, openCopyOut } from './copy.ts';
import { endGateHolders, gate } from './gate.ts';
import { lockWait } from './lock-wait.ts';
import { begin, lockOutput, migration, ownStyle, settings, words } from './ledger.ts';
import { narrowing } from './narrowing.ts';
import { keepable } from './keepable.ts';
import { addColumns, changeTable, createLanding, landingType, missingPlace } from './landing.ts';
import { quoteName, quoteTable, quoteText } from './names.ts';
import { isStandby, numberingsOf } from './numbering.ts';
import {
  adoptionRefusals,
  adoptSnapshots,
  aloneWith,
  dropSnapshot,
  settleSwap,
  snapshotRefusals,
  swap,
  tableHolders,
} from './snapshot.ts';
import { outputOf } from './outputs.ts';
import { copyInColumn, copyOutValue, ownValue, shapeOf, textOf } from './values.ts';
import { writtenForm } from './written-form.ts';
import {
  checkStatement,
  columnsRead,
  describeQuery,
  describeTable,
  hasOrder,
  hasRows,
  isStill,
  leadsTo,
  listFunctions,
  listTables,
  tableIdentity,
} from './tables.ts';
import { subscribed } from './subscriptions.ts';
import { holdState, joinState, sharesState } from './state.ts';
import { stateBreach } from './state-breach.ts';
import { stateRefusal } from './state-refusal.ts';

const CASTS = {
  'batch id': 'bigint',
  time: 'timestamptz',
  'local time': 'timestamp',
  date: 'date',
  integer: 'bigint',
  decimal: 'numeric',
  boolean: 'boolean',
} as const;

/** PostgreSQL 14 and later (TID range scans). */
export const postgresDialect: Dialect = {
  name: 'postgres',
  sql: postgresSql,
  words,
  migration,
  quoteTable,
  quoteName,
  quoteText,
  castOf: (sort) => CASTS[sort],
  inBatches: (column, batchIds, bind) => `${column} = any(${bind(`{${batchIds.join(',')}}`, 'bigint[]')})`,
  classify,
  begin,
  settings,
  ownStyle,
  gate,
  endGateHolders,
  lockWait,
  endLeftLane: () => Promise.resolve(),
  endLeft: () => Promise.resolve(),
  cutReading: (_, session) => session.destroy(),
  lockOutput,
  outputIdentity: tableIdentity,
  isSameOutput: (one, other) => one.relationId === other.relationId && one.storageId === other.storageId,
  isOutput: isStill,
  outputOf,
  describeTable,
  columnsRead,
  describeQuery,
  listTables,
  comparedAs,
  hasOrder,
  tellsApart,
  listFunctions,
  leadsTo,
  neverRolledBack: undefined,
  tableIdentity,
  rewriteMovesRows: true,
  isStill,
  hasRows,
  checkStatement,
  planPages,
  cutPages,
  rowAsJson: (columns) =>
    `(select row_to_json(r)::text from (select ${columns.map(({ name }) => quoteName(name)).join(', ')}) r)`,
  longestStatement: undefined,
  planKeys,
  rangeCondition,
  cursorKind,
  endless,
  cursorValue,
  windowEnd,
  inCursorOrder,
  numberingsOf,
  isStandby,
  subscribed,
  openTransactions,
  windowCondition,
  openCopyOut,
  sharesState,
  holdState,
  joinState,
  stateBreach,
  stateRefusal,
  openCopyIn,
  insertRows,
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
  nativeCopy: { agreesInBinary, narrowing },
  snapshotRefusals,
  aloneWith,
  swap,
  settleSwap,
  adoptionRefusals,
  adoptSnapshots,
  dropSnapshot,
  tableHolders,
  planDeletion,
  planSweep,
  deleteRange,
  deleteTogether,
  deletesKeptBy,
  changedByDeletes,
  catalogsForeignKeys: true,
  deleteRefusal,
};
