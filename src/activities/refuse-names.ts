import type { LoadDefinition } from '../config/definition.ts';
import { firstMisleading } from '../control/bare-names.ts';
import type { Databases } from '../database/databases.ts';
import { refused } from './failures.ts';

/** Before a batch opens: the tables of a load's file, and those that its SQL writes, must be the same. */
export async function refuseNames(databases: Databases, load: LoadDefinition): Promise<void> {
  const source = load.from && databases.get(load.from.connection);
  const misleading = await firstMisleading(databases.get(load.connection), source, load);
  if (!misleading) return;
  const { message, next, where } = misleading;
  throw refused(message.replaceAll('`', ''), { where, next: next.replaceAll('`', '') });
}
