import { randomBytes } from 'node:crypto';
import type { Session, TableIdentity } from '../../dialect.ts';
import { part, raw, sql, type SqlPart } from '../../sql.ts';
import { quoteTable } from '../names.ts';
import { isTable, rowsOf } from '../tables.ts';

/**
 * Neither server tells an ordinary account which table it is that has a name: the ids of InnoDB take the privilege PROCESS,
 * and `create_time` is left as it is by TRUNCATE (seen). So a snapshot carries its own number, in its comment. It stays through
 * RENAME, OPTIMIZE and TRUNCATE, is seen by whoever may read the table, and a table that somebody makes under the name has
 * none. 62 bits by chance: `snapshot.relation_id` is a bigint.
 */
export const newRelationId = (): string => String((randomBytes(8).readBigUInt64BE() >> 2n) | 1n);

export const snapshotComment = (relationId: string): string => `waybill snapshot ${relationId}`;

/** A table that is no snapshot of ours. */
const UNKNOWN = '0';

/** `storageId`: whether it holds rows. That is what TRUNCATE, which passes triggers, changes; a rewrite moves no keys. */
const hasRow = (table: string): SqlPart => part`exists (select 1 from ${raw(quoteTable(table))})`;

/** Which snapshot has this name: undefined if the name is free, `0` if it is a table that we did not make one. */
export async function tableIdentity(session: Session, table: string): Promise<TableIdentity | undefined> {
  const [found] = await rowsOf<{ comment: string }>(
    session,
    table,
    (here) => sql`select table_comment as comment from information_schema.tables where ${here}`,
  );
  if (found === undefined) return undefined;
  const relationId = /^waybill snapshot (\d+)$/.exec(found.comment)?.[1] ?? UNKNOWN;
  if (relationId === UNKNOWN) return { relationId, storageId: UNKNOWN };
  const { rows: held } = await session.query<{ held: boolean }>(sql`select ${hasRow(table)} as held`);
  return { relationId, storageId: held[0]!.held ? '1' : '0' };
}

/** It carries the number that it was given, and has not been emptied. One that is gone is an error of its own, for `hasRow` uses it. */
export const isStill = (table: string, { relationId, storageId }: TableIdentity): SqlPart => part`
  (exists (select 1 from information_schema.tables where ${isTable(table)} and table_comment = ${snapshotComment(relationId)})
   and ${hasRow(table)} = ${storageId === '1'})`;
