/** What every connection is made to be before anything else is said on it, whatever server, database and role have by default. */
import type pg from 'pg';
import { quoteText } from './names.ts';

type Settings = Readonly<Record<string, string>>;

/** Windows, keys and copies travel as text: ISO dates, all digits of floats, bytes in hex. */
export const STYLE: Settings = {
  datestyle: 'ISO',
  intervalstyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
};

const EVERYWHERE: Settings = {
  // For what runs outside a transaction, too: the others say it.
  default_transaction_isolation: 'read committed',
  client_encoding: 'UTF8',
  ...STYLE,
  array_nulls: 'on', // a NULL in an array is one
  // Strings without escapes: what the lexer reads.
  standard_conforming_strings: 'on',
  // A row that a policy hides would be lost without a word: an error instead.
  row_security: 'off',
  // For the server to notice a client that is asleep.
  idle_in_transaction_session_timeout: '60s',
};

/** For the server to notice a client that is gone: good to have, where its platform can. */
const NOTICING: Settings = {
  tcp_keepalives_idle: '30',
  tcp_keepalives_interval: '10',
  tcp_keepalives_count: '3',
};
/** Refused on Windows, and by PostgreSQL 14 wherever it does not run on Linux. */
const CHECKING: Settings = { client_connection_check_interval: '2s' };
const INVALID_VALUE = '22023';

/** For connections that write. What only reads a source keeps the limits of that server. */
export const WRITING: Settings = {
  default_transaction_read_only: 'off',
  /** Since PostgreSQL 17. */
  transaction_timeout: '0',
};

/**
 * For our own statements: a fence or a publish waits as long as it must, and a role's limits are not for them. A fence that
 * gives up its place in the queue may never get in (FACTS).
 */
export const OURS: Settings = { ...WRITING, statement_timeout: '0', lock_timeout: '0' };

/** Those that not every server has. */
const MISSING_ON_SOME = new Set([...Object.keys({ ...NOTICING, ...CHECKING }), 'transaction_timeout']);

const pinned = ([name, value]: [string, string]): string => {
  const set = `set_config(${quoteText(name)}, ${quoteText(value)}, false)`;
  return MISSING_ON_SOME.has(name)
    ? `case when current_setting(${quoteText(name)}, true) is not null then ${set} end`
    : set;
};

/** A publish that was answered stays: relaxed transactions, before it, say so themselves. Other values promise no less than `on`, or all that this server can. */
const FLUSHED = `case when current_setting('synchronous_commit') = 'off' then set_config('synchronous_commit', 'on', false) end`;

/**
 * Of one database. In one round trip after connecting, not in the message that begins a connection: a pooler may refuse its `options`, or
 * drop them, and one setting that a platform does not know would end it.
 */
export class ConnectionSettings {
  private canCheck = true;

  /** Answers with the number of the connection as the server itself has it: a pooler makes up one of its own. */
  async pin(client: pg.ClientBase, more: Settings): Promise<string> {
    const settings = { ...EVERYWHERE, ...NOTICING, ...more };
    if (!this.canCheck) return pin(client, settings);
    try {
      return await pin(client, { ...settings, ...CHECKING });
    } catch (error) {
      if ((error as { code?: unknown }).code !== INVALID_VALUE) throw error;
      const number = await pin(client, settings);
      this.canCheck = false;
      return number;
    }
  }
}

async function pin(client: pg.ClientBase, settings: Settings): Promise<string> {
  const { rows } = await client.query<string[]>({
    text: `select pg_backend_pid()::text, ${[...Object.entries(settings).map(pinned), FLUSHED].join(', ')}`,
    rowMode: 'array',
  });
  return rows[0]![0]!;
}
