import { raw, sql } from '../../sql.ts';
import { unlessNotThere } from '../expected-error.ts';
import type { MysqlSession } from '../session.ts';
import type { Place } from './place.ts';

/**
 * Whether this account sees triggers of the table. Without the privilege TRIGGER both servers show none, and say nothing: a twin
 * would be without them. No statement asks for that privilege alone (with a binary log, CREATE TRIGGER fails before it looks), so
 * the grants are read: those of the account and, on MariaDB, of its role and of everybody, each for itself.
 */
export async function seesTriggers(session: MysqlSession, place: Place): Promise<boolean> {
  const roles = await usingRoles(session);
  const { rows } = await session.query<Record<string, string>>(sql`show grants for current_user()${raw(roles)}`);
  const partial = await mayBeRevoked(session);
  // Servers that nobody has looked at may go by the schema's own name first, so they are given less than they have.
  const addUp = roles !== '' && session.server.addsUpGrantsOfRoles;
  for (const list of [rows, await grantsOfRole(session), await grantsOfAll(session)]) {
    const grants = list.flatMap((row) => grantIn(Object.values(row)[0]!) ?? []);
    if (seesByGrants(grants, place, { partial, addUp })) return true;
  }
  return false;
}

/** A line of SHOW GRANTS about a table, a schema or all, each name as it is written there. */
interface Grant {
  word: 'GRANT' | 'REVOKE';
  /** Whether TRIGGER is among its privileges. */
  sees: boolean;
  on: string;
  table: string;
}

/**
 * By the grants of one account or role. `partial`: what is granted on all schemas may be taken back for one (`REVOKE TRIGGER ON s.* FROM
 * …`), and schemas are named by no patterns (MySQL's partial_revokes). `addUp`: all grants count whose patterns fit.
 */
function seesByGrants(
  grants: readonly Grant[],
  place: Place,
  { partial, addUp }: { partial: boolean; addUp: boolean },
): boolean {
  const granted = grants.filter(({ word }) => word === 'GRANT');
  const revoked = grants.some(({ word, sees, on }) => word === 'REVOKE' && sees && plain(on) === place.schema);
  if (granted.some(({ on, sees }) => on === '*' && sees && !revoked)) return true;
  const isSchema = ({ on }: Grant): boolean =>
    partial ? plain(on) === place.schema : likePattern(plain(on)).test(place.schema);
  const fitting = granted.filter((one) => one.on !== '*' && one.table === '*' && isSchema(one));
  if (addUp ? fitting.some(({ sees }) => sees) : ofSchema(fitting)) return true;
  return granted.some(
    ({ on, table, sees }) =>
      sees && on !== '*' && table !== '*' && plain(on) === place.schema && plain(table) === place.name,
  );
}

/**
 * Of all grants whose patterns fit a schema a server goes by one alone: one without wildcards, else that whose first wildcard comes last
 * (MySQL; MariaDB almost so). Of equal ones it may be either.
 */
function ofSchema(fitting: readonly Grant[]): boolean {
  const places = fitting.map(({ on }) => firstWildcard(plain(on)));
  const best = fitting.filter((_, i) => places[i] === Math.max(...places)).map(({ on }) => on);
  return best.length > 0 && best.every((name) => fitting.some(({ on, sees }) => on === name && sees));
}

const firstWildcard = (pattern: string): number => {
  const found = /^(?:\\[^]|[^%_\\])*(?=[%_])/.exec(pattern);
  return found ? found[0].length : Infinity;
};

async function mayBeRevoked(session: MysqlSession): Promise<boolean> {
  if (!session.server.revokesInPart) return false;
  const { rows } = await session.query<{ partial: unknown }>(sql`select @@global.partial_revokes as partial`);
  return Number(rows[0]!.partial) === 1;
}

/** Those of everybody. */
async function grantsOfAll(session: MysqlSession): Promise<Record<string, string>[]> {
  if (!session.server.grantsToPublic) return [];
  const ask = () => session.query<Record<string, string>>(sql`show grants for public`);
  return (await unlessNotThere(session, ask))?.rows ?? [];
}

/** Active roles that add to the account's grants: `` `a`@`%`,`b`@`%` ``. */
async function usingRoles(session: MysqlSession): Promise<string> {
  if (session.server.activeRoles === 'one') return '';
  const { rows } = await session.query<{ roles: string }>(sql`select current_role() as roles`);
  const roles = rows[0]!.roles;
  return roles === 'NONE' ? '' : ` using ${roles}`;
}

/** Those of the one active role. */
async function grantsOfRole(session: MysqlSession): Promise<Record<string, string>[]> {
  if (session.server.activeRoles === 'several') return [];
  const { rows } = await session.query<{ role: string | null }>(sql`select current_role() as role`);
  if (rows[0]!.role === null) return [];
  return (await session.query<Record<string, string>>(sql`show grants for current_role()`)).rows;
}

/** Undefined: it is about something else (a role, columns, routines). */
function grantIn(line: string): Grant | undefined {
  const [, word, privileges, on, table] =
    /^(GRANT|REVOKE) (.+?) ON (\*|(?:`[^`]*`)+)\.(\*|(?:`[^`]*`)+) (?:TO|FROM) /.exec(line) ?? [];
  if (word === undefined) return undefined;
  const sees = /^ALL PRIVILEGES$|(^|, )TRIGGER(,|$)/.test(privileges!);
  return { word: word as Grant['word'], sees, on: on!, table: table! };
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
