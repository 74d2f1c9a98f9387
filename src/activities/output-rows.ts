import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TaskOutput } from '../config/definition.ts';
import { WaybillError } from '../errors.ts';
import { csvLine, jsonLine } from './encode-rows.ts';

/** Characters of a part, about. */
const PART = 1_000_000;

/**
 * The rows of a query on their way into the ledger, as text. Their connection can do nothing else until it has sent them all, and
 * they may be millions: one part is in memory, those before it wait in a file without a name.
 */
export class OutputRows {
  count = 0;
  private line: ((row: readonly unknown[]) => string) | undefined;
  private part = '';
  private file: number | undefined;
  /** Bytes of the parts in the file. */
  private readonly lengths: number[] = [];

  constructor(private readonly output: TaskOutput) {}

  readonly take = (row: readonly unknown[], columns: readonly string[]): void => {
    if (this.output.first && this.count > 0) return;
    this.count += 1;
    this.line ??= this.output.format === 'csv' ? csvLine : jsonLine(columns);
    this.part += this.line(row);
    if (this.part.length < PART) return;
    onDisk(() => this.putAside());
  };

  /** First what stands above the rows once (the columns of a CSV file), then they themselves. */
  *parts(columns: readonly string[]): Generator<string> {
    yield this.output.format === 'csv' ? csvLine(columns) : '';
    let at = 0;
    for (const length of this.lengths) {
      const bytes = Buffer.allocUnsafe(length);
      for (let read = 0; read < length;) {
        read += onDisk(() => readSync(this.file!, bytes, read, length - read, at + read));
      }
      at += length;
      yield bytes.toString();
    }
    if (this.part !== '') yield this.part;
  }

  close(): void {
    if (this.file !== undefined) closeSync(this.file);
    this.file = undefined;
  }

  private putAside(): void {
    this.file ??= openUnnamed();
    const bytes = Buffer.from(this.part);
    for (let written = 0; written < bytes.length;) written += writeSync(this.file, bytes, written);
    this.lengths.push(bytes.length);
    this.part = '';
  }
}

/** However the process ends, nothing of it stays. */
function openUnnamed(): number {
  const name = path.join(tmpdir(), `waybill-output-${randomBytes(8).toString('hex')}`);
  const file = openSync(name, 'wx+', 0o600);
  rmSync(name);
  return file;
}

function onDisk<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new WaybillError(`the rows of the query cannot be put aside on the worker's disk (${code})`, {
      next: `make room in ${tmpdir()} of the worker, or give the task a range with a smaller step; then start it again`,
      cause: error,
    });
  }
}
