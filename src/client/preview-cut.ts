import type { LoadDefinition, RangeDefinition, StageDefinition } from '../config/definition.ts';
import { Ranges } from '../config/ranges.ts';
import { chunkKey } from '../control/chunk-key.ts';
import { sourceWhere } from '../control/conditions.ts';
import { leftUndone } from '../control/continued.ts';
import { sourceName } from '../control/source.ts';
import type { Window } from '../control/windows.ts';
import type { ChunkRange, Database, Session } from '../database/dialect.ts';
import { type BatchValues, type Cut } from '../sql/batch-sql.ts';
import { isRanged } from '../sql/ranged.ts';
import { processingName } from '../sql/processing-name.ts';
import type { ClientContext } from './context.ts';
import type { StartPreview } from './preview-start.ts';
import { acquisitionRanges } from './engine-rules.ts';

interface CutQuestion {
  load: LoadDefinition;
  stage: StageDefinition;
  start: StartPreview;
  values: BatchValues;
}

export interface CutPreview {
  chunks: number;
  /** Of the first chunk; undefined: not cut, or cut where the rows come from. */
  cut: Cut | undefined;
  /** How it is cut. */
  words: string;
}

/** Into how many chunks a stage would be cut now, and its first cut. The landing table stands in for a snapshot to come. */
export async function previewCut(
  context: ClientContext,
  database: Database,
  question: CutQuestion,
): Promise<CutPreview> {
  const { load, stage } = question;
  if (load.files) {
    return {
      chunks: question.start.work?.files?.length ?? 0,
      cut: undefined,
      words: `files, ${load.files.patterns.join(', ')}`,
    };
  }
  if (load.from) return acquisitionCut(context, database, question);
  if (load.kind === 'task') return rangeCut(database, question);
  if (!stage.chunk) return { chunks: 1, cut: undefined, words: 'one piece' };
  const { input, rows } = stage.chunk;
  const isInput = load.inputs.some(({ table }) => table === input);
  const table = isInput && question.start.inherited.includes(input) ? processingName(input) : input;
  const key = await chunkKey(database, load, stage, table);
  const method = key.length === 0 ? 'pages' : 'key';
  const where = sourceWhere(database.dialect, input, question.values);
  const ranges = await reading(database, load.name, (session) =>
    method === 'pages'
      ? database.dialect.planPages!(session, table, rows)
      : database.dialect.planKeys(session, table, key, rows, where),
  );
  const by = method === 'pages' ? 'pages' : key.map(({ name }) => name).join(', ');
  const range: ChunkRange = ranges[0] ?? { from: null, to: null };
  return { chunks: ranges.length, cut: { method, range, key }, words: `about ${rows} rows each of ${input}, by ${by}` };
}

async function acquisitionCut(
  { databases }: ClientContext,
  database: Database,
  { load, start }: CutQuestion,
): Promise<CutPreview> {
  const from = load.from!;
  const { range } = from;
  const whole = from.table === undefined && from.cursor === undefined && range === undefined;
  const cutWords = whole
    ? `all rows of ${sourceName(from)}`
    : range
      ? `${range.step} each of ${range.column} in ${sourceName(from)}`
      : `about ${load.chunkRows} rows each of ${sourceName(from)}, by ${from.cursor ?? 'its primary key'}`;
  const words = from.consistent ? `${cutWords}, all as it is at one moment` : cutWords;
  if (start.work === undefined) return { chunks: 0, cut: undefined, words };
  const ranges = await acquisitionRanges(databases, database, load, start.work.window);
  return { chunks: ranges.length, cut: undefined, words };
}

/** The ranges of a task, or what is left of them. */
async function rangeCut(database: Database, { load, stage, start }: CutQuestion): Promise<CutPreview> {
  const { work } = start;
  const ranged = isRanged(stage, database.dialect.sql);
  const all = work?.window && load.range && ranged ? rangesOf(work.window, load.range) : undefined;
  const cut: Cut | undefined = ranged ? { method: 'range', range: all?.at(0) ?? UNKNOWN, key: [] } : undefined;
  const words = ranged ? `ranges of ${load.range?.step.text}` : 'one piece';
  const n = load.stages.indexOf(stage) + 1;
  const left = work?.continues && (await leftUndone(database, database, work.continues.batchId, n));
  if (!left) return { chunks: all?.length ?? (ranged ? 0 : 1), cut, words };
  return { chunks: left.chunks, cut, words: `${words}, what batch ${left.batchId} left undone` };
}

const rangesOf = ({ from, to }: Window, { step }: RangeDefinition): Ranges | undefined =>
  from === null || to === null ? undefined : new Ranges({ from, to }, step);

/** A start has nothing to do, or is refused. */
const UNKNOWN: ChunkRange = { from: "‹the range's start›", to: '‹its end›' };

/** A short read-only session. */
async function reading<T>(database: Database, load: string, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await database.openSession(`waybill read ${load}`);
  try {
    await session.begin({ readOnly: true });
    return await work(session);
  } finally {
    await session.rollback();
    await session.close();
  }
}
