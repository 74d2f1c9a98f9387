import type { ClientBase, DatabaseError } from 'pg';
import { PINNED, withSettings } from '../settings.ts';
import type { TableName } from '../table-name.ts';
import type { Refusal } from './refusal-query.ts';

const TABLE = `
with t as (
  select c.oid, format('%I.%I', n.nspname, c.relname) as target
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1 and c.relname = $2)`;

/**
 * Queries of the expressions that the swap's statements hold. `planned`: the server plans them as soon as they are there, those of indexes,
 * CHECKs and generated columns.
 */
const EXPRESSIONS = `${TABLE}
select true as planned, format('index %s of %s', i.indexrelid::regclass, target) as what,
  format('select %s from only %s',
    concat_ws(', ', pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid)), target) as query, quote_ident(current_user) as role
from t join pg_index i on i.indrelid = t.oid
where i.indexprs is not null or i.indpred is not null
union all
select true, format('constraint %I of %s', c.conname, target),
  format('select %s from only %s', pg_get_expr(c.conbin, c.conrelid), target), quote_ident(current_user)
from t join pg_constraint c on c.conrelid = t.oid and c.contype = 'c'
union all
select a.attgenerated <> '', format('the %s of column %I of %s', case when a.attgenerated <> '' then 'expression' else 'default' end, a.attname, target),
  format('select %s from only %s', pg_get_expr(d.adbin, d.adrelid), target), quote_ident(current_user)
from t join pg_attrdef d on d.adrelid = t.oid join pg_attribute a on a.attrelid = t.oid and a.attnum = d.adnum
union all
select false, format('statistics %I of %s', s.stxname, target),
  format('select %s from only %s', array_to_string(pg_get_statisticsobjdef_expressions(s.oid), ', '), target), quote_ident(current_user)
from t join pg_statistic_ext s on s.stxrelid = t.oid and s.stxexprs is not null`;

/** By itself, for it waits for whoever has any table of theirs to himself. */
const VIEWS = `${TABLE}
select distinct false as planned, format('view %s', v.oid::regclass) as what, rtrim(pg_get_viewdef(v.oid), ';') as query,
  quote_ident(current_user) as role
from t join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid
join pg_rewrite r on r.oid = d.objid
join pg_class v on v.oid = r.ev_class and v.relkind = 'v' and v.relpersistence <> 't'`;

interface Held {
  planned: boolean;
  what: string;
  query: string;
  role: string;
}

/** undefined_function, undefined_table, undefined_object, invalid_schema_name. */
const MISSING = new Set<unknown>(['42883', '42P01', '42704', '3F000']);
/** insufficient_privilege: of a statement that is only parsed, of a schema. */
const FORBIDDEN = '42501';
/** lock_not_available. */
const LOCKED = '55P03';

/**
 * A function in SQL is put in where it is called, and what it names without schema is looked for with the `search_path` of whoever
 * plans that: in a swap, as in PostgreSQL 17 wherever an index is made, not the user's. The server says it of a query, too, that is
 * only planned. Who may not use the schema of something that is named hears it when that is only parsed. Of a table that is locked nothing is said.
 */
export function expressionRefusals(client: ClientBase, { schema, name }: TableName): Promise<Refusal[]> {
  return withSettings(client, { ...PINNED, lock_timeout: '1s' }, async () => {
    const refusals: Refusal[] = [];
    const held: Held[] = [];
    for (const question of [EXPRESSIONS, VIEWS])
      held.push(...(await tried<Held>(client, question, [schema, name])).rows);
    for (const { planned, what, query, role } of held) {
      const parsed = await tried(client, `prepare waybill_try as ${query}; deallocate waybill_try`);
      const { code, message } = parsed.code === undefined && planned ? await tried(client, `explain ${query}`) : parsed;
      if (code === LOCKED) break;
      if (code === FORBIDDEN && parsed.code !== undefined) {
        refusals.push({
          reason: `${what} names what role ${role} may not use: ${message}`,
          next: `Grant that role USAGE on the schema.`,
        });
      }
      if (planned && MISSING.has(code)) {
        refusals.push({
          reason: `${what} calls a function that needs a search_path: ${message}`,
          next: 'Write the schema in that function, or give it one: alter function … set search_path = ….',
        });
      }
    }
    return refusals;
  });
}

/** Rows of a query, or its error, after which the transaction goes on; no lock is kept. */
async function tried<Row extends object>(
  client: ClientBase,
  text: string,
  values: unknown[] = [],
): Promise<{ rows: Row[]; code?: string; message?: string }> {
  await client.query('savepoint waybill_try');
  // Without values it may be several statements.
  const answer = await client.query<Row>(text, values.length > 0 ? values : undefined).then(
    ({ rows }) => ({ rows }),
    ({ code, message }: DatabaseError) => ({ rows: [], message, ...(code !== undefined && { code }) }),
  );
  await client.query('rollback to savepoint waybill_try; release savepoint waybill_try');
  return answer;
}
