import type { LoadDefinition } from '../config/definition.ts';
import type { Database } from '../database/dialect.ts';

/** Why a start could not make this landing table (`to.create`), which is not there: there is nothing for it to stand in. */
export async function whyNoPlace(
  database: Database,
  { landing }: Pick<LoadDefinition, 'landing'>,
  table: string,
): Promise<{ message: string; next: string } | undefined> {
  if (landing?.create !== true) return undefined;
  const missing = await database.dialect.missingPlace(database, table);
  if (!missing) return undefined;
  const { what, name, make } = missing;
  return {
    message: `${database.connection} has no ${what} ${name}, in which ${table} would be made (to.create)`,
    next: `${make}; or correct to.table`,
  };
}
