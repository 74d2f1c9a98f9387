import { createHash } from 'node:crypto';
import { LoadFailedError } from '../../../errors.ts';
import { sql } from '../../sql.ts';
import { rowsAbout } from '../catalog.ts';
import type { MysqlSession } from '../session.ts';
import { rowsOf } from '../tables.ts';

/** A landing table with the names around it, as the server stores them, all in its schema. */
export interface Place {
  /** As the load calls it. */
  table: string;
  schema: string;
  name: string;
  /** What the snapshot is called. */
  processing: string;
  /** What its twin is called until it takes the table's name. */
  twin: string;
}

/** Longest name of a table, a trigger, a constraint. */
export const LONGEST_NAME = 64;

/** A name of our own for something that is called `name`: short enough whatever that is, always the same. */
export const ownName = (what: string, name: string): string =>
  `waybill_${what}_${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;

/** Always in backquotes, so that it can be told from the text around it. */
export const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

export const at = ({ schema }: Pick<Place, 'schema'>, name: string): string => `${quoted(schema)}.${quoted(name)}`;

/** Throws `LoadFailedError` when there is no such table. */
export async function placeOf(session: Pick<MysqlSession, 'query'>, table: string): Promise<Place> {
  const place = await findPlace(session, table);
  if (place) return place;
  throw new LoadFailedError(`table ${table} does not exist`, { next: 'Create it, or correct `inputs` of the load.' });
}

export async function findPlace(session: Pick<MysqlSession, 'query'>, table: string): Promise<Place | undefined> {
  const [found] = await rowsOf<{ s: string; n: string }>(
    session,
    table,
    (here) => sql`select table_schema as s, table_name as n from information_schema.tables where ${here}`,
  );
  if (!found) return undefined;
  return {
    table,
    schema: found.s,
    name: found.n,
    processing: `${found.n}_processing`,
    twin: ownName('twin', found.n.toLowerCase()),
  };
}

/** Which of these names are taken in the schema of the place. */
export async function taken(
  session: Pick<MysqlSession, 'query'>,
  place: Pick<Place, 'schema'>,
  name: string,
): Promise<boolean> {
  return (await factsOf(session, place, name)) !== undefined;
}

export interface StoredTable {
  type: string;
  engine: string | null;
  comment: string;
}

/** What has this name; undefined: nothing. */
export async function factsOf(
  session: Pick<MysqlSession, 'query'>,
  { schema }: Pick<Place, 'schema'>,
  name: string,
): Promise<StoredTable | undefined> {
  const rows = await rowsAbout<StoredTable>(
    session,
    at({ schema }, name),
    (condition) => sql`
    select table_type as type, engine as engine, table_comment as comment from information_schema.tables
    where table_schema = ${schema} and table_name = ${name} and ${condition}`,
  );
  return rows[0];
}
