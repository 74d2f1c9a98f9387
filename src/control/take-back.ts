import type { LoadDefinition } from '../config/definition.ts';
import type { Database } from '../database/dialect.ts';

/** What may keep rows of an output when they are deleted. A roll back that meets it says so, and is not done. */
export async function whatMayKeepRows(
  database: Database,
  table: string,
): Promise<{ message: string; next: string } | undefined> {
  const keepers = (await database.dialect.deletesKeptBy(database, table)).filter(({ likely }) => likely);
  if (keepers.length === 0) return undefined;
  return {
    message: `${table} may keep rows when they are deleted (${keepers.map(({ name }) => name).join(', ')}): a batch that has to be taken back would wait until somebody changes that`,
    next: 'Have it let the user of this connection delete.',
  };
}

/** Rows of tables that the load does not write, and that would be deleted or changed with those of a batch that is taken back. */
export async function whatElseChanges(
  database: Database,
  { outputs }: Pick<LoadDefinition, 'outputs'>,
): Promise<{ table: string; message: string; next: string }[]> {
  const tables = outputs.map(({ table }) => table);
  const found = await database.dialect.changedByDeletes(database, tables);
  return tables.flatMap((table) => {
    const keys = found.filter(({ output }) => output === table);
    if (keys.length === 0) return [];
    const named = keys.map(({ table: other, key, rule }) => `${other} (foreign key ${key}, on delete ${rule})`);
    return {
      table,
      message: `a roll back that deletes rows of ${table} would delete or change the rows that refer to them in ${named.join(', ')}`,
      next: 'If rows may refer to those of a batch that is not published, declare the key on delete no action: a roll back says then what stops it.',
    };
  });
}

/** The same for the events of a batch that is opened, which it does not keep from being opened: only where the server has it at hand. */
export async function toldOfOthers(database: Database, load: Pick<LoadDefinition, 'outputs'>): Promise<string[]> {
  if (!database.dialect.catalogsForeignKeys) return [];
  try {
    return (await whatElseChanges(database, load)).map(({ message }) => message);
  } catch {
    return [];
  }
}

/** Why no batch could be taken back from this output: a roll back would find its rows for ever, or end with the same error each time. */
export async function whyNeverTakenBack(
  database: Database,
  table: string,
): Promise<{ message: string; next: string } | undefined> {
  const keeper = (await database.dialect.deletesKeptBy(database, table)).find(({ always }) => always);
  if (keeper) {
    return {
      message: `${table} keeps its rows when they are deleted (${keeper.name}): no batch could be taken back`,
      next: 'drop the rule, or have the load write to a table without one',
    };
  }
  const refusal = await database.dialect.deleteRefusal(database, table);
  return (
    refusal && {
      message: `${table} would keep the rows of a batch that has to be taken back: ${refusal.reason}`,
      next: refusal.next,
    }
  );
}
