import { raw, sql } from '../../sql.ts';
import { classify } from '../errors.ts';
import { unlessFails } from '../expected-error.ts';
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
  const all = [...rows, ...(await grantsOfRole(session)), ...(await grantsOfAll(session))];
  const partial = await mayBeRevoked(session);
  return seesByGrants(
    all.map((row) => Object.values(row)[0]!),
    place,
    partial,
  );
}

/**
 * `partial`: what is granted on all schemas may be taken back for one (`REVOKE TRIGGER ON s.* FROM …`), and schemas are named by no
 * patterns (MySQL's partial_revokes).
 */
function seesByGrants(grants: readonly string[], place: Place, partial: boolean): boolean {
  const revoked = grants.some((one) => {
    const { on } = triggerRight(one, 'REVOKE') ?? {};
    return on !== undefined && on !== '*' && plain(on) === place.schema;
  });
  return grants.some((one) => {
    const { on, table } = triggerRight(one, 'GRANT') ?? {};
    if (on === undefined || (table !== '*' && plain(table!) !== place.name)) return false;
    if (on === '*') return !revoked;
    return table === '*' && !partial ? likePattern(plain(on)).test(place.schema) : plain(on) === place.schema;
  });
}

async function mayBeRevoked(session: MysqlSession): Promise<boolean> {
  if (session.server.flavour === 'MariaDB') return false;
  const { rows } = await session.query<{ partial: string | number }>(sql`select @@global.partial_revokes as partial`);
  return String(rows[0]!.partial) === '1';
}

/** MariaDB since 10.11 grants to everybody (PUBLIC), too; a server before that knows no such role, and says so. */
async function grantsOfAll(session: MysqlSession): Promise<Record<string, string>[]> {
  if (session.server.flavour === 'MySQL') return [];
  const isUnknown = (error: unknown): boolean => classify(error).kind === 'permanent';
  const ask = () => session.query<Record<string, string>>(sql`show grants for public`);
  return (await unlessFails(session, isUnknown, ask))?.rows ?? [];
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

/** Where this line gives or takes the privilege TRIGGER, each name as it is written there; undefined: it does not. */
function triggerRight(line: string, what: 'GRANT' | 'REVOKE'): { on: string; table: string } | undefined {
  const [, word, privileges, on, table] =
    /^(GRANT|REVOKE) (.+?) ON (\*|(?:`[^`]*`)+)\.(\*|(?:`[^`]*`)+) (?:TO|FROM) /.exec(line) ?? [];
  if (word !== what || !/^ALL PRIVILEGES$|(^|, )TRIGGER(,|$)/.test(privileges!)) return undefined;
  return { on: on!, table: table! };
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
