import { escapeIdentifier, type ClientBase } from 'pg';
import { LoadFailedError } from '../../../errors.ts';
import { differenceOf, linesOf, mustBeAlike } from './carry/alike.ts';
import { askAll, type Carried } from './carry/carried.ts';
import { TOUCH_COLUMNS } from './carry/columns.ts';
import { TOUCH_ROW_TYPE } from './carry/comments.ts';
import { revokeCreated } from './carry/grants.ts';
import { LEAVE_PUBLICATIONS } from './carry/publications.ts';
import { isHindered, replay } from './carry/replay.ts';
import { continueSequence } from './carry/sequences.ts';
import { whatTableHas } from './carry/what-table-has.ts';
import { guardStatements } from './guard.ts';
import { tableIdentity, type TableIdentity } from './identity.ts';
import { snapshotRefusals } from './refusals.ts';
import { PINNED, withSettings } from './settings.ts';
import { whatStepsAside, type SteppedAside } from './step-aside.ts';
import { TableBusyError } from './table-busy-error.ts';
import { TableChangedError } from './table-changed-error.ts';
import type { TableName } from './table-name.ts';

export interface SwapOptions {
  /** `<name>_processing`; must be free. */
  processingName: string;
  /** Where `refuse_snapshot_write()` is (`snapshotGuardFunctionSql`). */
  controlSchema: string;
}

const HOLDS_LOCK = `
select exists (select from pg_catalog.pg_locks
  where locktype = 'relation' and relation = $1::oid and mode = 'AccessExclusiveLock' and granted
    and pid = pg_catalog.pg_backend_pid()) as holds`;

const SETTINGS = {
  ...PINNED,
  // Every lock that others can hold is held already (lockTables). Should one be missing, we give up before the server's
  // deadlock_timeout makes it end somebody else's transaction.
  lock_timeout: '200ms',
  default_tablespace: '',
};

/**
 * Renames the table to `processingName`, makes that read-only, and gives the old name to an empty twin with everything
 * that the table had (docs/snapshot.md lists it). Writers that wait for the table write to the twin.
 *
 * The caller holds the locks of `lockTables`, in a READ COMMITTED transaction which it commits; after an error it rolls
 * back, and nothing has happened. Constraints hold within the twin, not across it and the snapshot.
 *
 * @returns the identity of the snapshot (the OID is that of the table until now).
 * @throws LoadFailedError when the table cannot be snapshotted; the message says why. TableBusyError when somebody holds, and
 * TableChangedError when somebody has changed meanwhile, what no lock of ours keeps: another attempt from the locks on may help.
 */
export async function swapTable(client: ClientBase, table: TableName, options: SwapOptions): Promise<TableIdentity> {
  try {
    return await withSettings(client, SETTINGS, () => swapLocked(client, table, options));
  } catch (cause) {
    if (!isHindered(cause)) throw cause;
    throw new TableBusyError(table, [], { cause });
  }
}

async function swapLocked(client: ClientBase, table: TableName, options: SwapOptions): Promise<TableIdentity> {
  await mustBePossible(client, table, options.processingName);
  const { oid, filenode } = await mustExist(client, table);
  await mustBeLocked(client, oid);
  const name = `${table.schema}.${table.name}`;
  const snapshot = { schema: table.schema, name: options.processingName };
  const aside = await whatStepsAside(client, oid);
  const identitySequences = aside.filter((one) => one.kind === 'sequence');
  const before = await linesOf(client, oid, []);
  const touch = await askAll(client, [TOUCH_COLUMNS, TOUCH_ROW_TYPE], oid);
  const twin = await whatTableHas(
    client,
    oid,
    identitySequences.map((sequence) => sequence.oid),
  );

  await replay(client, [
    ...touch,
    ...aside.map((one) => one.rename),
    renameTable(table, snapshot.name),
    ...twin.structure,
  ]);
  // GRANT, and what changes an index or statistics, takes no lock on the table. Now that all of those have been written to here, the
  // next one waits for us, and one that came before is seen.
  const now = await linesOf(client, oid, aside);
  if (differenceOf(before, now) !== undefined) throw new TableChangedError(table, before, now);

  await replay(client, [
    ...(await madeByCreation(client, table, identitySequences)),
    ...twin.grants,
    ...identitySequences.map((sequence) => continueSequence(sequence.before, sequence.after)),
    ...(await askAll(client, [LEAVE_PUBLICATIONS], oid)),
    ...twin.surroundings,
    ...guardStatements(snapshot, name, options.controlSchema),
  ]);
  mustBeAlike(name, now, await linesOf(client, (await mustExist(client, table)).oid, []));
  return { oid, filenode };
}

const renameTable = (table: TableName, name: string) =>
  `alter table ${escapeIdentifier(table.schema)}.${escapeIdentifier(table.name)} rename to ${escapeIdentifier(name)}`;

/** Revokes what built-in and default privileges gave to the new table and its new sequences. */
async function madeByCreation(
  client: ClientBase,
  table: TableName,
  identitySequences: readonly SteppedAside[],
): Promise<Carried[]> {
  const revokes = await askAll(client, [revokeCreated('table')], (await mustExist(client, table)).oid);
  for (const { before } of identitySequences) {
    const { rows } = await client.query<{ oid: string }>('select $1::regclass::oid::text as oid', [before]);
    revokes.push(...(await askAll(client, [revokeCreated('sequence')], rows[0]!.oid)));
  }
  return revokes;
}

async function mustExist(client: ClientBase, table: TableName): Promise<TableIdentity> {
  const identity = await tableIdentity(client, table);
  if (identity === undefined) throw new LoadFailedError(`table ${table.schema}.${table.name} does not exist`);
  return identity;
}

/** What is read from the catalog below must still be true when it is replayed. */
async function mustBeLocked(client: ClientBase, oid: string): Promise<void> {
  const { rows } = await client.query<{ holds: boolean }>(HOLDS_LOCK, [oid]);
  if (!rows[0]!.holds) throw new Error('swapTable needs the locks of lockTables');
}

/** Asks again what validation asked: only now, under the lock, does the answer hold. */
async function mustBePossible(client: ClientBase, table: TableName, processingName: string): Promise<void> {
  const refusals = await snapshotRefusals(client, table, processingName);
  if (await tableIdentity(client, { schema: table.schema, name: processingName })) {
    refusals.push({
      reason: `${table.schema}.${processingName} exists already`,
      next: "It is a snapshot that has not been dropped, or somebody else's table: see waybill status.",
    });
  }
  if (refusals.length === 0) return;
  throw new LoadFailedError(
    `${table.schema}.${table.name} cannot be snapshotted: ${refusals.map((refusal) => refusal.reason).join('; ')}`,
    { where: `${table.schema}.${table.name}`, next: refusals.map((refusal) => refusal.next).join(' ') },
  );
}
