/** The table `project`, and whether the control tables are there at all. */
import type { Database, Session } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import { ConfigurationError } from '../errors.ts';

/** Throws when the control tables are missing, or belong to another project. */
export async function requireProject(database: Database, project: string): Promise<void> {
  const where = `connection ${database.connection}, schema ${database.controlSchema}`;
  let owner: string | undefined;
  try {
    const { rows } = await database.query<{ name: string }>(sql`select name from ${database.ledger('project')}`);
    owner = rows[0]?.name;
  } catch (error) {
    if (database.dialect.classify(error).because !== 'missing') throw error;
    throw new ConfigurationError(`the control tables are missing on ${database.connection}`, {
      where,
      next: 'run `waybill migrate`',
      cause: error,
    });
  }
  if (owner !== undefined && owner !== project) {
    throw new ConfigurationError(`the control tables belong to project "${owner}", not to "${project}"`, {
      where,
      next: `give connection ${database.connection} a control_schema of its own, or correct the name in waybill.yaml`,
    });
  }
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
