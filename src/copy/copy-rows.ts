import type { CopyFormat, CopyInColumn, CopyInStream, CopyOutStream } from '../database/copy-stream.ts';
import type { Dialect, ErrorFacts, Session } from '../database/dialect.ts';

/**
 * The source failed, not the target: whose error it was decides what is rolled back and retried. It is sorted by the source's own
 * dialect, which may be another than the target's.
 */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly facts: ErrorFacts;

  constructor(
    override readonly cause: unknown,
    dialect: Pick<Dialect, 'classify'>,
  ) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.facts = dialect.classify(cause);
  }
}

/** One end of a copy: a session, and how its server speaks. */
export interface CopyEnd {
  dialect: Pick<Dialect, 'openCopyOut' | 'openCopyIn' | 'classify'>;
  session: Session;
}

export interface CopyRequest {
  /** A whole SELECT for the source, its values already literals: COPY binds nothing. */
  select: string;
  /** Quoted target table, and its columns in the order of the SELECT. */
  table: string;
  columns: CopyInColumn[];
  /** `binary` only where the types of both ends agree. */
  format: CopyFormat;
}

/**
 * Streams rows from one database into another in the servers' own formats: no row becomes an object, and back-pressure keeps
 * memory flat. Runs inside the transactions that both sessions are in. Returns the rows that each end counted.
 *
 * Throws `SourceError` when the source failed first; the target has then been told to give up, its transaction is in error,
 * its session whole. When the target failed first, its error is thrown and the source's session is cut.
 */
export function copyRows(
  source: CopyEnd,
  target: CopyEnd,
  request: CopyRequest,
): Promise<{ read: number; written: number }> {
  return new Promise((resolve, reject) => {
    let out: CopyOutStream | undefined;
    let read: number | undefined;
    let sourceFailure: SourceError | undefined;
    const { table, columns, format } = request;
    const into: CopyInStream = target.dialect.openCopyIn(target.session, table, columns, format, {
      // Only now: a target that refuses leaves the source untouched.
      ready: () => (out = source.dialect.openCopyOut(source.session, request.select, format, reading)),
      done: (written) => resolve({ read: read ?? 0, written }),
      failed: (error) => {
        if (out && read === undefined && !sourceFailure) {
          source.session.destroy(); // it would go on sending
          into.complete(out.missing);
        }
        reject(sourceFailure ?? (error as Error));
      },
    });
    const reading = {
      data: (rows: Buffer): void => {
        if (!into.write(rows, () => out?.resume())) out?.pause();
      },
      done: (rows: number): void => {
        read = rows;
        into.finish();
      },
      failed: (error: unknown): void => {
        sourceFailure = new SourceError(error, source.dialect);
        into.abandon('the source failed', out?.missing ?? 0); // rejects when the target has answered
      },
    };
  });
}
