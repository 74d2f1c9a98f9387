/** The dialect's snapshot methods, over the steps in snapshot/. */
import type { Dialect } from '../dialect.ts';
import type { MysqlSession } from './session.ts';
import { adoptSnapshots } from './snapshot/adopt.ts';
import { aloneWith } from './snapshot/alone-with.ts';
import { dropSnapshot } from './snapshot/drop.ts';
import { tableHolders } from './snapshot/holders.ts';
import { isStill, tableIdentity } from './snapshot/identity.ts';
import { adoptionRefusals, snapshotRefusals } from './snapshot/refusals.ts';
import { settleSwap, swap } from './snapshot/swap.ts';

export const snapshotMethods = {
  tableIdentity,
  rewriteMovesRows: false,
  isStill,
  snapshotRefusals: (session, table) => snapshotRefusals(session as MysqlSession, table),
  aloneWith: (session, tables, work) => aloneWith(session as MysqlSession, tables, work),
  swap: (session, database, request, ledger) => swap(session as MysqlSession, database, request, ledger),
  settleSwap,
  adoptionRefusals: (session, processing) => adoptionRefusals(session as MysqlSession, processing),
  adoptSnapshots,
  dropSnapshot: (session, snapshot, ledger) => dropSnapshot(session as MysqlSession, snapshot, ledger),
  tableHolders: (session, table) => tableHolders(session as MysqlSession, table),
} satisfies Partial<Dialect>;
