import type { LoadDefinition, StageDefinition } from '../config/definition.ts';
import type { ChunkRange, ColumnFacts, Database } from '../database/dialect.ts';
import { sourceCondition, type BatchValues, type Cut } from '../sql/batch-sql.ts';
import { processingName } from '../sql/processing-name.ts';
import type { ClientContext } from './context.ts';
import type { StartPreview } from './preview-start.ts';
import { onSource, windowWhere, type WorkPreview } from './preview-work.ts';

interface CutQuestion {
  load: LoadDefinition;
  stage: StageDefinition;
  start: StartPreview;
  work: WorkPreview;
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
  if (load.from) return acquisitionCut(context, load, question);
  if (!stage.chunk) return { chunks: 1, cut: undefined, words: 'one piece' };
  const { input, rows } = stage.chunk;
  const key = await keyOf(database, load, stage);
  const isInput = load.inputs.some(({ table }) => table === input);
  const table = isInput && question.start.inherited.includes(input) ? processingName(input) : input;
  const method = key.length === 0 && isInput ? 'pages' : 'key';
  const ranges = await onSource(database, load.name, (session) =>
    method === 'pages'
      ? database.dialect.planPages(session, table, rows)
      : database.dialect.planKeys(session, table, key, rows, conditionOf(database, input, question.values)),
  );
  const by = method === 'pages' ? 'pages' : key.map(({ name }) => name).join(', ');
  const range: ChunkRange = ranges[0] ?? { from: null, to: null };
  return { chunks: ranges.length, cut: { method, range, key }, words: `about ${rows} rows each of ${input}, by ${by}` };
}

async function keyOf(database: Database, load: LoadDefinition, stage: StageDefinition): Promise<ColumnFacts[]> {
  const { chunk } = stage;
  if (!chunk) return [];
  const facts = await database.dialect.describeTable(database, chunk.input);
  const isInput = load.inputs.some(({ table }) => table === chunk.input);
  const unique = facts?.indexes.find(({ primary }) => primary) ?? facts?.indexes.find((index) => index.unique);
  const names = chunk.key ?? (isInput ? [] : (unique?.columns ?? []));
  return names
    .map((name) => facts?.columns.find((column) => column.name === name))
    .filter((column): column is ColumnFacts => column !== undefined);
}

function conditionOf({ dialect }: Database, table: string, values: BatchValues) {
  const bound: unknown[] = [];
  const text = sourceCondition(
    table,
    (value, cast) => {
      const placeholder = dialect.sql.placeholder(bound.push(value));
      return cast === undefined ? placeholder : dialect.sql.cast(placeholder, cast);
    },
    values,
    dialect,
  );
  return text === undefined ? undefined : { text, values: bound };
}

async function acquisitionCut(
  context: ClientContext,
  load: LoadDefinition,
  { work }: CutQuestion,
): Promise<CutPreview> {
  const source = load.from!;
  const database = context.databases.get(source.connection);
  const facts = await database.dialect.describeTable(database, source.table);
  const primary = facts?.indexes.find((index) => index.primary && index.columns.length > 0);
  const key = work.window?.column ?? facts?.columns.find(({ name }) => name === primary?.columns[0]);
  if (!key) return { chunks: 1, cut: undefined, words: 'one piece: no cursor, and no primary key' };
  if (work.nothing !== undefined) return { chunks: 0, cut: undefined, words: `by ${key.name}` };
  const where = work.window && windowWhere(database, work.window);
  const ranges = await onSource(database, load.name, (session) =>
    database.dialect.planKeys(session, source.table, [key], load.chunkRows, where),
  );
  return {
    chunks: ranges.length,
    cut: undefined,
    words: `about ${load.chunkRows} rows each of ${source.connection} ${source.table}, by ${key.name}`,
  };
}
