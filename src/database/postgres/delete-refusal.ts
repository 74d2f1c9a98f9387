import { escapeLiteral } from 'pg';
import type { Database } from '../dialect.ts';
import { classify } from './errors.ts';
import { sql } from '../sql.ts';
import { looking } from '../transaction.ts';
import { quoteTable } from './names.ts';
import { partsOfTable } from './parts.ts';

/**
 * Has the server itself say it of the table, or of each of its partitions: an EXPLAIN of a DELETE is refused as the DELETE would be, and
 * what it needs (replica identity, row filter, column list, generated columns) is another from version to version. Each is let go of
 * before the next one; a table that is locked, or that this role may not delete from, is another matter.
 */
const ASK = (table: string): string => `
declare
  part regclass;
  said text;
begin
  for part in
    with recursive parts as (
      select to_regclass(${escapeLiteral(quoteTable(table))})::oid as id
      union all select inhrelid from pg_inherits join parts on inhparent = id)
    select id from parts join pg_class on oid = id where relkind = 'r' order by id
  loop
    begin
      perform set_config('lock_timeout', '1s', true);
      execute format('explain delete from only %s', part);
      raise exception using errcode = 'WB000';
    exception
      when sqlstate 'WB000' or lock_not_available or insufficient_privilege then null;
      when object_not_in_prerequisite_state or invalid_column_reference then
        get stacked diagnostics said = pg_exception_detail;
        raise exception using errcode = sqlstate, message = concat_ws('. ', sqlerrm, nullif(said, '')), table = part::text;
    end;
  end loop;
end`;

/** See `Dialect.deleteRefusal`: policies would hide rows from this role, or logical replication could not say which rows are gone. */
export async function deleteRefusal(
  database: Database,
  table: string,
): Promise<{ reason: string; next: string } | undefined> {
  return (await hiddenRows(database, table)) ?? (await unreplicated(database, table));
}

/** A table is asked by its policies, and each partition by its own where rows are deleted from it. */
async function hiddenRows(database: Database, table: string): Promise<{ reason: string; next: string } | undefined> {
  const { rows } = await database.query<{ part: string; role: string }>(sql`
    ${partsOfTable(quoteTable(table))}
    select id::regclass::text as part, current_user::text as role from parts join pg_class on oid = id
    where relrowsecurity and row_security_active(id) order by id limit 1`);
  const [hidden] = rows;
  return (
    hidden && {
      reason: `row level security of ${hidden.part} would hide some from ${hidden.role}`,
      next: `alter role ${hidden.role} bypassrls, or alter table ${hidden.part} disable row level security`,
    }
  );
}

async function unreplicated(database: Database, table: string): Promise<{ reason: string; next: string } | undefined> {
  const { rows: publications } = await database.query(sql`select 1 from pg_publication where pubdelete limit 1`);
  if (publications.length === 0) return undefined;
  try {
    const ask = { strings: [`do ${escapeLiteral(ASK(table))}`], values: [] };
    await looking(database, `waybill read ${table}`, (session) => session.query(ask));
    return undefined;
  } catch (error) {
    const { message, table: part } = error as Error & { table?: string };
    const { code } = classify(error);
    if (part === undefined || (code !== '55000' && code !== '42P10')) throw error;
    const next =
      code === '55000'
        ? `alter table ${part} replica identity full (or using a unique index), or have its publications publish no deletes`
        : `alter table ${part} replica identity full, or have its publications filter and list no other columns than those of its ` +
          'replica identity, or publish no deletes';
    return { reason: message, next };
  }
}
