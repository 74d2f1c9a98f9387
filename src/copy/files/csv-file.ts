import { createHash, type Hash } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { CopyOutListener, CopyOutStream } from '../../database/copy-stream.ts';
import { CsvError, CsvRows, type CsvFormat, type CsvShape } from './csv-rows.ts';

/** What a file is known by: how long it is as it lies there, and the SHA-256 of that. */
export interface FileMark {
  size: number;
  sha256: string;
}

const PIECE = 256 * 1024;

/** The names in the header line; empty: there is nothing in the file. Throws `CsvError`. */
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
  } finally {
    file.destroy();
    text.destroy();
  }
}

function namesIn(line: string): string[] {
  if (line === '') return [];
  const names = line.split('\t').map((name) => (name === '\\N' ? '' : unescape(name)));
  names.forEach((name, i) => {
    if (name === '') throw new CsvError(1, `column ${i + 1} of the header has no name`);
    if (names.indexOf(name) !== i) throw new CsvError(1, `the header names ${name} twice`);
  });
  return names;
}

const unescape = (text: string): string =>
  text.replace(/\\([\\tnr])/g, (_, c: string) => ({ '\\': '\\', t: '\t', n: '\n', r: '\r' })[c]!);

/** SHA-256 and size of a file as it lies there. */
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
  private readonly rows: CsvRows;
  private size = 0;
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
    file.on('data', (piece) => {
      this.hash.update(piece);
      this.size += piece.length;
    });
    text.on('data', this.take);
    text.on('end', this.finish);
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

  close(): void {
    this.over = true;
    this.file.destroy();
    this.text.destroy();
  }

  private readonly take = (piece: Buffer): void => {
    if (this.over) return;
    try {
      const rows = this.rows.take(piece);
      if (rows.length > 0) this.listener.data(rows);
    } catch (error) {
      this.fail(error);
    }
  };

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
    this.listener.failed(error);
  };
}

/** The bytes of a file, and its text where it is packed. */
function open(path: string): { file: ReadStream; text: Readable } {
  const file = createReadStream(path, { highWaterMark: PIECE });
  if (!path.endsWith('.gz')) return { file, text: file };
  return { file, text: file.pipe(createGunzip({ chunkSize: PIECE })) };
}
