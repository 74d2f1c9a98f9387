import { createHash, type Hash } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip, type Gunzip } from 'node:zlib';
import type { CopyOutListener, CopyOutStream } from '../../database/copy-stream.ts';
import { WaybillError } from '../../errors.ts';
import { CsvError, valuesIn, type BadCsvRow, type CsvFormat, type CsvShape } from './csv-format.ts';
import { CsvRows } from './csv-rows.ts';
import { PackedEnd } from './packed-end.ts';

/** What a file is known by: how long it is as it lies there, and the SHA-256 of that. */
export interface FileMark {
  size: number;
  sha256: string;
}

/** A file that cannot be read at all, in words that name no place of this machine. */
export class FileTrouble extends WaybillError {}

function sayable(error: unknown): Error {
  if (error instanceof CsvError || error instanceof FileTrouble) return error;
  const { code = '', syscall, message } = error as NodeJS.ErrnoException;
  const packed = code.startsWith('Z_') ? `it cannot be unpacked: ${message}` : message;
  const words = syscall === undefined ? packed : `it cannot be read (${code})`;
  return new FileTrouble(code === 'ENOENT' ? 'it is not there any more' : words, { cause: error });
}

const PIECE = 256 * 1024;

/** The names in the header line; empty: there is nothing in the file. Throws `CsvError` or `FileTrouble`. */
export async function readHeader(path: string, format: CsvFormat): Promise<string[]> {
  const rows = new CsvRows({ ...format, nullText: '' }, { most: 1, end: '\n' });
  const { file, text } = open(path);
  try {
    let first = '';
    for await (const piece of text) {
      first += rows.take(piece as Buffer).toString();
      if (rows.rows > 0) break;
    }
    if (rows.rows === 0) first += rows.finish().toString();
    return namesIn(first.slice(0, first.indexOf('\n')));
  } catch (error) {
    throw sayable(error);
  } finally {
    file.destroy();
    text.destroy();
  }
}

function namesIn(line: string): string[] {
  if (line === '') return [];
  const names = valuesIn(line).map((name) => name ?? '');
  names.forEach((name, i) => {
    if (name === '') throw new CsvError(1, `column ${i + 1} of the header has no name`);
    if (names.indexOf(name) !== i) throw new CsvError(1, `the header names ${name} twice`);
  });
  return names;
}

/** What the file system says of a file, without a look into it. */
export interface FileState {
  size: number;
  /** When somebody wrote to it last, in milliseconds. */
  writtenAt: number;
  /** Another as soon as somebody has written to the file, or put another one in its place: inode, size, time of writing. */
  version: string;
  /**
   * Another, too, where somebody has set the time of writing back (`cp -p`, `rsync -t`): the time of the last change of whatever kind is
   * the system's own. Undefined: so young that a change to come could bear the same times.
   */
  lasting?: string;
}

/** The coarsest clock of a file system ticks every two seconds (FAT); some more, for a server whose clock is ahead. */
const SETTLED_MS = 5_000;

/** Throws what the file system does. */
export async function lookAt(path: string): Promise<FileState> {
  const { ino, size, mtimeNs, ctimeNs, mtimeMs, ctimeMs } = await stat(path, { bigint: true });
  const version = `${ino} ${size} ${mtimeNs}`;
  const settled = Math.max(Number(mtimeMs), Number(ctimeMs)) + SETTLED_MS < Date.now();
  return {
    size: Number(size),
    writtenAt: Number(mtimeMs),
    version,
    ...(settled && { lasting: `${version} ${ctimeNs}` }),
  };
}

/** Of `lasting` or `version`: the same for files of one size that were written to at the same time, to the nanosecond. */
export const writingOf = (state: string): string => state.split(' ').slice(1, 3).join(' ');

/** `lookAt`, which throws `FileTrouble`. */
export const stateOf = (path: string): Promise<FileState> =>
  lookAt(path).catch((error: unknown) => {
    throw sayable(error);
  });

/** SHA-256 and size of a file as it lies there. Throws what the file system does. */
export async function markOf(path: string): Promise<FileMark> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const piece of createReadStream(path, { highWaterMark: PIECE })) {
    hash.update(piece as Buffer);
    size += (piece as Buffer).length;
  }
  return { size, sha256: hash.digest('hex') };
}

/** The rows of a CSV file behind its header, on their way out as those of a server would be. */
export class CsvOut implements CopyOutStream {
  readonly missing = 0; // only whole rows are handed on
  private readonly hash: Hash = createHash('sha256');
  private readonly file: ReadStream;
  private readonly text: Readable;
  private readonly end?: PackedEnd;
  private readonly rows: CsvRows;
  private size = 0;
  /** Of those, what the rows come from that were handed on. */
  private used = 0;
  private over = false;

  constructor(
    path: string,
    format: CsvFormat,
    shape: CsvShape,
    private readonly listener: CopyOutListener,
  ) {
    this.rows = new CsvRows(format, shape);
    const { file, text } = open(path);
    this.file = file;
    this.text = text;
    if (text !== file) this.end = new PackedEnd(text as Gunzip);
    file.on('data', (piece) => {
      this.hash.update(piece);
      this.size += piece.length;
      this.end?.take(piece as Buffer);
      if (text.readableEnded) this.lookBehind();
    });
    text.on('data', this.take);
    text.on('end', this.readToEnd);
    for (const stream of new Set([file, text])) stream.on('error', this.fail);
  }

  /** Once everything was sent. */
  mark(): FileMark {
    return { size: this.size, sha256: this.hash.digest('hex') };
  }

  pause(): void {
    this.text.pause();
  }

  resume(): void {
    this.text.resume();
  }

  /** Rows that were handed on, and the bytes of the file, as it lies there, that they and the bad ones among them come from. */
  soFar(): ReadSoFar {
    return { rows: this.rows.rows, bytes: this.used };
  }

  /** The lines on which the rows begin that were handed on since (`shape.bad`). */
  takeLines(): number[] {
    return this.rows.lines.splice(0);
  }

  close(): void {
    this.over = true;
    this.file.destroy();
    this.text.destroy();
  }

  private readonly take = (piece: Buffer): void => {
    if (this.over) return;
    // Once this piece waits, the next one is unpacked.
    this.used = this.text === this.file ? this.size : (this.text as Gunzip).bytesWritten;
    try {
      const rows = this.rows.take(piece);
      if (rows.length > 0) this.listener.data(rows);
    } catch (error) {
      this.fail(error);
    }
  };

  /** Zeros may fill up a packed file: its text has ended there, and what is left belongs to its mark all the same. */
  private readonly readToEnd = (): void => {
    this.lookBehind();
    if (this.over || this.file.readableEnded) return this.finish();
    this.file.once('end', this.finish);
    this.file.unpipe();
    this.file.resume();
  };

  /** More rows may stand there, which nobody would ever read. */
  private lookBehind(): void {
    const at = this.end?.notZero();
    if (at === undefined) return;
    const message = `its packed text ends in zeros, and something stands behind them (byte ${at}): rows there would be lost`;
    this.fail(new FileTrouble(message, { next: 'pack it anew, without the zeros, then start the load again' }));
  }

  private readonly finish = (): void => {
    if (this.over) return;
    try {
      const rows = this.rows.finish();
      if (rows.length > 0) this.listener.data(rows);
      this.over = true;
      this.listener.done(this.rows.rows);
    } catch (error) {
      this.fail(error);
    }
  };

  private readonly fail = (error: unknown): void => {
    if (this.over) return;
    this.close();
    this.listener.failed(sayable(error));
  };
}

/** How far a file has been read. */
export interface ReadSoFar {
  rows: number;
  /** Of the file as it lies there. */
  bytes: number;
}

/** Takes the rows of a file, one call after the other. `soFar`: with all rows of the same piece, bad ones, too. */
export interface PieceTaker {
  /** Whole rows, and the line on which each of them begins. */
  rows(rows: Buffer, lines: number[], soFar: ReadSoFar): Promise<void>;
  /** One that cannot be handed on. */
  bad(row: BadCsvRow, soFar: ReadSoFar): Promise<void>;
}

/** Reads a file piece by piece for somebody who wants to know which row is which. Says how many rows were handed on, how many were bad. */
export function readPieces(
  path: string,
  format: CsvFormat,
  shape: CsvShape,
  taker: PieceTaker,
): Promise<FileMark & { rows: number; bad: number }> {
  return new Promise((resolve, reject) => {
    let waiting = 0;
    let bad = 0;
    let work = Promise.resolve();
    const soFar = (): ReadSoFar => {
      const { rows, bytes } = out.soFar();
      return { rows: rows + bad, bytes };
    };
    const next = (take: () => Promise<void>): void => {
      out.pause();
      waiting += 1;
      work = work.then(take).then(() => {
        waiting -= 1;
        if (waiting === 0) out.resume();
      });
      work.catch((error: Error) => {
        out.close();
        reject(error);
      });
    };
    const out = new CsvOut(
      path,
      format,
      {
        ...shape,
        bad: (row) => {
          bad += 1;
          next(() => taker.bad(row, soFar()));
        },
      },
      {
        data: (rows) => {
          const lines = out.takeLines();
          next(() => taker.rows(rows, lines, soFar()));
        },
        done: (rows) => void work.then(() => resolve({ ...out.mark(), rows, bad }), reject),
        // Not before the last piece has been taken: its session is in the middle of something.
        failed: (error) => void work.then(() => reject(error as Error), reject),
      },
    );
  });
}

/** By its name: systems that do not tell large letters from small ones write `.GZ`. */
export const isPacked = (name: string): boolean => /\.gz$/i.test(name);

/** The bytes of a file, and its text where it is packed. */
function open(path: string): { file: ReadStream; text: Readable } {
  const file = createReadStream(path, { highWaterMark: PIECE });
  if (!isPacked(path)) return { file, text: file };
  const text = createGunzip({ chunkSize: PIECE });
  // A pipe does not pass it on, and without a listener it would end the process.
  file.on('error', (error) => text.destroy(error));
  return { file, text: file.pipe(text) };
}
