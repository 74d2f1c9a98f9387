import type { AcquisitionSource, LoadDefinition, LoadKind, SqlSource, StageDefinition } from '../config/definition.ts';
import type { Batch } from '../control/batch.ts';
import { byLoad, type ProducerBatch } from '../control/consumption.ts';
import type { Database } from '../database/dialect.ts';
import { raw, sql } from '../database/sql.ts';
import { reading } from '../database/transaction.ts';
import { renderForBatch, type BatchValues, type Cut } from '../sql/batch-sql.ts';
import { whyNoSnapshot } from '../control/snapshot-refusals.ts';
import { sourceName } from '../control/source.ts';
import { parseStatements, type SqlPlace } from '../sql/statement.ts';
import type { ClientContext } from './context.ts';
import { databaseFailure, ledgerOf } from './ledger.ts';
import { previewCut } from './preview-cut.ts';
import { landingWords } from './preview-landing.ts';
import { previewStart, type StartPreview } from './preview-start.ts';

/** A statement as it would be sent. */
export interface StatementPreview {
  /** `file:line:column`. */
  where: string;
  text: string;
  /** Of its placeholders, in order; what only a batch will know stands in ‹ ›. */
  values: string[];
}

export interface StagePreview {
  name: string;
  lanes: number;
  /** About; for a stage that is cut by what an earlier stage writes, as it stands now. */
  chunks: number;
  cut: string;
  statements: StatementPreview[];
}

/** What a start would do at this moment. Nothing is touched, and nothing is promised: a start decides anew. */
export interface LoadPreview {
  load: string;
  kind: LoadKind;
  /** What its file says of it. */
  description: string | null;
  connection: string;
  does: StartPreview['does'];
  /** What comes first, why there is nothing to do, or why it is refused. */
  because: string[];
  /** The failed batch that the new one does again, or goes on with. */
  redoes: string | null;
  /** Landing tables, and whether their snapshot is taken anew or is there already. */
  snapshot: { table: string; taken: 'anew' | 'before' }[];
  /** Why the snapshot would be refused. */
  refusals: string[];
  /** What becomes of an acquisition's landing table, or of columns that it lacks. */
  landing: string[];
  /** Of a cursor; or of a task's range, whose column only its SQL knows. */
  window: { column: string | null; from: string | null; to: string | null } | null;
  consumes: ProducerBatch[];
  stages: StagePreview[];
  before: StatementPreview[];
  checks: (StatementPreview & { name: string; expect: string; severity: string })[];
  after: StatementPreview[];
  /** When it has failed. */
  on_error: StatementPreview[];
  locks: string[];
  /** Rows of an unfinished batch that are taken back first. */
  removes: { table: string; batch: string; rows: number }[];
}

export async function previewLoad(context: ClientContext, load: LoadDefinition): Promise<LoadPreview> {
  const database = await ledgerOf(context, load.connection);
  try {
    return await preview(context, database, load);
  } catch (error) {
    throw databaseFailure(database, error);
  }
}

async function preview(context: ClientContext, database: Database, load: LoadDefinition): Promise<LoadPreview> {
  const start = await previewStart(context, database, load);
  const values = previewValues(load, start);
  const sqlOf = (source: SqlSource, stage?: StageDefinition, cut?: Cut): StatementPreview[] =>
    statements(database, values, source, 'batch', stage, cut);
  const stepOf = (source: SqlSource): StatementPreview[] => statements(database, values, source, 'step');
  const stages: StagePreview[] = [];
  for (const stage of load.kind === 'acquisition' ? [copyStage(load)] : load.stages) {
    const { cut, chunks, words } = await previewCut(context, database, { load, stage, start, values });
    const lanes = Math.min(stage.lanes ?? load.lanes, database.lanePlaces);
    stages.push({
      name: stage.name,
      lanes,
      chunks,
      cut: words,
      statements: load.from ? queryOf(context, load.from) : stage.sql.flatMap((source) => sqlOf(source, stage, cut)),
    });
  }
  return {
    load: load.name,
    kind: load.kind,
    description: load.description ?? null,
    connection: load.connection,
    does: start.does,
    because: start.because,
    redoes: start.redoes?.batchId ?? null,
    snapshot: load.inputs.map(({ table }) => ({ table, taken: start.inherited.includes(table) ? 'before' : 'anew' })),
    refusals: await refusals(database, load, start.inherited),
    landing: (start.work?.notes ?? []).map(landingWords),
    window: windowOf(load, start),
    consumes: start.work?.consumes ?? [],
    stages,
    before: load.before.flatMap(stepOf),
    checks: load.checks.map((check) => ({
      ...sqlOf(check.sql)[0]!,
      ...{ name: check.name, expect: check.expect.text, severity: check.severity },
    })),
    after: load.after.flatMap(stepOf),
    on_error: load.onError.flatMap(stepOf),
    locks: locksOf(load, start.inherited),
    removes: start.takesBack ? await removals(database, start.takesBack) : [],
  };
}

function windowOf({ from, range }: LoadDefinition, { work }: StartPreview): LoadPreview['window'] {
  if (work?.window === undefined || (from?.cursor === undefined && range === undefined)) return null;
  const column = from?.cursor ?? (range && 'table' in range.over ? range.over.column : null);
  return { column, ...work.window };
}

/** Values that stand for themselves: a preview shows which they are. */
function previewValues(load: LoadDefinition, { work }: StartPreview): BatchValues {
  return {
    definition: load,
    batchId: '‹the new batch›',
    loadAt: '‹its start›',
    lastLoadAt: '‹start of the last published batch›',
    params: load.params,
    consumed: byLoad(work?.consumes ?? []),
    invisible: [],
  };
}

/** `from.sql`, as the source gets it. */
function queryOf({ databases }: ClientContext, { connection, sql: query }: AcquisitionSource): StatementPreview[] {
  if (query === undefined) return [];
  return parseStatements(query, databases.get(connection).dialect.sql).map(({ file, line, column, text }) => ({
    where: `${file}:${line}:${column}`,
    text,
    values: [],
  }));
}

const copyStage = (load: LoadDefinition): StageDefinition => ({ name: 'copy', sql: [], lanes: load.lanes });

function statements(
  { dialect }: Database,
  values: BatchValues,
  source: SqlSource,
  place: SqlPlace,
  stage?: StageDefinition,
  cut?: Cut,
): StatementPreview[] {
  return parseStatements(source, dialect.sql, place).map((statement) => {
    const rendered = renderForBatch(statement, values, dialect, stage, cut);
    return {
      where: `${statement.file}:${statement.line}:${statement.column}`,
      text: rendered.text,
      values: rendered.values.map((value) => (value === null ? 'null' : `${value as string | number | boolean}`)),
    };
  });
}

async function refusals(database: Database, load: LoadDefinition, inherited: string[]): Promise<string[]> {
  const found: string[] = [];
  for (const { table } of load.inputs) {
    if (inherited.includes(table)) continue;
    const reasons = await whyNoSnapshot(database, load, table);
    found.push(...reasons.map(({ reason, next }) => `${table}: ${reason}. ${next}`));
  }
  return found;
}

/** In words, because each server has its own names for them. */
function locksOf(load: LoadDefinition, inherited: string[]): string[] {
  const outputs = load.outputs.map(({ table }) => table).join(', ');
  const anew = load.inputs.map(({ table }) => table).filter((table) => !inherited.includes(table));
  return [
    ...(anew.length > 0
      ? [`${anew.join(', ')}: alone, for the moment of the renaming; while it waits for one it holds no other`]
      : []),
    ...(load.from ? [`${sourceName(load.from)}: as any reader`] : []),
    ...(load.outputs.length > 0 ? [`${outputs}: as any writer; readers and other writers go on`] : []),
    ...(load.kind === 'task' ? ['those that its SQL takes, a range at a time'] : []),
  ];
}

/** A roll back goes by what the batch began with, whatever the file says by now. */
async function removals(database: Database, { batchId, definition }: Batch): Promise<LoadPreview['removes']> {
  const found: LoadPreview['removes'] = [];
  for (const { table } of definition.outputs) {
    if (!(await database.dialect.describeTable(database, table))) continue; // nothing can be taken back from it
    const count = sql`select count(*) as n from ${raw(database.dialect.quoteTable(table))} where batch_id = ${batchId}`;
    const { rows } = await reading(database, `waybill read ${definition.name}`, (session) =>
      session.query<{ n: string }>(count),
    );
    found.push({ table, batch: batchId, rows: Number(rows[0]?.n) });
  }
  return found;
}
