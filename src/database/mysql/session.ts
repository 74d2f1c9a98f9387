import type { EventEmitter } from 'node:events';
import type { Connection, FieldPacket, QueryOptions, ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import { BACK_TO_SAVEPOINT, renderSql, type SqlStatement } from '../sql.ts';
import {
  TransactionLostError,
  type BeginOptions,
  type Change,
  type QueryResult,
  type RunOptions,
  type RunResult,
  type Session,
  type TakeRow,
  type UserStatement,
} from '../dialect.ts';
import { eachRow, passRows } from './each-row.ts';
import { begin, inZone, isOfAnyZone, isUtc, UTC } from './ledger.ts';
import type { ServerFacts } from './server-facts.ts';

/** SERVER_STATUS_IN_TRANS of the protocol's OK packet. */
const IN_TRANSACTION = 1;
/** The protocol's numbers of tinyint, smallint, int, bigint, mediumint. */
const WHOLE = new Set<number | undefined>([1, 2, 3, 8, 9]);

/**
 * A `Session` over one `mysql2` connection. Whether a transaction is open is known from the server's own answers: every
 * statement that changes anything ends with its flag. (Statements that answer with rows bear none, and end no transaction
 * unless they fail.) So a deadlock, after which the server would commit each further statement by itself, is noticed before
 * anything is committed.
 */
export class MysqlSession implements Session {
  closed = false;
  private open = false;
  /** The time zone that it is in, as a load says it. */
  private zone = UTC;

  constructor(
    readonly connection: Connection,
    readonly server: ServerFacts,
    private readonly release: (broken: boolean) => Promise<void> | void,
    /** How long a statement for users may take, and who ends the connection then: neither server limits statements that write. */
    private readonly limit?: { ms: number; end: (connectionId: string) => Promise<void> },
  ) {}

  get connectionId(): string {
    return String(this.connection.threadId);
  }

  async query<Row>(statement: SqlStatement): Promise<QueryResult<Row>> {
    const { text, values } = renderSql(statement, () => '?');
    if (!isOfAnyZone(text)) await this.enterZone(UTC);
    const [result, fields] = await this.send({ sql: text, values, dateStrings: false, rowsAsArray: false });
    if (!Array.isArray(result)) return { rows: [], rowCount: result.affectedRows };
    const truths = truthsOf(fields);
    for (const row of truths.length > 0 ? result : []) {
      for (const name of truths) if (row[name] !== null) row[name] = Number(row[name]) !== 0;
    }
    return { rows: result as Row[], rowCount: result.length };
  }

  /** One round trip each: the driver sends one statement at a time. */
  async pipeline<Row>(statements: readonly SqlStatement[]): Promise<QueryResult<Row>[]> {
    const answers: QueryResult<Row>[] = [];
    for (const statement of statements) answers.push(await this.query<Row>(statement));
    return answers;
  }

  async commitAfter<Row>(
    last: readonly Change[],
    next: readonly SqlStatement[],
  ): Promise<QueryResult<Row>[] | undefined> {
    for (const { statement, rows } of last) {
      if ((await this.query(statement)).rowCount === rows) continue;
      await this.rollback();
      return undefined;
    }
    await this.commit();
    return this.pipeline<Row>(next);
  }

  /** The zone stays for the next of the user's statements: ranges that share a transaction would set it and take it back for each. */
  async run(statement: UserStatement, options: RunOptions = {}): Promise<RunResult> {
    await this.enterZone(statement.timeZone ?? UTC);
    return this.runHere(statement, options);
  }

  /** Before each statement: what is ours reads and writes its times in UTC, whatever ran before it. */
  private async enterZone(zone: string): Promise<void> {
    const wanted = isUtc(zone) ? UTC : zone;
    if (wanted === this.zone) return;
    await this.send(ours(inZone(wanted)));
    this.zone = wanted;
  }

  private async runHere(
    statement: UserStatement,
    { commits = false, first = 0, each }: RunOptions,
  ): Promise<RunResult> {
    const rows: unknown[][] = [];
    let complaint: Error | undefined;
    const take: TakeRow = (row, columns) => {
      if (rows.length < first) rows.push(row);
      if (commits) complaint ??= complaintIn(row, columns);
    };
    const sent = { sql: statement.text, values: statement.values, dateStrings: true, rowsAsArray: true };
    const [result, fields] = await this.limited({ ...sent, ...(each ? { each } : { take }) });
    if (commits) {
      this.open = false;
      if (complaint) throw complaint;
    } else if (!this.open) throw new TransactionLostError('a statement ended the transaction that it ran in');
    if (!Array.isArray(result)) return { rows, rowCount: result.affectedRows, columns: [] };
    return { rows, rowCount: 0, columns: fields.map(({ name }) => name) };
  }

  async begin(options: BeginOptions = {}): Promise<void> {
    await this.pipeline(begin(options));
  }

  async commit(): Promise<void> {
    if (!this.open) throw new TransactionLostError('the server had ended the transaction before COMMIT');
    await this.say('commit');
    if (this.open) throw new TransactionLostError('the server is in a transaction after COMMIT');
  }

  async rollback(): Promise<void> {
    if (this.closed) return;
    try {
      await this.say('rollback');
    } catch {
      this.destroy(); // the server rolls back what a lost connection leaves
    }
  }

  async rollbackToSavepoint(): Promise<void> {
    await this.query(BACK_TO_SAVEPOINT);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    const broken =
      this.zone !== UTC &&
      !(await this.enterZone(UTC).then(
        () => true,
        () => false,
      ));
    await this.release(broken);
  }

  destroy(): void {
    if (this.closed) return;
    this.closed = true;
    void this.release(true);
  }

  /** A statement of ours without values: no round trip to prepare it. */
  async say(text: string): Promise<void> {
    await this.enterZone(UTC);
    await this.send(ours(text));
  }

  /**
   * A statement of ours without values that writes rows, in a transaction. `infile`: what the server gets that asks for the file of
   * this name; no statement without it is answered such a question.
   */
  async change(text: string, infile?: (name: string) => EventEmitter): Promise<ResultSetHeader> {
    if (!this.open) throw new TransactionLostError('rows are written in a transaction only');
    await this.enterZone(UTC);
    const [result] = await this.limited({
      ...ours(text),
      ...(infile && { infileStreamFactory: infile as never }),
    });
    return result as ResultSetHeader;
  }

  /** Where there is a limit, the connection is ended after it: no statement that writes can be ended otherwise. */
  private async limited(statement: Sent): Promise<Answer> {
    const { limit } = this;
    const timer = limit && setTimeout(() => void limit.end(this.connectionId).catch(() => undefined), limit.ms);
    return this.send(statement).finally(() => clearTimeout(timer));
  }

  private async send(options: Sent): Promise<Answer> {
    const values = options.values.map(bound);
    try {
      // Bound by the server, never pasted into the text by the driver.
      const answer = await this.ask({ ...options, values });
      if (!Array.isArray(answer[0])) this.open = (answer[0].serverStatus & IN_TRANSACTION) !== 0;
      return answer;
    } catch (error) {
      // A deadlock ends the transaction, a lost connection everything; a duplicate key does not. The next flag tells.
      this.open = false;
      throw error;
    }
  }

  private async ask({ each, take, ...sent }: Sent<string | Buffer | null>): Promise<Answer> {
    const query = { ...sent, values: [...sent.values] };
    if (each) return eachRow(this.connection, query, each);
    if (take) return passRows(this.connection, query, take);
    if (query.values.length > 0) return this.connection.execute<ResultSetHeader | RowDataPacket[]>(query);
    return this.connection.query<ResultSetHeader | RowDataPacket[]>({ ...query, values: undefined });
  }
}

interface Sent<Value = unknown> {
  sql: string;
  values: readonly Value[];
  dateStrings: boolean;
  rowsAsArray: boolean;
  infileStreamFactory?: QueryOptions['infileStreamFactory'];
  /** As in `RunOptions`. */
  each?: TakeRow;
  /** Takes its rows as they come, as the driver makes them. */
  take?: TakeRow;
}

const ours = (sql: string): Sent => ({ sql, values: [], dateStrings: false, rowsAsArray: false });

export type Answer = [ResultSetHeader | RowDataPacket[], FieldPacket[]];

/** Everything travels as text, which the server converts exactly; the driver would send a number as a float. */
function bound(value: unknown): string | Buffer | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || Buffer.isBuffer(value)) return value;
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (value instanceof Date) return value.toISOString().slice(0, -1).replace('T', ' ');
  throw new Error(`a ${typeof value} cannot be bound`);
}

/** `analyze table` and its like end well whatever happens: what went wrong they say in a row (Table, Op, Msg_type, Msg_text). */
function complaintIn(row: unknown[], columns: readonly string[]): Error | undefined {
  if (columns[2] !== 'Msg_type') return undefined;
  const [table, , type, message] = row.map(String);
  return type!.toLowerCase() === 'error' ? new Error(`${table}: ${message}`) : undefined;
}

/** Columns of one digit are truth values: `tinyint(1)`, comparisons, `exists`. There is no other type for them. */
function truthsOf(fields: FieldPacket[]): string[] {
  return fields
    .filter(({ columnType, columnLength }) => columnLength === 1 && WHOLE.has(columnType))
    .map(({ name }) => name);
}

/** ER_KILL_DENIED_ERROR: it belongs to another account. */
const NOT_OURS = 1095;
/** ER_NO_SUCH_THREAD. */
const NO_SUCH_CONNECTION = 1094;

/**
 * Ends one connection, and with it its transaction: KILL QUERY would keep both. It takes no privilege to end a connection of
 * one's own account; `denied`: what is thrown of another's, in place of the server's error. False if it has gone.
 */
export async function killConnection(
  session: Pick<MysqlSession, 'say'>,
  connectionId: string,
  denied?: (cause: unknown) => Error,
): Promise<boolean> {
  if (!/^\d+$/.test(connectionId)) throw new Error(`not a connection: ${connectionId}`);
  try {
    await session.say(`kill connection ${connectionId}`);
    return true;
  } catch (error) {
    const { errno } = error as { errno?: number };
    if (errno === NO_SUCH_CONNECTION) return false;
    throw errno === NOT_OURS && denied ? denied(error) : error;
  }
}
