import { codeText } from '../../sql/code-text.ts';
import type { SqlDialect } from '../../sql/dialect.ts';
import { namedTables } from '../../sql/lint.ts';
import { mysqlDialect } from '../../sql/mysql.ts';
import { parseTableName } from '../../sql/names.ts';
import { splitTokens } from '../../sql/split.ts';
import type { RowSource } from '../row-source.ts';
import type { Session } from '../dialect.ts';
import { sql } from '../sql.ts';
import type { MysqlSession } from './session.ts';
import { rowsOf } from './tables.ts';

interface Refusal {
  reason: string;
  next: string;
}

/** Of MariaDB's tables of numbers, `seq_1_to_10`, which are always the same. */
const STEADY = ['InnoDB', 'SEQUENCE'];
/** What locks reads what was committed last, in whichever transaction. MySQL takes it out of a view's text, MariaDB obeys it where a view is no mere text. */
const LOCKS = /\b(?:for share|lock in share mode)\b/;

/**
 * See `Dialect.stateRefusal`. EXPLAIN calls tables by their aliases, and does not name one whose only row it has read already, so names
 * are taken from the query's text and from those of views, which the server keeps with the schema of each. What functions read is not
 * seen.
 */
export async function stateRefusal(session: Session, rows: RowSource): Promise<Refusal | undefined> {
  const dialect = mysqlDialect((session as MysqlSession).server.flavour);
  const seen = new Set<string>();
  return typeof rows === 'string' ? ofTable(rows, undefined) : ofText(rows.query, undefined);

  /** `view`: whose text it is; undefined: the load's own. */
  async function ofText(text: string, view: string | undefined): Promise<Refusal | undefined> {
    const [tokens = []] = splitTokens({ text, file: view ?? 'from.sql', line: 1, column: 1 }, dialect);
    if (LOCKS.test(codeText(tokens))) {
      const reason = `${view ?? 'from.sql'} locks the rows that it reads, and would get those that are there by then`;
      return { reason, next: 'take the lock out of it, or leave consistent out' };
    }
    // What a `with` clause calls like a table may read that very table.
    for (const table of namedTables({ tokens, dialect }, { defined: true })) {
      if (seen.has(table)) continue;
      seen.add(table);
      const refusal = await ofTable(table, view);
      if (refusal) return refusal;
    }
    return undefined;
  }

  async function ofTable(table: string, view: string | undefined): Promise<Refusal | undefined> {
    if (parseTableName(table, dialect).schema?.toLowerCase() === 'information_schema')
      return ofNoTable(table, 'system view');
    const [facts] = await rowsOf<{ type: string; engine: string | null }>(
      session,
      table,
      (here) => sql`select table_type as type, engine as engine from information_schema.tables where ${here}`,
    );
    // What a load's own text names is no table, or the server will say that it is not there.
    if (!facts) return view !== undefined && isStored(table, dialect) ? unseen(view) : undefined;
    if (facts.type === 'VIEW') {
      const [kept] = await rowsOf<{ text: string | null }>(
        session,
        table,
        (here) => sql`select view_definition as text from information_schema.views where ${here}`,
      );
      return kept?.text ? ofText(kept.text, table) : unseen(table);
    }
    return TABLES.includes(facts.type) ? ofEngine(table, facts.engine) : ofNoTable(table, facts.type);
  }
}

/** MariaDB's, too, which keep what was there before. */
const TABLES = ['BASE TABLE', 'SYSTEM VERSIONED'];

/** In the text of a view, what has no schema is defined in that text. */
const isStored = (table: string, dialect: SqlDialect): boolean => parseTableName(table, dialect).schema !== undefined;

function ofEngine(table: string, engine: string | null): Refusal | undefined {
  if (engine !== null && STEADY.includes(engine)) return undefined;
  const kind = engine === null ? 'broken table' : `table of ${engine}`;
  return {
    reason: `${table} is a ${kind}, and only InnoDB is known to keep what was there when a transaction began`,
    next: `alter table ${table} engine = InnoDB; or leave consistent out`,
  };
}

const ofNoTable = (table: string, type: string): Refusal => ({
  reason: `${table} is a ${type.toLowerCase()}, which is to everybody what it is now`,
  next: 'leave consistent out',
});

const unseen = (view: string): Refusal => ({
  reason: `this account may not see which tables view ${view} reads, and only those of InnoDB keep what was there when a transaction began`,
  next: `grant it SHOW VIEW on the view and SELECT on its tables, or leave consistent out`,
});
