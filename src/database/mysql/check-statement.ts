import type { Connection } from 'mysql2/promise';
import type { StatementComplaint } from '../catalog-dialect.ts';
import type { Database } from '../dialect.ts';
import { classify } from './errors.ts';
import type { MysqlSession } from './session.ts';

/** ER_UNSUPPORTED_PS: what it thinks of such a statement shows only when it runs. */
const NOT_PREPARED = 1295;
const UNKNOWN_COLUMN = 1054;
/** Unknown database, column, table, routine. */
const MISSING = new Set([1049, UNKNOWN_COLUMN, 1146, 1305]);

/** Lets the server prepare a statement, its parameters unbound; nothing runs. */
export async function checkStatement(database: Database, text: string): Promise<StatementComplaint | undefined> {
  return database.transaction(async (session) => {
    const { connection, server } = session as MysqlSession;
    try {
      await prepare(connection, text);
      if (!server.checksPreparedInserts && /\b(?:insert|replace)\b/i.test(text)) await explainInsert(connection, text);
      return undefined;
    } catch (error) {
      const { errno, message } = error as Error & { errno?: number };
      if (errno === NOT_PREPARED) return undefined;
      if (errno === undefined || classify(error).kind !== 'permanent') throw error;
      const position = positionOf(message, text);
      const unknown = unknownIn(errno, message);
      return {
        message,
        missing: MISSING.has(errno),
        ...(position !== undefined && { position }),
        ...(unknown && { unknown }),
      };
    }
  });
}

async function prepare(connection: Connection, text: string): Promise<void> {
  const prepared = await connection.prepare(text);
  await prepared.close();
}

/** EXPLAIN makes a plan, with no value for any parameter, and runs nothing, no function either. What else it says has been asked already. */
async function explainInsert(connection: Connection, text: string): Promise<void> {
  try {
    const explain = await connection.prepare(`explain ${text}`);
    const { parameters } = (explain as unknown as { statement: { parameters: unknown[] } }).statement;
    await explain.execute(parameters.map(() => null)).finally(() => explain.close());
  } catch (error) {
    if ((error as { errno?: number }).errno === UNKNOWN_COLUMN) throw error;
  }
}

/**
 * The character that a complaint is about, from 1. A syntax error is told by what follows it, up to eighty characters (MariaDB adds
 * dots then), and by its line; names that are not known are told by themselves (`unknown`).
 */
function positionOf(message: string, text: string): number | undefined {
  const [, near, line] = /near '([^]*)' at line (\d+)$/.exec(message) ?? [];
  if (near === undefined) return undefined;
  const start = [...text.matchAll(/^/gm)][Number(line) - 1]?.index ?? 0;
  const at = text.endsWith(near) ? text.length - near.length : text.indexOf(near.replace(/\.{3}$/, ''), start);
  return at < 0 ? undefined : [...text.slice(0, at)].length + 1;
}

const UNKNOWN = new Map([
  [UNKNOWN_COLUMN, 'column'],
  [1146, 'table'],
  [1305, 'function'],
] as const);

/** `Unknown column 'f.orgin' in 'field list'`, `Table 'core.flihgt' doesn't exist`, `FUNCTION core.lenght does not exist`. */
function unknownIn(errno: number, message: string): StatementComplaint['unknown'] {
  const what = UNKNOWN.get(errno as 1054);
  const name = /^(?:Unknown column|Table) '([^']+)'|^FUNCTION (\S+) does not exist/
    .exec(message)
    ?.slice(1)
    .find(Boolean);
  return what && name !== undefined ? { what, parts: name.split('.') } : undefined;
}
