import type { CopyFormat, CopyInColumn, CopyInListener, CopyInStream, CopyOutListener } from '../copy-stream.ts';
import type { Session } from '../dialect.ts';
import { CopyIn } from './copy-in.ts';
import { CopyOut } from './copy-out.ts';
import { InsertIn } from './insert-in.ts';
import { keepZeros } from './keep-zeros.ts';
import { proveWhole } from './prove-rows.ts';
import type { MysqlSession } from './session.ts';

/** Starts a SELECT whose rows are read as COPY's text; there is no other format here. */
export function openCopyOut(session: Session, select: string, _format: CopyFormat, listener: CopyOutListener): CopyOut {
  return new CopyOut(session as MysqlSession, select, listener);
}

/** Starts a LOAD DATA LOCAL, or INSERTs of many rows where the server forbids that. */
export function openCopyIn(
  session: Session,
  table: string,
  columns: CopyInColumn[],
  _format: CopyFormat,
  listener: CopyInListener,
): CopyInStream {
  let into: CopyInStream = new CopyIn(session as MysqlSession, table, columns, listener, () => {
    into = new InsertIn(session as MysqlSession, table, columns, listener);
  });
  return {
    write: (rows, drained) => into.write(rows, drained),
    finish: () => into.finish(),
    abandon: (reason, missing) => into.abandon(reason, missing),
    complete: (missing) => into.complete(missing),
  };
}

/**
 * See `Dialect.insertRows`. Neither server drops a row of an INSERT … SELECT without an error, but of what it cuts off, blanks at the end
 * of a text, it has a note alone.
 */
export async function insertRows(
  session: Session,
  table: string,
  columns: readonly string[],
  select: string,
): Promise<{ read: number; written: number }> {
  await keepZeros(session as MysqlSession);
  const result = await (session as MysqlSession).change(`insert into ${table} (${columns.join(', ')}) ${select}`);
  await proveWhole(session as MysqlSession, result);
  return { read: result.affectedRows, written: result.affectedRows };
}
