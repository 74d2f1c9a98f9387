import { sql, type SqlStatement } from '../../sql.ts';
import { allRowsAbout } from '../catalog.ts';
import { classify } from '../errors.ts';
import { unlessFails } from '../expected-error.ts';
import type { MysqlSession } from '../session.ts';
import { at, quoted, type Place } from './place.ts';

/** Why a table cannot be snapshotted, and what to do about it. */
export interface Refusal {
  reason: string;
  next: string;
}

interface ForeignKey {
  /** The table that refers, and its constraint. */
  s: string;
  t: string;
  c: string;
}

/** Foreign keys because of which this table cannot be snapshotted: all that refer to it, and those that would change it. */
export async function foreignKeyRefusals(
  session: MysqlSession,
  { schema }: Pick<Place, 'schema'>,
  name: string,
): Promise<Refusal[]> {
  const rows = await allRowsAbout<ForeignKey & { rules: string; inbound: unknown }>(
    session,
    at({ schema }, name),
    (condition) => sql`
    select r.constraint_schema as s, r.table_name as t, r.constraint_name as c,
      concat('ON UPDATE ', r.update_rule, ' ON DELETE ', r.delete_rule) as rules,
      r.unique_constraint_schema = ${schema} and r.referenced_table_name = ${name} as inbound
    from information_schema.referential_constraints r
    where ((r.constraint_schema = ${schema} and r.table_name = ${name})
       or (r.unique_constraint_schema = ${schema} and r.referenced_table_name = ${name}))
      and ${condition}
    order by 1, 2, 3`,
  );
  const seen = rows.map(({ s, t, c, rules, inbound }): Refusal[] => {
    if (Number(inbound) !== 0) return [refersToIt({ s, t, c })];
    if (!/CASCADE|SET NULL|SET DEFAULT/.test(rules)) return [];
    return [
      {
        reason: `foreign key ${c} is ${rules}: another table would change the snapshot`,
        next: `Make it NO ACTION: alter table ${at({ schema: s }, t)} drop foreign key ${quoted(c)}, add foreign key ….`,
      },
    ];
  });
  const isSeen = (key: ForeignKey): boolean => rows.some(({ s, t, c }) => s === key.s && t === key.t && c === key.c);
  const hidden = (await ofHiddenTables(session, schema, name)).filter((key) => !isSeen(key));
  return [...seen.flat(), ...hidden.map(refersToIt)];
}

const refersToIt = ({ s, t, c }: ForeignKey): Refusal => ({
  reason: `foreign key ${c} of ${s}.${t} refers to it: rows that stay would refer to rows that leave`,
  next: `Drop the foreign key: alter table ${at({ schema: s }, t)} drop foreign key ${quoted(c)}.`,
});

/**
 * Those that refer to it from a table on which this account has no right: information_schema keeps them from it, and only InnoDB's
 * own list has them, for whom may see that (PROCESS). Without it nothing tells before the drop of the snapshot fails.
 */
async function ofHiddenTables(session: MysqlSession, schema: string, name: string): Promise<ForeignKey[]> {
  const list = session.server.listsForeignKeysByFileNames ? listByFileNames : listByNames;
  const isForbidden = (error: unknown): boolean => classify(error).because === 'forbidden';
  return (await unlessFails(session, isForbidden, () => session.query<ForeignKey>(list(schema, name))))?.rows ?? [];
}

const listByNames = (schema: string, name: string): SqlStatement => sql`
  select substring_index(for_name, '/', 1) as s, substr(for_name, locate('/', for_name) + 1) as t,
    substr(id, locate('/', id) + 1) as c
  from information_schema.innodb_foreign where ref_name = concat(${schema}, '/', ${name})`;

const listByFileNames = (schema: string, name: string): SqlStatement => sql`
  select convert(convert(cast(substring_index(for_name, '/', 1) as binary) using filename) using utf8mb4) as s,
    convert(convert(cast(substr(for_name, locate('/', for_name) + 1) as binary) using filename) using utf8mb4) as t,
    substr(id, locate('/', id) + 1) as c
  from information_schema.innodb_sys_foreign
  where cast(ref_name as binary) = concat(cast(convert(${schema} using filename) as binary), '/',
                                          cast(convert(${name} using filename) as binary))`;
