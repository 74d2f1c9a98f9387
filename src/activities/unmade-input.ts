import type { LoadDefinition } from '../config/definition.ts';
import type { Database } from '../database/dialect.ts';
import { processingName } from '../sql/processing-name.ts';

/**
 * Why a load that has never run has nothing to do: an acquisition is to make one of its inputs (`to.create`), and has not yet, for it found
 * nothing to make it of. Where a batch has been, or a snapshot stands there, a table that is gone is one that somebody has dropped.
 */
export async function unmadeInput(
  database: Database,
  load: LoadDefinition,
  loads: LoadDefinition[],
): Promise<string | undefined> {
  for (const { table } of load.inputs) {
    const maker = loads.find(
      ({ connection, landing, outputs }) =>
        landing?.create === true && connection === load.connection && outputs.some((output) => output.table === table),
    );
    if (!maker || (await database.dialect.describeTable(database, table))) continue;
    if (await database.dialect.describeTable(database, processingName(table))) continue;
    return `${table} is not there yet: ${maker.name} makes it`;
  }
  return undefined;
}
