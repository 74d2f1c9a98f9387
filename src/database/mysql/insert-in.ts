import type { CopyInColumn, CopyInListener, CopyInStream } from '../copy-stream.ts';
import { sql } from '../sql.ts';
import { InsertText } from './insert-text.ts';
import { MARGIN } from './longest-statement.ts';
import { proveRows } from './prove-rows.ts';
import type { MysqlSession } from './session.ts';

/** Longer statements are not faster. */
const STATEMENT = 1 << 20;
/** Between two signs of life, at most; else a quarter of the time after which the server ends a connection that lies idle. */
const AWAKE_MS = 15_000;

/** Rows by INSERTs of many, for a server that takes no file from clients, on the session of a `CopyIn` that it has refused. */
export class InsertIn implements CopyInStream {
  private text: InsertText | undefined;
  private readonly statements: string[] = [];
  private running = false;
  private finished = false;
  private over = false;
  private drained: (() => void) | undefined;
  private rows = 0;
  private awake: NodeJS.Timeout | undefined;

  constructor(
    private readonly session: MysqlSession,
    table: string,
    columns: CopyInColumn[],
    private readonly listener: CopyInListener,
  ) {
    this.begin(table, columns).catch(this.fail);
  }

  write(rows: Buffer, drained: () => void): boolean {
    if (this.over) return true; // it failed; the sender will hear of it
    try {
      this.statements.push(...this.text!.add(rows));
    } catch (error) {
      this.fail(error);
      return true;
    }
    this.work().catch(this.fail);
    if (!this.running) return true;
    this.drained = drained;
    return false;
  }

  finish(): void {
    if (this.over) return;
    try {
      const rest = this.text!.rest();
      if (rest !== undefined) this.statements.push(rest);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.finished = true;
    this.work().catch(this.fail);
  }

  abandon(reason: string): void {
    this.fail(new Error(reason));
  }

  complete(): void {
    // Statements are our own, and none is ever cut.
  }

  private async begin(table: string, columns: CopyInColumn[]): Promise<void> {
    await this.session.say('do 0'); // after the refusal, only a flag tells that the transaction goes on
    const { rows } = await this.session.query<{ packet: number | string; idle: number | string }>(
      sql`select @@max_allowed_packet as packet, @@wait_timeout as idle`,
    );
    const { packet, idle } = rows[0]!;
    const most = Number(packet) - MARGIN;
    this.text = new InsertText(table, columns, { usual: Math.min(STATEMENT, most), most });
    if (this.over) return;
    this.stayAwake(Math.min(AWAKE_MS, (Number(idle) * 1000) / 4));
    this.listener.ready();
  }

  /** A source may take long for the rows of one statement. Of a process that is frozen the server ends the transaction all the same. */
  private stayAwake(everyMs: number): void {
    this.awake = setInterval(() => {
      if (!this.running) this.session.say('do 0').catch(this.fail);
    }, everyMs);
  }

  /** One statement after another. */
  private async work(): Promise<void> {
    if (this.running) return;
    this.running = true;
    for (let next = this.statements.shift(); next !== undefined; next = this.statements.shift()) {
      try {
        const result = await this.session.change(next);
        await proveRows(this.session, result);
        this.rows += result.affectedRows;
      } catch (error) {
        throw this.numbered(error);
      }
    }
    this.running = false;
    if (this.over) return;
    if (!this.finished) this.drained?.();
    else {
      this.end();
      this.listener.done(this.rows);
    }
  }

  /** The server counts the rows of this statement; people those of the file, as it does for LOAD DATA. */
  private numbered(error: unknown): unknown {
    if (!(error instanceof Error)) return error;
    error.message = error.message.replace(/ at row (\d+)$/, (_, n: string) => ` at row ${this.rows + Number(n)}`);
    return error;
  }

  private end(): void {
    this.over = true;
    clearInterval(this.awake);
  }

  private readonly fail = (error: unknown): void => {
    if (this.over) return;
    this.end();
    // What waits would run after the roll back that follows.
    this.statements.length = 0;
    this.listener.failed(error);
  };
}
