import { DatabaseError, escapeLiteral, type ClientBase } from 'pg';
import { LoadFailedError } from '../../../../errors.ts';
import type { Carried } from './carried.ts';

/** In one round trip, because others wait for the table. An error carries its statement as detail. */
const replayBlock = (statements: readonly Carried[]) => `
declare
  own_role text := current_setting('role');
  carried record;
  refused_detail text;
  refused_hint text;
begin
  for carried in
    select * from rows from (jsonb_to_recordset(${escapeLiteral(JSON.stringify(statements))}) as (statement text, role text))
    with ordinality as c(statement, role, position) order by position
  loop
    if carried.role is not null then
      perform set_config('role', carried.role, true);
    end if;
    execute carried.statement;
    if carried.role is not null then
      perform set_config('role', own_role, true);
    end if;
  end loop;
exception when others then
  get stacked diagnostics refused_detail = pg_exception_detail, refused_hint = pg_exception_hint;
  raise exception using errcode = sqlstate, message = sqlerrm, detail = carried.statement,
    hint = concat_ws(' ', nullif(refused_detail, ''), nullif(refused_hint, ''));
end`;

/**
 * Runs the statements in order, each as its role.
 *
 * @throws LoadFailedError naming the statement that the server refused, with the server's error as `cause`. Errors of a
 * connection, or of a lock that was not to be had, are thrown as they are: trying again may help.
 */
export async function replay(client: ClientBase, statements: readonly (Carried | string)[]): Promise<void> {
  const carried = statements.map((one) => (typeof one === 'string' ? { statement: one, role: null } : one));
  try {
    await client.query(`do ${escapeLiteral(replayBlock(carried))}`);
  } catch (cause) {
    if (!(cause instanceof DatabaseError)) throw cause;
    // RAISE is ours: by the server's own routine it would count as an exception of the user's SQL.
    if (mayPass(cause)) throw Object.assign(cause, { routine: undefined });
    throw new LoadFailedError(`the snapshot could not be taken: ${cause.message}`, {
      where: cause.detail,
      next: 'Nothing was changed. Remove the obstacle that the server names, then start the load again.',
      cause,
    });
  }
}

/** Connection, deadlock, resources, locks, intervention, system: the classes of SQLSTATE that may pass by themselves. */
const mayPass = (error: DatabaseError): boolean => /^(08|40|53|55|57|58)/.test(error.code ?? '') || isHindered(error);

/** The server says it of a row of the catalog, always in English: a GRANT takes no lock on the table. */
const CHANGED_MEANWHILE = /^tuple concurrently (?:updated|deleted)$/;

/** By another session, which held what was needed, or has changed it meanwhile. */
export const isHindered = (error: unknown): boolean =>
  error instanceof DatabaseError &&
  (['55P03', '40P01'].includes(error.code ?? '') || (error.code === 'XX000' && CHANGED_MEANWHILE.test(error.message)));
