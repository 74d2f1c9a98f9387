import type pg from 'pg';
import { renderSql, renderText, type SqlStatement } from '../sql.ts';
import { quoteText } from './names.ts';

/** Placeholders of the wire protocol, and of PREPARE. */
export const placeholder = (n: number): string => `$${n}`;

/** From this time on that a session sends a text: preparing costs a round trip, which few chunks would not earn. */
const PREPARE_AT = 3;

/** Over all sessions: a connection of a pool outlives those that use it, and keeps what they have prepared. */
let names = 0;

/** Of each text that is sent alone: the server has one of a name on a connection, and `pg` knows which those are. */
const lastingNames = new Map<string, string>();

/**
 * A statement that a connection keeps for whoever has that connection next: parsed once, and planned a few times. What a chunk asks the
 * catalog about its table takes the server 3 ms anew, and 0.8 ms so.
 */
export function lasting(does: string, text: string, values: unknown[]): pg.QueryConfig {
  const name = lastingNames.get(text) ?? `waybill_${does}_${(names += 1)}`;
  lastingNames.set(text, name);
  return { name, text, values };
}

/**
 * What one connection has prepared of our own statements. To parse and plan them for each chunk anew took half of the server's
 * time for a chunk that does little. The server settles on one plan for all values only where that is as good as one for each.
 */
export class PreparedStatements {
  /** By text: how often it was sent, then what calls it. */
  private readonly known = new Map<string, number | string>();

  constructor(private readonly prepare: (text: string) => Promise<unknown>) {}

  /** The statements as texts of the simple protocol, which binds nothing. Prepares what has been sent often enough. */
  async textsOf(statements: readonly SqlStatement[]): Promise<string[]> {
    const texts: string[] = [];
    for (const statement of statements) texts.push(await this.textOf(statement));
    return texts;
  }

  private async textOf(statement: SqlStatement): Promise<string> {
    if (statement.repeated === undefined) return renderText(statement, literal);
    const { text, values } = renderSql(statement, placeholder);
    let known = this.known.get(text) ?? 1;
    if (typeof known === 'number' && known < PREPARE_AT) {
      this.known.set(text, known + 1);
      return renderText(statement, literal);
    }
    if (typeof known === 'number') {
      const name = `waybill_${statement.repeated}_${(names += 1)}`;
      await this.prepare(`prepare ${name} as ${text}`);
      known = `execute ${name}`;
      this.known.set(text, known);
    }
    return values.length === 0 ? known : `${known} (${values.map(literal).join(', ')})`;
  }
}

/** A value of one of our own statements as the text of the server has it. */
function literal(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (value instanceof Date) return quoteText(value.toISOString());
  if (typeof value === 'string') return quoteText(value);
  throw new TypeError(`no literal for a value of type ${typeof value}`);
}
