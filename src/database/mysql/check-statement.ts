import type { Database, StatementComplaint } from '../dialect.ts';
import { classify } from './errors.ts';
import type { MysqlSession } from './session.ts';

/** ER_UNSUPPORTED_PS: what it thinks of such a statement shows only when it runs. */
const NOT_PREPARED = 1295;
/** Unknown database, column, table, routine. */
const MISSING = new Set([1049, 1054, 1146, 1305]);

/** Lets the server prepare a statement, its parameters unbound; nothing runs. */
export async function checkStatement(database: Database, text: string): Promise<StatementComplaint | undefined> {
  return database.transaction(async (session) => {
    try {
      const prepared = await (session as MysqlSession).connection.prepare(text);
      await prepared.close();
      return undefined;
    } catch (error) {
      const { errno, message } = error as Error & { errno?: number };
      if (errno === NOT_PREPARED) return undefined;
      if (errno === undefined || classify(error).kind !== 'permanent') throw error;
      const position = positionOf(message, text);
      return { message, missing: MISSING.has(errno), ...(position !== undefined && { position }) };
    }
  });
}

/** The character that a complaint is about, from 1. */
function positionOf(message: string, text: string): number | undefined {
  const at = placeOfSyntaxError(message, text) ?? placeOfColumn(message, text);
  return at === undefined || at < 0 ? undefined : [...text.slice(0, at)].length + 1;
}

/** It is told by what follows it, up to eighty characters (MariaDB adds dots then), and by its line. */
function placeOfSyntaxError(message: string, text: string): number | undefined {
  const [, near, line] = /near '([^]*)' at line (\d+)$/.exec(message) ?? [];
  if (near === undefined) return undefined;
  const start = [...text.matchAll(/^/gm)][Number(line) - 1]?.index ?? 0;
  return text.endsWith(near) ? text.length - near.length : text.indexOf(near.replace(/\.{3}$/, ''), start);
}

/** An unknown column is told by its name, as it stands in the text; the first of that name. */
function placeOfColumn(message: string, text: string): number | undefined {
  const [, column] = /^Unknown column '([^']+)' in /.exec(message) ?? [];
  if (column === undefined) return undefined;
  const parts = column.split('.').map((name) => `\`?${name.replace(/\W/g, '\\$&')}\`?`);
  return text.search(new RegExp(`(?<![\\w$.\`])${parts.join('\\s*\\.\\s*')}(?![\\w$])`, 'i'));
}
