import { formatTableName } from '../../sql/names.ts';
import { mysqlSql } from '../../sql/mysql.ts';
import type { Database } from '../dialect.ts';
import type { ChangedByDelete } from '../output-dialect.ts';
import { part, raw, sql, type SqlPart } from '../sql.ts';
import { looking } from '../transaction.ts';
import { isTable } from './tables.ts';

interface KeyRow {
  n: number | string;
  s: string;
  t: string;
  c: string;
  rule: string;
}

/** See `Dialect.changedByDeletes`. Of a table on which the account has no right information_schema shows nothing. */
export async function changedByDeletes(database: Database, tables: readonly string[]): Promise<ChangedByDelete[]> {
  if (tables.length === 0) return [];
  const referredTo = tables.map((table) =>
    isTable(table, { schema: 'r.unique_constraint_schema', name: 'r.referenced_table_name' }),
  );
  const cases = referredTo.map((is, n) => part`when ${is} then ${raw(String(n))}`);
  const own = tables.map((table) => isTable(table, { schema: 'r.constraint_schema', name: 'r.table_name' }));
  const statement = sql`
    select case ${cases.reduce((all, one) => part`${all} ${one}`)} end as n,
      r.constraint_schema as s, r.table_name as t, r.constraint_name as c, lower(r.delete_rule) as rule
    from information_schema.referential_constraints r
    where r.delete_rule in ('CASCADE', 'SET NULL', 'SET DEFAULT') and (${anyOf(referredTo)}) and not (${anyOf(own)})
    order by 1, 2, 3, 4`;
  const { rows } = await looking(database, 'waybill read foreign keys', (session) => session.query<KeyRow>(statement));
  return rows.map(({ n, s, t, c, rule }) => ({
    output: tables[Number(n)]!,
    table: formatTableName({ schema: s, name: t }, mysqlSql),
    key: c,
    rule,
  }));
}

const anyOf = (conditions: SqlPart[]): SqlPart => conditions.reduce((all, one) => part`${all} or ${one}`);
