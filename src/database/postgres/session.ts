import pg from 'pg';
import type { Rendered } from '../../sql/render.ts';
import { BACK_TO_SAVEPOINT, raw, RELEASE_SAVEPOINT, renderSql, repeated, sql, type SqlStatement } from '../sql.ts';
import { JsonText } from '../json-text.ts';
import { begin } from './ledger.ts';
import { quoteText } from './names.ts';
import { whileReading } from './errors.ts';
import { lasting, placeholder, PreparedStatements } from './prepared-statements.ts';
import {
  TransactionLostError,
  type BeginOptions,
  type Change,
  type QueryResult,
  type RunOptions,
  type RunResult,
  type Session,
  type TakeRow,
} from '../dialect.ts';
import { eachRow } from './each-row.ts';

/** Only what is exact and cheap is parsed; big integers, numerics, dates and times stay text. */
const parsing = (oids: ReadonlySet<number>, json?: (text: string) => unknown): pg.CustomTypesConfig => ({
  getTypeParser: ((oid: number, format?: string) => {
    if (format === 'binary') return pg.types.getTypeParser(oid, 'binary') as unknown;
    if (oids.has(oid)) return pg.types.getTypeParser(oid, 'text') as unknown;
    return (json && (oid === JSON_TEXT || oid === JSONB) ? json : (text: string) => text) as unknown;
  }) as pg.CustomTypesConfig['getTypeParser'],
});
const [BOOL, INT2, INT4, OID, JSON_TEXT, TIMESTAMPTZ, JSONB] = [16, 21, 23, 26, 114, 1184, 3802];
/** A `Date` has milliseconds, and no infinity: for the ledger's own times, never for windows. */
const types = parsing(new Set([BOOL, INT2, INT4, OID, TIMESTAMPTZ]));
/** What is kept as it is: rows that a user's query gives. */
const exactTypes = parsing(new Set([BOOL, INT2, INT4, OID]), (text) => new JsonText(text));

/** A `Session` over one `pg` client. */
export class PostgresSession implements Session {
  closed = false;
  /** The transaction that was begun last may only read. */
  private readOnly = false;
  private readonly prepared = new PreparedStatements((text) => this.client.query(text));

  constructor(
    readonly client: pg.Client | pg.PoolClient,
    readonly connectionId: string,
    private readonly release: (broken: boolean) => Promise<void> | void,
  ) {}

  async query<Row>(statement: SqlStatement): Promise<QueryResult<Row>> {
    const { text, values } = renderSql(statement, placeholder);
    const does = statement.repeated;
    const config = does === undefined ? { text, values } : lasting(does, text, values);
    const result = await this.answer(this.client.query({ ...config, types }));
    return resultOf(result);
  }

  /** By the simple protocol, which takes several statements and binds nothing: values become literals. */
  async pipeline<Row>(statements: readonly SqlStatement[]): Promise<QueryResult<Row>[]> {
    return (await this.send(statements)).map(resultOf<Row>);
  }

  private async send(statements: readonly SqlStatement[]): Promise<pg.QueryResult[]> {
    const text = (await this.prepared.textsOf(statements)).join('; ');
    return [(await this.answer(this.client.query({ text, types }))) as pg.QueryResult | pg.QueryResult[]].flat();
  }

  async run(statement: Pick<Rendered, 'text' | 'values'>, { first = 0, each }: RunOptions = {}): Promise<RunResult> {
    const { text, values } = statement;
    // Extended: one statement only, whatever the text holds.
    const kept = each ? exactTypes : types;
    const config = { text, values, rowMode: 'array', types: kept, queryMode: 'extended' } as pg.QueryArrayConfig;
    const rows: unknown[][] = [];
    const take: TakeRow = (row) => rows.length < first && rows.push(row);
    const result = await this.answer(eachRow(this.client, config, each ?? take));
    if (this.transactionStatus() !== 'T') {
      throw new TransactionLostError('a statement ended the transaction that it ran in');
    }
    const columns = result.fields.map(({ name }) => name);
    return { rows, rowCount: changedRows(result), columns };
  }

  async begin(options: BeginOptions = {}): Promise<void> {
    this.readOnly = options.readOnly ?? false;
    await this.pipeline(begin(options));
  }

  async commit(): Promise<void> {
    proveCommit(await this.client.query('commit'));
  }

  async commitAfter<Row>(
    last: readonly Change[],
    next: readonly SqlStatement[],
  ): Promise<QueryResult<Row>[] | undefined> {
    // The server itself must stop before COMMIT when other rows were touched, or none. The savepoint goes first: a row that was
    // locked before it and is updated within it gets a multixact, one a chunk.
    const proven = last.map(({ statement, rows }) =>
      repeated(
        'done',
        sql`
      with touched as (${statement} returning 1)
      select case when count(*) <> ${raw(String(rows))} then (count(*) || ${raw(quoteText(OTHERS_TOUCHED))})::int end from touched`,
      ),
    );
    try {
      const sent = await this.send([RELEASE_SAVEPOINT, ...proven, sql`commit`, ...next]);
      const [commit, ...answers] = sent.slice(1 + proven.length);
      proveCommit(commit!);
      return answers.map(resultOf<Row>);
    } catch (error) {
      if (!(error instanceof Error && error.message.includes(OTHERS_TOUCHED))) throw error;
      await this.rollback();
      return undefined;
    }
  }

  async rollback(): Promise<void> {
    if (this.closed) return;
    try {
      await this.client.query('rollback');
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
    await this.release(false);
  }

  destroy(): void {
    if (this.closed) return;
    this.closed = true;
    void this.release(true);
  }

  private answer<T>(sent: Promise<T>): Promise<T> {
    return sent.catch((error: unknown) => {
      throw this.readOnly ? whileReading(error) : error;
    });
  }

  /** T: in a transaction, E: in a failed one, I: in none (the server's ReadyForQuery). */
  private transactionStatus(): string | null {
    return (this.client as unknown as { getTransactionStatus(): string | null }).getTransactionStatus();
  }
}

/** Out of this the server can make no number, and says so. */
const OTHERS_TOUCHED = ' rows touched: not done';

const resultOf = <Row>({ rows, rowCount }: pg.QueryResult): QueryResult<Row> => ({
  rows: rows as Row[],
  rowCount: rowCount ?? 0,
});

function proveCommit({ command }: pg.QueryResult): void {
  if (command !== 'COMMIT') throw new TransactionLostError(`the server answered ${command} to COMMIT`);
}

const CHANGING = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE', 'COPY']);

/** Rows that a statement wrote; rows that it only read do not count. */
function changedRows(result: { command: string; rowCount: number | null }): number {
  return CHANGING.has(result.command) ? (result.rowCount ?? 0) : 0;
}
