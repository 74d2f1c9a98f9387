import pg from 'pg';
import type { Rendered } from '../../sql/render.ts';
import { renderSql, type SqlStatement } from '../sql.ts';
import { TransactionLostError, type BeginOptions, type QueryResult, type Session } from '../dialect.ts';

const types: pg.CustomTypesConfig = {
  // Only what is exact and cheap is parsed; big integers, numerics, dates and times stay text.
  getTypeParser: ((oid: number, format?: string) => {
    if (format === 'binary') return pg.types.getTypeParser(oid, 'binary') as unknown;
    if (PARSED.has(oid)) return pg.types.getTypeParser(oid, 'text') as unknown;
    return (text: string) => text;
  }) as pg.CustomTypesConfig['getTypeParser'],
};
/** bool, int2, int4, oid, timestamptz (as Date: for showing, never for windows). */
const PARSED = new Set([16, 21, 23, 26, 1184]);

/** Placeholders of the wire protocol. */
export const placeholder = (n: number): string => `$${n}`;

/** A `Session` over one `pg` client. */
export class PostgresSession implements Session {
  private closed = false;

  constructor(
    readonly client: pg.Client | pg.PoolClient,
    readonly connectionId: string,
    private readonly release: (broken: boolean) => Promise<void> | void,
  ) {}

  async query<Row>(statement: SqlStatement): Promise<QueryResult<Row>> {
    const { text, values } = renderSql(statement, placeholder);
    const result = await this.client.query({ text, values, types });
    return { rows: result.rows as Row[], rowCount: result.rowCount ?? 0 };
  }

  /** Several statements in one round trip, by the simple protocol: only for text and numbers that are ours. */
  async batch(text: string): Promise<pg.QueryResult[]> {
    const results = await this.client.query({ text, types });
    return results as unknown as pg.QueryResult[];
  }

  async run(statement: Pick<Rendered, 'text' | 'values'>): Promise<QueryResult<unknown[]>> {
    const result = await this.client.query({
      text: statement.text,
      values: statement.values,
      rowMode: 'array',
      types,
      queryMode: 'extended', // one statement only, whatever the text holds
    } as pg.QueryArrayConfig);
    if (this.transactionStatus() !== 'T') {
      throw new TransactionLostError('a statement ended the transaction that it ran in');
    }
    return { rows: result.rows as unknown[][], rowCount: changedRows(result) };
  }

  async begin(options: BeginOptions = {}): Promise<void> {
    await this.client.query(`begin isolation level read committed ${options.readOnly ? 'read only' : 'read write'}`);
    for (const [name, value] of Object.entries(options.settings ?? {})) {
      await this.client.query('select set_config($1, $2, true)', [name, value]);
    }
  }

  async commit(): Promise<void> {
    const { command } = await this.client.query('commit');
    if (command !== 'COMMIT') throw new TransactionLostError(`the server answered ${command} to COMMIT`);
  }

  async rollback(): Promise<void> {
    if (this.closed) return;
    try {
      await this.client.query('rollback');
    } catch {
      this.destroy(); // the server rolls back what a lost connection leaves
    }
  }

  async savepoint(): Promise<void> {
    await this.client.query('savepoint user_statements');
  }

  async rollbackToSavepoint(): Promise<void> {
    await this.client.query('rollback to savepoint user_statements');
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

  /** T: in a transaction, E: in a failed one, I: in none (the server's ReadyForQuery). */
  private transactionStatus(): string | null {
    return (this.client as unknown as { getTransactionStatus(): string | null }).getTransactionStatus();
  }
}

const CHANGING = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE', 'COPY']);

/** Rows that a statement wrote; rows that it only read do not count. */
function changedRows(result: { command: string; rowCount: number | null }): number {
  return CHANGING.has(result.command) ? (result.rowCount ?? 0) : 0;
}
