import type { LoadDefinition } from '../config/definition.ts';
import { otherWriter } from '../control/rename.ts';
import type { Database } from '../database/dialect.ts';
import { refused } from './failures.ts';

/** A load that has never run writes what another wrote: renamed without a word, it would read and consume everything again. */
export async function refuseForeignOutput(database: Database, load: LoadDefinition): Promise<void> {
  const tables = load.outputs.map(({ table }) => table);
  const other = await otherWriter(database, load.name, tables);
  if (!other) return;
  throw refused(
    `${other.table} was written by ${other.load} so far (batch ${other.batchId}), and ${load.name} is new`,
    {
      where: load.file,
      next:
        `if it is the same load under another name, write renamed_from: ${other.load}; ` +
        `if it takes the table over and begins anew, say so once: waybill run ${load.name} --force`,
    },
  );
}
