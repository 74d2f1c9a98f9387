/** The table `project`, and whether the control tables are there at all. */
import type { Database, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import { ConfigurationError } from '../errors.ts';
import { newestVersion } from './migrations.ts';

/** This program is older than the control tables; a worker of another version may do what was asked. */
export class NewerTablesError extends ConfigurationError {
  override readonly name = 'ConfigurationError';
}

const whereOf = ({ connection, controlSchema }: Database): string =>
  `connection ${connection}, schema ${controlSchema}`;

/** Throws when the control tables are missing, belong to another project, or are not those of this version. */
export async function requireProject(database: Database, project: string): Promise<void> {
  const where = whereOf(database);
  let found: { name: string; version: number | null } | undefined;
  try {
    const { rows } = await database.query<{ name: string; version: number | null }>(sql`
      select name, (select max(version) from ${database.ledger('migration')}) as version from ${database.ledger('project')}`);
    found = rows[0];
  } catch (error) {
    if (database.dialect.classify(error).because !== 'missing') throw error;
    throw new ConfigurationError(`the control tables are missing on ${database.connection}`, {
      where,
      next: 'run `waybill migrate`',
      cause: error,
    });
  }
  if (found === undefined) return;
  if (found.name !== project) {
    throw new ConfigurationError(`the control tables belong to project "${found.name}", not to "${project}"`, {
      where,
      next: `give connection ${database.connection} a control_schema of its own, or correct the name in waybill.yaml`,
    });
  }
  await refuseOlder(database, Number(found.version));
  await refuseNewer(database, Number(found.version));
}

/** Who worked on, as with a worker that is told not to migrate, would fail at what they lack, in the midst of a load. */
async function refuseOlder(database: Database, version: number): Promise<void> {
  if (version >= (await newestVersion(database))) return;
  throw new ConfigurationError(`the control tables on ${database.connection} are those of an older Waybill`, {
    where: whereOf(database),
    next:
      'run `waybill migrate`, or let a DBA run the SQL of `waybill migrate --print`; ' +
      'workers of the older version open no batch any more then',
  });
}

/** `version`: that of the control tables. What a newer program keeps in them, this one would not heed: throws `NewerTablesError`. */
export async function refuseNewer(database: Database, version: number): Promise<void> {
  if (version <= (await newestVersion(database))) return;
  throw new NewerTablesError(`the control tables on ${database.connection} were made by a newer Waybill`, {
    where: whereOf(database),
    next: 'use the newer version everywhere; control tables are never taken back',
  });
}

/** The first project that asks owns the control tables. */
export async function claimProject(session: Session, database: Database, project: string): Promise<void> {
  await session.query(sql`
    insert into ${database.ledger('project')} (name) values (${project})
    ${database.dialect.words.onDuplicate(['singleton'], [])}`);
}

/** The newest batch id of the connection; 0 before the first. */
export async function lastBatchId(database: Database): Promise<string> {
  const { rows } = await database.query<{ last_batch_id: string }>(
    sql`select last_batch_id from ${database.ledger('project')}`,
  );
  return rows[0]?.last_batch_id ?? '0';
}

/**
 * The next batch id, above every id that the outputs hold already (`floor`). Takes the project's row lock: openings come
 * one after another, and one that fails burns no id.
 */
export async function nextBatchId(session: Session, database: Database, floor: string): Promise<string> {
  const { rows } = await session.query<{ last_batch_id: string }>(
    sql`select last_batch_id from ${database.ledger('project')} for update`,
  );
  const last = BigInt(rows[0]!.last_batch_id);
  const next = String((last > BigInt(floor) ? last : BigInt(floor)) + 1n);
  await session.query(sql`update ${database.ledger('project')} set last_batch_id = ${next}`);
  return next;
}
