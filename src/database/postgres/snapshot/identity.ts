import type { ClientBase } from 'pg';
import type { TableName } from './table-name.ts';

/** Which table this is, whatever its name: another OID is another table, another filenode a rewritten one. */
export interface TableIdentity {
  oid: string;
  filenode: string;
}

const IDENTITY = `
select c.oid::pg_catalog.text as oid, pg_catalog.pg_relation_filenode(c.oid)::pg_catalog.text as filenode
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p')`;

/**
 * The identity of the table that has this name now. Without its lock it may be another one a moment later.
 *
 * ctid ranges hold only while both numbers stay: VACUUM FULL, CLUSTER and TRUNCATE give a new filenode (FACTS.md).
 */
export async function tableIdentity(client: ClientBase, table: TableName): Promise<TableIdentity | undefined> {
  const { rows } = await client.query<TableIdentity>(IDENTITY, [table.schema, table.name]);
  return rows[0];
}
