import type {
  CopyFormat,
  CopyInColumn,
  CopyInStream,
  CopyOutListener,
  CopyOutStream,
} from '../database/copy-stream.ts';
import { passedOn } from './free-pieces.ts';
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

/** Where rows come from. */
export interface RowsOut {
  /** Called once, when the target takes rows. */
  open(listener: CopyOutListener): CopyOutStream;
  /** Nobody takes the rows any more, and it would go on sending. */
  cut(): void;
  /** Sorts its errors. */
  dialect: Pick<Dialect, 'classify'>;
}

/** Where rows go. */
export interface RowsIn {
  /** Quoted target table, and its columns in the order of the values. */
  table: string;
  columns: CopyInColumn[];
  /** `binary` only where the types of both ends agree. */
  format: CopyFormat;
}

export interface CopyRequest extends RowsIn {
  /** A whole SELECT for the source, its values already literals: COPY binds nothing. */
  select: string;
  /** The source has sent all rows, and its session is free; the target may be at it for long. */
  sent?: () => void;
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
  { select, sent, ...into }: CopyRequest,
): Promise<{ read: number; written: number }> {
  const { dialect, session } = source;
  const rows = {
    open: (listener: CopyOutListener) => {
      const done = (rows: number): void => {
        listener.done(rows);
        sent?.();
      };
      return dialect.openCopyOut(session, select, into.format, { ...listener, done });
    },
    cut: () => session.destroy(),
    dialect,
  };
  return pourRows(rows, target, into);
}

/** The same for rows that come from elsewhere, as COPY's text. */
export function pourRows(
  source: RowsOut,
  target: CopyEnd,
  { table, columns, format }: RowsIn,
): Promise<{ read: number; written: number }> {
  return new Promise((resolve, reject) => {
    let out: CopyOutStream | undefined;
    let read: number | undefined;
    let sourceFailure: SourceError | undefined;
    let refused = false;
    const into: CopyInStream = target.dialect.openCopyIn(target.session, table, columns, format, {
      // Only now: a target that refuses leaves the source untouched.
      ready: () => (out = source.open(reading)),
      done: (written) => resolve({ read: read ?? 0, written }),
      failed: (error) => {
        refused = true;
        if (out && read === undefined && !sourceFailure) {
          source.cut();
          into.complete(out.missing);
        }
        reject(sourceFailure ?? (error as Error));
      },
    });
    const reading = {
      data: (rows: Buffer): void => {
        passedOn(rows.length);
        if (!into.write(rows, () => out?.resume())) out?.pause();
      },
      done: (rows: number): void => {
        read = rows;
        into.finish();
      },
      failed: (error: unknown): void => {
        if (refused) return; // it was cut because of that; a message that has begun is filled up once
        sourceFailure = new SourceError(error, source.dialect);
        into.abandon('the source failed', out?.missing ?? 0); // rejects when the target has answered
      },
    };
  });
}
