import type { LoadDefinition } from '../config/definition.ts';
import { settingsRefusals } from '../control/settings-refusal.ts';
import type { Database } from '../database/dialect.ts';
import { refused } from './failures.ts';

/** Before anything of a load is asked under its settings: the server's error would name neither the load's file nor its key. */
export async function refuseSettings(database: Database, load: LoadDefinition): Promise<void> {
  const [first] = await settingsRefusals(database, load);
  if (first) throw refused(first.message, { where: `${load.file}, ${first.at.join('.')}`, next: first.next });
}
