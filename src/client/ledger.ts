import type { Project } from '../config/definition.ts';
import { findBatch, type Batch } from '../control/batch.ts';
import { findNewestOfRun } from '../control/reading.ts';
import { requireProject } from '../control/project.ts';
import type { Database } from '../database/dialect.ts';
import { ConfigurationError, UnreachableError, WaybillError } from '../errors.ts';
import type { BatchReference } from '../workflows/messages.ts';
import { writtenConnections } from '../config/written-connections.ts';
import type { ClientContext } from './context.ts';

/** A database whose control tables are there, of this version and of this project; throws what a person can act on. */
export async function ledgerOf(
  context: Pick<ClientContext, 'databases' | 'project'>,
  connection: string,
): Promise<Database> {
  const database = context.databases.get(connection);
  await requireProject(database, context.project.name).catch((error: unknown) => {
    throw databaseFailure(database, error);
  });
  return database;
}

/** How long an answer is waited for: a server may be silent, and its connection stands all the same. */
const PATIENCE_MS = 10_000;

/** Reads the ledger if it can be read within so long: a progress bar must not fail because the database restarts. */
export async function ifReachable<T>(read: () => Promise<T>, patienceMs = PATIENCE_MS): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), patienceMs);
  });
  try {
    return await Promise.race([read(), silence]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** A driver's error as one of ours. Other errors pass through. */
export function databaseFailure(database: Database, error: unknown): unknown {
  if (error instanceof WaybillError) return error;
  const { kind, code, message } = database.dialect.classify(error);
  const where = `connection ${database.connection}`;
  if (kind === 'connection') return new UnreachableError(`${database.connection}: ${message}`, { where, cause: error });
  if (code === '42501') {
    return new ConfigurationError(message, {
      where,
      next: 'grant the role what it lacks, or let another role do this',
      cause: error,
    });
  }
  return code === undefined ? error : new WaybillError(message, { where, cause: error });
}

/** The batch that a run works on: the one that it names, else the newest that it opened. */
export async function batchOfRun(
  database: Database,
  firstRunId: string,
  named: BatchReference | undefined,
): Promise<Batch | undefined> {
  return named ? findBatch(database, named.batchId) : findNewestOfRun(database, firstRunId);
}

/** `114`, or `warehouse/114`, as people write it. Throws `ConfigurationError` for what is none. */
export function readBatchId(project: Pick<Project, 'loads'>, text: string): { wanted: string | undefined; id: string } {
  const match = /^(?:(.+)\/)?(\d{1,18})$/.exec(text.trim());
  if (match === null) {
    throw new ConfigurationError(`${text} is not a batch id`, {
      next: 'write 114, or warehouse/114; `waybill status` shows the newest ones',
    });
  }
  const connections = writtenConnections(project);
  const [, wanted, id] = match;
  if (wanted !== undefined && !connections.includes(wanted)) {
    throw new ConfigurationError(`no load writes to a connection ${wanted}`, {
      where: 'waybill.yaml',
      next: `connections with batches: ${connections.join(', ')}`,
    });
  }
  return { wanted, id: id! };
}

/** The batch of such an id. Throws `ConfigurationError`, too, where it is not there, or ambiguous. */
export async function findWrittenBatch(
  context: ClientContext,
  text: string,
): Promise<{ database: Database; batch: Batch }> {
  const { wanted, id } = readBatchId(context.project, text);
  const connections = writtenConnections(context.project);
  const found: { database: Database; batch: Batch }[] = [];
  for (const connection of wanted === undefined ? connections : [wanted]) {
    const database = await ledgerOf(context, connection);
    const batch = await findBatch(database, id);
    if (batch) found.push({ database, batch });
  }
  if (found.length > 1) {
    const ids = found.map(({ database }) => `${database.connection}/${id}`);
    throw new ConfigurationError(`several connections have a batch ${id}`, { next: `write ${ids.join(' or ')}` });
  }
  const [only] = found;
  if (only) return only;
  throw new ConfigurationError(`there is no batch ${id}`, {
    where: `connection ${wanted ?? connections.join(', ')}`,
    next: 'look at `waybill status` for the newest batch of each load',
  });
}
