import type { ClientBase } from 'pg';
import { lasting } from '../prepared-statements.ts';
import { DEPENDENT_REFUSALS } from './refuse/dependents.ts';
import { KIND_REFUSALS, SNAPSHOT_REFUSAL } from './refuse/kind.ts';
import { NAME_REFUSALS } from './refuse/names.ts';
import { PERMISSION_REFUSALS } from './refuse/permissions.ts';
import { PROPERTY_REFUSALS } from './refuse/properties.ts';
import { refusalQuery, type Refusal } from './refuse/refusal-query.ts';
import { PINNED, withSettings } from './settings.ts';
import { fitsInName, processingNameOf, type TableName } from './table-name.ts';

const FIND = `
select c.oid::text as oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relname = $2`;

const REFUSALS = refusalQuery([
  ...KIND_REFUSALS,
  SNAPSHOT_REFUSAL,
  ...NAME_REFUSALS,
  ...PROPERTY_REFUSALS,
  ...DEPENDENT_REFUSALS,
  ...PERMISSION_REFUSALS,
]);

/**
 * Why this table cannot be snapshotted (empty: it can). Looks only; locks nothing but the catalog it reads, so the
 * answer may be old by the time of the swap: `swapTable` asks again, under the lock.
 *
 * @param processingName What the snapshot will be called. Default: `<name>_processing`.
 */
export async function snapshotRefusals(
  client: ClientBase,
  table: TableName,
  processingName: string = processingNameOf(table.name),
): Promise<Refusal[]> {
  return withSettings(client, PINNED, async () => {
    const found = await client.query<{ oid: string }>(FIND, [table.schema, table.name]);
    const oid = found.rows[0]?.oid;
    if (oid === undefined) {
      const reason = `table ${table.schema}.${table.name} does not exist`;
      return [{ reason, next: 'Create it, or correct `inputs` of the load.' }];
    }
    const values = [oid, processingName, fitsInName(processingName)];
    const { rows } = await client.query<Refusal>(lasting('refusals', REFUSALS, values));
    return rows;
  });
}
