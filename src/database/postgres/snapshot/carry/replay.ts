import { escapeIdentifier, type ClientBase } from 'pg';
import { LoadFailedError } from '../../../../errors.ts';
import type { Carried } from './carried.ts';

/**
 * Runs the statements in order, each as its role.
 *
 * @throws LoadFailedError naming the statement that the server refused, with the server's error as `cause`. Errors of a
 * connection, or of a lock that was not to be had, are thrown as they are: trying again may help.
 */
export async function replay(client: ClientBase, statements: readonly (Carried | string)[]): Promise<void> {
  for (const one of statements) {
    const { statement, role } = typeof one === 'string' ? { statement: one, role: null } : one;
    try {
      if (role === null) await client.query(statement);
      else await asRole(client, role, statement);
    } catch (cause) {
      if (!isRefusal(cause)) throw cause;
      throw new LoadFailedError(`the snapshot could not be taken: ${cause.message}`, {
        where: statement,
        next: 'Nothing was changed. Remove the obstacle that the server names, then start the load again.',
        cause,
      });
    }
  }
}

async function asRole(client: ClientBase, role: string, statement: string): Promise<void> {
  const { rows } = await client.query<{ role: string }>(`select current_setting('role') as role`);
  await client.query(`set local role ${escapeIdentifier(role)}`);
  await client.query(statement);
  await client.query(`select set_config('role', $1, true)`, [rows[0]?.role ?? 'none']);
}

/** Lock, resource, intervention, system: classes 40, 53, 55, 57, 58, and connection errors without a code of five. */
function isRefusal(cause: unknown): cause is Error & { code: string } {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return /^[0-9A-Z]{5}$/.test(code) && !/^(08|40|53|55|57|58)/.test(code);
}
