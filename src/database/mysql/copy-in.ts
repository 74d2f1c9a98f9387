import { EventEmitter } from 'node:events';
import { takesMore, type CopyInColumn, type CopyInListener, type CopyInStream } from '../copy-stream.ts';
import { driverConnection } from './connect.ts';
import { keepZeros } from './keep-zeros.ts';
import { proveRows } from './prove-rows.ts';
import type { MysqlSession } from './session.ts';

/** The only "file" that is ever sent. */
const NAME = 'waybill rows';
/** A packet must not be longer than the server's max_allowed_packet, which nobody sets below this. */
const PACKET = 64 * 1024;

/** A LOAD DATA LOCAL whose file is the rows of a copy. */
export class CopyIn implements CopyInStream {
  /** The driver asks it for the file's bytes: an event for each piece, and one for the end. */
  private readonly file = Object.assign(new EventEmitter(), {
    // The driver would stop the source at every 16 KB that wait; `write` says when enough is waiting.
    pause: () => undefined,
    resume: () => undefined,
  });
  private over = false;
  private abandoned: string | undefined;

  /** `refused`: the server takes no file from clients, and has changed nothing. */
  constructor(
    private readonly session: MysqlSession,
    table: string,
    columns: CopyInColumn[],
    private readonly listener: CopyInListener,
    private readonly refused: () => void,
  ) {
    void this.load(loadData(table, columns));
  }

  write(rows: Buffer, drained: () => void): boolean {
    if (this.over) return true; // it failed; the sender will hear of it
    for (let at = 0; at < rows.length; at += PACKET) this.file.emit('data', rows.subarray(at, at + PACKET));
    return takesMore(driverConnection(this.session.connection).stream, drained);
  }

  finish(): void {
    if (!this.over) this.file.emit('end');
  }

  /** The protocol has no word for "give up": the file ends here, and what it had brought is rolled back. */
  abandon(reason: string): void {
    if (this.over) return;
    this.abandoned = reason;
    this.file.emit('end');
  }

  complete(): void {
    // Packets are our own, and none is ever cut.
  }

  private async load(text: string): Promise<void> {
    try {
      await keepZeros(this.session);
      const result = await this.session.change(text, (name) => {
        if (name !== NAME) throw new Error(`the server asks for another file than it was told of: ${name}`);
        // Not at once: the driver has yet to listen.
        queueMicrotask(() => this.listener.ready());
        return this.file;
      });
      this.over = true;
      if (this.abandoned !== undefined) throw new Error(this.abandoned);
      await proveRows(this.session, result);
      this.listener.done(result.affectedRows);
    } catch (error) {
      this.over = true;
      if (REFUSALS.has((error as { errno?: number }).errno)) this.refused();
      else this.listener.failed(error);
    }
  }
}

/** LOCAL is switched off: "not allowed" (also MariaDB's), and the words that each server has found for it since. */
const REFUSALS = new Set<number | undefined>([1148, 3948, 4166]);

/** The same characters as COPY's, said and not taken from defaults. */
function loadData(table: string, columns: CopyInColumn[]): string {
  const names = columns.map(({ name, value }, i) => (value ? `@c${i}` : name)).join(', ');
  const sets = columns.flatMap(({ name, value }, i) => (value ? [`${name} = ${value(`@c${i}`)}`] : []));
  return (
    `load data local infile '${NAME}' into table ${table} character set utf8mb4 ` +
    String.raw`fields terminated by '\t' escaped by '\\' lines terminated by '\n' (${names})` +
    (sets.length > 0 ? ` set ${sets.join(', ')}` : '')
  );
}
