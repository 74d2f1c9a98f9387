import { raw, sql } from '../../sql.ts';
import type { MysqlSession } from '../session.ts';
import type { Place } from './place.ts';

/**
 * Whether this account sees triggers of the table. Without the privilege TRIGGER both servers show none, and say nothing: a twin
 * would be without them. No statement asks for that privilege alone (with a binary log, CREATE TRIGGER fails before it looks), so
 * the grants are read.
 */
export async function seesTriggers(session: MysqlSession, place: Place): Promise<boolean> {
  const { rows } = await session.query<Record<string, string>>(
    sql`show grants for current_user()${raw(await usingRoles(session))}`,
  );
  const all = [...rows, ...(await grantsOfRole(session))];
  return all.some((row) => grantsTrigger(Object.values(row)[0]!, place));
}

/** MySQL's active roles: `` `a`@`%`,`b`@`%` ``. */
async function usingRoles(session: MysqlSession): Promise<string> {
  if (session.server.flavour === 'MariaDB') return '';
  const { rows } = await session.query<{ roles: string }>(sql`select current_role() as roles`);
  const roles = rows[0]!.roles;
  return roles === 'NONE' ? '' : ` using ${roles}`;
}

/** MariaDB's active role has grants of its own. */
async function grantsOfRole(session: MysqlSession): Promise<Record<string, string>[]> {
  if (session.server.flavour === 'MySQL') return [];
  const { rows } = await session.query<{ role: string | null }>(sql`select current_role() as role`);
  if (rows[0]!.role === null) return [];
  return (await session.query<Record<string, string>>(sql`show grants for current_role()`)).rows;
}

function grantsTrigger(grant: string, { schema, name }: Place): boolean {
  const [, privileges, on, table] = /^GRANT (.+?) ON (\*|(?:`[^`]*`)+)\.(\*|(?:`[^`]*`)+) TO /.exec(grant) ?? [];
  if (privileges === undefined || !/^ALL PRIVILEGES$|(^|, )TRIGGER(,|$)/.test(privileges)) return false;
  if (table !== '*' && plain(table!) !== name) return false;
  return on === '*' || (table === '*' ? likePattern(plain(on!)).test(schema) : plain(on!) === schema);
}

const plain = (quotedName: string): string => quotedName.slice(1, -1).replaceAll('``', '`');

/** A grant on a schema goes by a pattern, `\_` being the character itself. */
const likePattern = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern.replaceAll(/\\?[^]/gu, (one) =>
      one === '%' ? '.*' : one === '_' ? '.' : one.slice(-1).replace(/[\\^$.*+?()[\]{}|/]/, '\\$&'),
    )}$`,
    'is',
  );
