import { pipeline } from 'node:stream/promises';
import type { Session } from '../database/dialect.ts';
import { openCopyIn, openCopyOut } from '../database/postgres/copy.ts';

/** The source failed, not the target: whose error it was decides what is rolled back and retried. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  constructor(override readonly cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

export interface CopyRequest {
  /** A whole SELECT for the source, its values already literals: COPY binds nothing. */
  select: string;
  /** Quoted target table and quoted columns, in the order of the SELECT. */
  table: string;
  columns: string[];
  /** `binary` only where the types of both ends agree. */
  format: 'binary' | 'text';
}

/**
 * Streams rows from one database into another as the servers' own COPY data: nothing is parsed here, and back-pressure
 * keeps memory flat. Runs inside the transactions that both sessions are in. Returns the rows that each end counted.
 */
export async function copyRows(
  source: Session,
  target: Session,
  request: CopyRequest,
): Promise<{ read: number; written: number }> {
  let sourceFailure: unknown;
  const out = openCopyOut(source, request.select, request.format);
  out.on('error', (error) => (sourceFailure ??= error));
  const into = openCopyIn(target, request.table, request.columns, request.format);
  let targetFailure: unknown;
  into.on('error', (error) => (targetFailure ??= error));
  try {
    await pipeline(out, into);
  } catch (error) {
    // The stream that failed first is the cause; the other one only reports that it was cut off.
    source.destroy();
    if (sourceFailure !== undefined && (targetFailure === undefined || targetFailure === sourceFailure)) {
      throw new SourceError(sourceFailure);
    }
    throw targetFailure ?? error;
  }
  return { read: out.rowCount, written: into.rowCount };
}
