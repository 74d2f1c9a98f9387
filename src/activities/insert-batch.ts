import type { LoadDefinition } from '../config/definition.ts';
import { rereadWords } from '../config/reread.ts';
import { batchColumns, batchOf, hashOf, type Batch } from '../control/batch.ts';
import { recordConsumed } from '../control/consumed-tables.ts';
import { newestPublished, recordInputs } from '../control/consumption.ts';
import { keepsItsWork } from '../config/keeps-its-work.ts';
import { takeStepsDone } from '../control/continued.ts';
import { adoptEvents, recordEvent } from '../control/events.ts';
import { lockLanding, wantedBy } from '../control/landing.ts';
import { clearParts } from '../control/output.ts';
import { lastBatchId, nextBatchId } from '../control/project.ts';
import { lastLoadAt } from '../control/session-window.ts';
import { inheritLineage, lastSnapshot, markDropped, recordSnapshot } from '../control/snapshots.ts';
import { insertFiles } from '../control/source-files.ts';
import { STEP_PHASES, stepsOf } from '../control/steps.ts';
import type { TakenSnapshot } from '../database/snapshot-dialect.ts';
import type { Database, Session } from '../database/dialect.ts';
import type { SqlDialect } from '../sql/dialect.ts';
import { columnNamed } from '../sql/names.ts';
import { producerOf } from '../sql/batch-sql.ts';
import { processingName } from '../sql/processing-name.ts';
import { parseStatements } from '../sql/statement.ts';
import { list, raw, sql } from '../database/sql.ts';
import { inTransaction, looking, withSession } from '../database/transaction.ts';
import type { BatchReference } from '../workflows/messages.ts';
import type { Work } from './find-work.ts';
import { keptIn } from './kept-rows.ts';
import type { OpenRequest } from './open-batch.ts';
import type { SnapshotSurvey } from './survey-snapshot.ts';
import { givenParams } from './task-work.ts';

interface Findings {
  /** All loads of the project. */
  loads: LoadDefinition[];
  latest: Batch | undefined;
  snapshot: SnapshotSurvey;
  work: Extract<Work, { kind: 'work' }>;
  /** What to know of it if it has to be taken back. */
  warnings: string[];
}

type Inserted = { kind: 'opened'; batch: Batch } | { kind: 'wait'; batch: BatchReference; load: string };

/** Writes the batch and everything that it starts with, in one transaction. */
export async function insertBatch(
  database: Database,
  load: LoadDefinition,
  request: OpenRequest,
  findings: Findings,
): Promise<Inserted> {
  const floor = await highestStamp(database, load, findings.loads);
  const insert = async (session: Session, adopted: TakenSnapshot[]): Promise<Inserted> => {
    if (load.kind === 'acquisition') {
      // A core load that takes its snapshot now holds these locks: either it sees this batch, or this sees its mark.
      const tables = load.outputs.map((output) => output.table);
      await lockLanding(session, database, tables);
      for (const table of tables) {
        const wanting = await wantedBy(session, database, table);
        if (wanting && !findings.work.deadWanting?.includes(wanting.batchId)) {
          return {
            kind: 'wait',
            batch: { connection: database.connection, batchId: wanting.batchId },
            load: wanting.load,
          };
        }
      }
    }
    const batchId = await nextBatchId(session, database, floor);
    await insertRow(session, database, load, request, findings, batchId);
    await insertParts(session, database, load, batchId, request, findings.work.continues);
    await recordInputs(session, database, batchId, findings.work.consumes, 'consumes');
    await recordConsumed(session, database, batchId, consumedTables(load, database.dialect.sql));
    const read = new Set(load.reads.map((table) => producerOf(load, table)).filter((name) => name !== undefined));
    await recordInputs(session, database, batchId, await newestPublished(session, database, [...read]), 'reads');
    await takeOver(session, database, batchId, request, findings, adopted);
    await recordEvent(session, database, batchId, 'opened', {
      requestedBy: request.requestedBy,
      reason: lineOf(load, findings),
    });
    await insertFiles(session, database, batchId, findings.work.files ?? []);
    await adoptEvents(session, database, batchId, load.name);
    for (const { what, reason } of findings.work.notes ?? []) {
      await recordEvent(session, database, batchId, what, { reason });
    }
    for (const reason of findings.warnings) await recordEvent(session, database, batchId, 'others_change', { reason });
    const { reread = {} } = request;
    const asked = rereadWords(reread);
    if (asked !== '') {
      const again = reread.since !== undefined || reread.full === true;
      const reason = again ? `${asked}: what was read before is read again` : asked;
      await recordEvent(session, database, batchId, 'window_asked', { requestedBy: request.requestedBy, reason });
    }
    const { rows } = await session.query(
      sql`select ${batchColumns(database)} from ${database.ledger('batch')} where batch_id = ${batchId}`,
    );
    return { kind: 'opened', batch: batchOf(rows[0]!) };
  };
  if (load.kind !== 'acquisition') {
    return database.dialect.adoptSnapshots(database, findings.snapshot.adopted, insert);
  }
  // Not on a control connection: a swap may have the landing locks, and waits itself for who uses the tables.
  const alone = (session: Session): Promise<Inserted> => inTransaction(session, () => insert(session, []));
  return withSession(database, `waybill open ${load.name}`, alone, { looking: true });
}

/** Where the consumed rows stand that its SQL reads. */
function consumedTables(load: LoadDefinition, dialect: SqlDialect): string[] {
  if (load.consumes.length === 0) return [];
  const read = load.stages.flatMap(({ sql: texts }) =>
    texts.flatMap((text) => parseStatements(text, dialect).flatMap(({ braces }) => braces.map(({ table }) => table))),
  );
  return [...new Set(read)].filter((table) => load.consumes.includes(producerOf(load, table) ?? '')).sort();
}

/** The batch whose snapshot, set or undone chunks this one takes over. */
function reprocessed(load: LoadDefinition, { latest, work }: Findings): Batch | undefined {
  if (keepsItsWork(load)) return work.continues;
  return latest && latest.state !== 'published' ? latest : undefined;
}

function lineOf(load: LoadDefinition, findings: Findings): string | undefined {
  const other = reprocessed(load, findings);
  return other && `${findings.work.continues ? 'goes on with' : 'redoes'} batch ${other.batchId}`;
}

async function insertRow(
  session: Session,
  database: Database,
  load: LoadDefinition,
  request: OpenRequest,
  findings: Findings,
  batchId: string,
): Promise<void> {
  const { work } = findings;
  const given = work.continues ? givenParams(work.continues) : {};
  const definition = JSON.stringify(load);
  const window = await timesOf(session, database, load, request, work.continues);
  const { rows: unfinished } = await session.query<{ batch_id: string }>(sql`
    select batch_id from ${database.ledger('batch')}
    where state in ('running', 'checking', 'held', 'rolling_back', 'retracting') order by batch_id`);
  await session.query(sql`
    insert into ${database.ledger('batch')} (batch_id, load_name, kind, state, reprocess_of, attempt, triggered_by, forced,
      definition_hash, definition, params, invisible, window_from, window_to, load_at, last_load_at, session_name,
      workflow_id, first_run_id, deadline_at, requested_by)
    values (${batchId}, ${load.name}, ${load.kind}, 'running', ${reprocessed(load, findings)?.batchId ?? null},
      ${request.attempt}, ${request.workflowId}, ${request.force}, ${hashOf(definition)}, ${definition},
      ${JSON.stringify({ ...load.params, ...given, ...request.params })}, ${JSON.stringify(unfinished.map((row) => row.batch_id))},
      ${work.window?.from ?? null}, ${work.window?.to ?? null}, ${asDate(window.to)}, ${asDate(window.from)},
      ${window.session}, ${request.workflowId}, ${request.firstRunId},
      ${database.dialect.words.secondsFromNow(load.maxRuntimeMs / 1000)}, ${request.requestedBy ?? null})`);
}

/** `:last_load_at` and `:load_at`, and of which session they are: those of the batch that is gone on with, where there is one. */
async function timesOf(
  session: Session,
  database: Database,
  load: LoadDefinition,
  { window }: OpenRequest,
  continues: Batch | undefined,
): Promise<{ session: string | null; from: string | null; to: string | null }> {
  if (continues) {
    const { sessionName, lastLoadAt: from, loadAt } = continues;
    return { session: sessionName, from: from?.toISOString() ?? null, to: loadAt.toISOString() };
  }
  return window ?? { session: null, from: await lastLoadAt(session, database, [load.name]), to: null };
}

const asDate = (iso: string | null): Date | null => (iso === null ? null : new Date(iso));

async function insertParts(
  session: Session,
  database: Database,
  load: LoadDefinition,
  batchId: string,
  { keepRowsOf }: OpenRequest,
  continues: Batch | undefined,
): Promise<void> {
  const stages = load.kind === 'acquisition' ? ['copy'] : load.stages.map((stage) => stage.name);
  for (const [i, name] of stages.entries()) {
    await session.query(
      sql`insert into ${database.ledger('stage')} (batch_id, n, name) values (${batchId}, ${i + 1}, ${name})`,
    );
  }
  if (continues) await takeStepsDone(session, database, batchId, continues.batchId);
  else if (load.output) await clearParts(session, database, load.name, batchId, keepRowsOf);
  for (const phase of STEP_PHASES) {
    for (let n = 1; n <= stepsOf(load, phase).length; n += 1) {
      await session.query(sql`
        insert into ${database.ledger('step')} (batch_id, phase, n) values (${batchId}, ${phase}, ${n})
        ${database.dialect.words.onDuplicate(['batch_id', 'phase', 'n'], [])}`);
    }
  }
  const kept = keptIn(load, database.dialect).map((table) => ({ table, rollback: 'delete' }));
  for (const output of [...load.outputs, ...kept]) {
    await session.query(sql`
      insert into ${database.ledger('batch_output')} (batch_id, table_name, rollback_form)
      values (${batchId}, ${output.table}, ${output.rollback})`);
  }
}

/** A failed batch's snapshot, as it stood or was restored, with its lineage; or adopted tables of another tool, or of another load. */
async function takeOver(
  session: Session,
  database: Database,
  batchId: string,
  { requestedBy }: OpenRequest,
  { latest, snapshot }: Findings,
  adopted: TakenSnapshot[],
): Promise<void> {
  for (const record of snapshot.inherited) {
    await recordSnapshot(session, database, batchId, { ...record, adopted: false });
  }
  if (latest && (snapshot.inherited.length > 0 || snapshot.restored)) {
    const taken = [...snapshot.inherited, ...adopted].map(({ table }) => table);
    await inheritLineage(session, database, batchId, latest.batchId, taken);
  }
  for (const snapshot of adopted) {
    const processing = processingName(snapshot.table);
    const last = await lastSnapshot(session, database, processing);
    if (last && last.state !== 'published' && last.batchId !== latest?.batchId) {
      // That load's next start would take it for its own, or wait for ever for its inputs to be what they were.
      await markDropped(session, database, last.batchId, last.table);
      await inheritLineage(session, database, batchId, last.batchId, [last.table]);
    }
    await recordSnapshot(session, database, batchId, { ...snapshot, processing, adopted: true });
    await recordEvent(session, database, batchId, 'adopted', { requestedBy, reason: processing });
  }
}

/**
 * The greatest batch id of an earlier tool that this batch has to be above, in tables that no batch of ours has written
 * yet: a roll back must never take rows for ours that are not, and what is read must not look younger than its reader.
 * Before the first batch of a connection all outputs on it are asked, so that ids go up from there.
 */
async function highestStamp(database: Database, load: LoadDefinition, loads: LoadDefinition[]): Promise<string> {
  const here = loads.filter((other) => other.connection === load.connection);
  const outputs = (some: LoadDefinition[]): string[] =>
    some.flatMap((other) => other.outputs.map(({ table }) => table));
  const tables = new Set(
    (await lastBatchId(database)) === '0'
      ? outputs(here)
      : [...outputs([load]), ...outputs(here).filter((table) => load.reads.includes(table))],
  );
  const { rows: known } = await database.query<{ table_name: string }>(sql`
    select distinct table_name from ${database.ledger('batch_output')} where table_name in ${list([...tables])}`);
  for (const { table_name } of known) tables.delete(table_name);
  if (tables.size === 0) return '0';
  // Without an index this reads whole tables, once: not on a control connection.
  return looking(database, 'waybill open', async (session) => {
    let highest = 0n;
    for (const table of tables) {
      const facts = await database.dialect.describeTable(session, table);
      if (!columnNamed(facts?.columns ?? [], 'batch_id', database.dialect.sql)) continue; // said when that load runs
      const { rows } = await session.query<{ id: string | null }>(
        sql`select max(batch_id) as id from ${raw(database.dialect.quoteTable(table))}`,
      );
      const id = BigInt(rows[0]?.id ?? 0);
      if (id > highest) highest = id;
    }
    return String(highest);
  });
}
