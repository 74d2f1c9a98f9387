import { readParts } from '../control/output.ts';
import type { ClientContext } from './context.ts';
import { databaseFailure } from './ledger.ts';
import type { RunEnd } from './run-end.ts';

/** The loads of a run that show their rows on standard output, and have. */
export const shownLoads = ({ project }: ClientContext, { loads }: RunEnd): RunEnd['loads'] =>
  loads.filter(
    ({ load, state, batch_id }) =>
      state === 'published' && batch_id !== null && project.loads[load]?.output?.file === null,
  );

/** The rows that the query of a task gave, as text, piece by piece. */
export async function* readOutput(
  { project, databases }: ClientContext,
  load: string,
  batchId: string,
): AsyncGenerator<string> {
  const database = databases.get(project.loads[load]!.connection);
  try {
    yield* readParts(database, batchId);
  } catch (error) {
    throw databaseFailure(database, error);
  }
}
