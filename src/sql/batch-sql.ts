import type { LoadDefinition, ParameterValue, StageDefinition } from '../config/definition.ts';
import type { ChunkMethod, ChunkRange, ColumnFacts, Dialect } from '../database/dialect.ts';
import { ConfigurationError } from '../errors.ts';
import { processingName } from './processing-name.ts';
import { bindRangeValue } from './range-value.ts';
import { renderStatement, type Bind, type RenderedStatement } from './render.ts';
import type { BraceUse, ParameterUse, Statement } from './statement.ts';

/** What a batch's SQL is about: all of it was stored when the batch opened. */
export interface BatchValues {
  definition: LoadDefinition;
  batchId: string;
  /** When the batch opened, ISO text. */
  loadAt: string;
  /** When the last published batch of this load opened; null before the first. */
  lastLoadAt: string | null;
  params: Record<string, ParameterValue>;
  /** Batches to consume, by producing load. */
  consumed: Record<string, string[]>;
  /** Batches that were unfinished when this one opened. */
  invisible: string[];
}

/** The cut of a chunked stage. */
export interface Cut {
  method: ChunkMethod;
  range: ChunkRange;
  key: ColumnFacts[];
}

/** Renders one statement of a load for one execution. */
export function renderForBatch(
  statement: Statement,
  batch: BatchValues,
  dialect: Dialect,
  stage?: StageDefinition,
  cut?: Cut,
): RenderedStatement {
  const rendered = renderStatement(
    statement,
    {
      parameter: (use, bind) => renderParameter(use, bind, batch, dialect, cut),
      brace: (use, bind) => renderBrace(use, bind, batch, dialect, stage, cut),
    },
    dialect.sql,
  );
  const { time_zone: timeZone } = batch.definition.sessionParams;
  return timeZone === undefined ? rendered : { ...rendered, timeZone };
}

function renderParameter(use: ParameterUse, bind: Bind, batch: BatchValues, dialect: Dialect, cut?: Cut): string {
  switch (use.name) {
    case 'batch_id':
      return bind(batch.batchId, dialect.castOf('batch id'));
    case 'load_at':
      return renderInstant(batch.loadAt, bind, batch, dialect);
    case 'last_load_at':
      return renderInstant(batch.lastLoadAt, bind, batch, dialect);
    case 'from':
    case 'to':
      return renderBound(use.name, bind, dialect, cut);
    default: {
      const name = use.name.replace(/^params\./, '');
      const value = batch.params[name];
      if (!use.name.startsWith('params.') || value === undefined) {
        throw new ConfigurationError(`unknown parameter :${use.name}`, { where: `${batch.definition.name}` });
      }
      return bind(value, castOfValue(value, batch.definition.decimals?.includes(name) === true, dialect));
    }
  }
}

/** As columns of times have it, where the load's statements run in a time zone. */
function renderInstant(iso: string | null, bind: Bind, { definition }: BatchValues, dialect: Dialect): string {
  const utc = bind(iso && dialect.sql.instant(iso), dialect.castOf('time'));
  const { localTime } = dialect.sql;
  return localTime && definition.sessionParams['time_zone'] !== undefined ? localTime(utc) : utc;
}

/** The bounds of a chunk; of a range of keys, open ends and NULL keys bind NULL. */
function renderBound(name: 'from' | 'to', bind: Bind, dialect: Dialect, cut?: Cut): string {
  if (cut?.method === 'range') return bindRangeValue(cut.range[name] ?? '', bind, dialect);
  const text = cut?.method === 'key' ? cut.range[name] : null;
  const value = text === null || !text.startsWith('[') ? null : (JSON.parse(text) as string[])[0];
  return bind(value ?? null, cut?.key[0]?.castType || undefined); // a text takes the type of its place
}

/** What is declared as a decimal is one whatever its value where `/` truncates; elsewhere `100.0` would only get a cast's many zeros. */
function castOfValue(value: ParameterValue, isDecimal: boolean, dialect: Dialect): string | undefined {
  if (typeof value === 'boolean') return dialect.castOf('boolean');
  if (typeof value === 'number') {
    const isWhole = Number.isSafeInteger(value) && !(isDecimal && dialect.sql.divisionTruncates);
    return dialect.castOf(isWhole ? 'integer' : 'decimal');
  }
  return undefined; // text takes the type of its place
}

/** The rows of a table that are this batch's business, as a derived table (DESIGN §2, "in braces"). */
function renderBrace(
  use: BraceUse,
  bind: Bind,
  batch: BatchValues,
  dialect: Dialect,
  stage?: StageDefinition,
  cut?: Cut,
): string {
  const conditions = [sourceCondition(use.table, bind, batch, dialect)];
  if (cut && stage?.chunk?.input === use.table && !use.all) {
    conditions.push(dialect.rangeCondition(cut.method, cut.range, cut.key, bind));
  }
  const where = conditions.filter((condition) => condition !== undefined && condition !== 'true');
  const source = dialect.quoteTable(sourceTable(use.table, batch.definition));
  return `(select * from ${source}${where.length > 0 ? ` where ${where.join(' and ')}` : ''})`;
}

/** The table that is read for `{{ table }}`: a snapshot for an input, else the table itself. */
export function sourceTable(table: string, definition: LoadDefinition): string {
  return definition.inputs.some((input) => input.table === table) ? processingName(table) : table;
}

/** The load that writes a table, where one does; the table may be called `constructor`. */
export const producerOf = ({ producers }: Pick<LoadDefinition, 'producers'>, table: string): string | undefined =>
  Object.hasOwn(producers, table) ? producers[table] : undefined;

/** Which of its rows: those of consumed batches, those published, or all. */
export function sourceCondition(table: string, bind: Bind, batch: BatchValues, dialect: Dialect): string | undefined {
  const { definition } = batch;
  if (definition.inputs.some((input) => input.table === table)) return undefined;
  const producer = producerOf(definition, table);
  if (producer !== undefined && definition.consumes.includes(producer)) {
    return dialect.inBatches('batch_id', batch.consumed[producer] ?? [], bind);
  }
  const own = definition.outputs.some((output) => output.table === table);
  if (!own && producer === undefined) return undefined; // nobody's output: a table outside Waybill, all of it
  const until = `batch_id ${own ? '<=' : '<'} ${bind(batch.batchId, dialect.castOf('batch id'))}`;
  const unseen = batch.invisible.length > 0 ? ` and not ${dialect.inBatches('batch_id', batch.invisible, bind)}` : '';
  return `(batch_id is null or (${until}${unseen}))`; // rows older than Waybill may carry no id
}
