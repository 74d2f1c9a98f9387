import type { AcquisitionSource, LoadDefinition } from '../config/definition.ts';
import { stillPublished, unconsumed, type ProducerBatch } from '../control/consumption.ts';
import { wantedBy } from '../control/landing.ts';
import { cursorPosition } from '../control/windows.ts';
import type { ColumnFacts, Database, Session } from '../database/dialect.ts';
import { ConfigurationError } from '../errors.ts';
import type { ClientContext } from './context.ts';
import type { StartPreview } from './preview-start.ts';

/** What a new batch would have to do. */
export interface WorkPreview {
  /** Undefined: there is work. */
  nothing?: string;
  /** Another load has to come first. */
  waitsFor?: string;
  consumes: ProducerBatch[];
  /** Acquisitions with a cursor: `[from, to)`. */
  window?: { column: ColumnFacts; from: string | null; to: string | null };
}

export async function previewWork(
  context: ClientContext,
  database: Database,
  load: LoadDefinition,
  start: StartPreview,
): Promise<WorkPreview> {
  if (load.from) return acquisition(context, database, load, load.from);
  if (load.consumes.length > 0) return consumption(database, load, start);
  if (start.inherited.length > 0) return { consumes: [] };
  for (const { table } of load.inputs) {
    if (await database.dialect.hasRows(database, table)) return { consumes: [] };
  }
  return { consumes: [], nothing: `no rows in ${load.inputs.map(({ table }) => table).join(', ')}` };
}

async function consumption(database: Database, load: LoadDefinition, { redoes }: StartPreview): Promise<WorkPreview> {
  const again = redoes ? await stillPublished(database, database, redoes.batchId, load.consumes) : [];
  const consumes = again.length > 0 ? again : await unconsumed(database, database, load.name, load.consumes);
  if (consumes.length > 0) return { consumes };
  return { consumes, nothing: `every published batch of ${load.consumes.join(', ')} has been consumed` };
}

async function acquisition(
  context: ClientContext,
  database: Database,
  load: LoadDefinition,
  source: AcquisitionSource,
): Promise<WorkPreview> {
  for (const { table } of load.outputs) {
    const wanting = await wantedBy(database, database, table);
    if (wanting) return { consumes: [], waitsFor: `${wanting.load}, which takes its snapshot of ${table}` };
  }
  const nothing = `nothing new in ${source.connection} ${source.table}`;
  const from = context.databases.get(source.connection);
  if (source.cursor === undefined) {
    return (await from.dialect.hasRows(from, source.table)) ? { consumes: [] } : { consumes: [], nothing };
  }
  const facts = await from.dialect.describeTable(from, source.table);
  const column = facts?.columns.find(({ name }) => name === source.cursor);
  const kind = column && from.dialect.cursorKind(column);
  if (!column || !kind) {
    throw new ConfigurationError(
      `${source.connection} has no column ${source.table}.${source.cursor} fit for a cursor`,
      {
        where: load.file,
        next: 'waybill validate says more',
      },
    );
  }
  const position = await cursorPosition(database, load.name, column, source.start ?? null);
  return onSource(from, load.name, async (session) => {
    const { dialect } = from;
    const to = position.until ?? (await dialect.windowEnd(session, source.table, column, kind, source.lagMs));
    if (to === null) return { consumes: [], nothing };
    const window = { column, from: position.from, to };
    const { text, values } = windowWhere(from, window);
    const { rows } = await session.run({
      text: `select exists (select 1 from ${dialect.quoteTable(source.table)} where ${text})`,
      values,
    });
    return rows[0]?.[0] === true ? { consumes: [], window } : { consumes: [], window, nothing };
  });
}

/** The condition of a window with its bound values. */
export function windowWhere(
  { dialect }: Database,
  window: NonNullable<WorkPreview['window']>,
): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const text = dialect.windowCondition(window.column, window, (value, cast) => {
    const placeholder = dialect.sql.placeholder(values.push(value));
    return cast === undefined ? placeholder : dialect.sql.cast(placeholder, cast);
  });
  return { text, values };
}

/** A short read-only session under the name of a reader, so that other acquisitions do not wait for it. */
export async function onSource<T>(
  database: Database,
  load: string,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await database.openSession(`waybill read ${load}`);
  try {
    await session.begin({ readOnly: true });
    return await work(session);
  } finally {
    await session.rollback();
    await session.close();
  }
}
