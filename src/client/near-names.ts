/** Names in SQL that a server does not know: what was meant. */
import type { StatementComplaint } from '../database/catalog-dialect.ts';
import type { Database } from '../database/dialect.ts';
import { namedTables, placeOfName } from '../sql/lint.ts';
import { nearest } from '../sql/names.ts';
import type { Statement } from '../sql/statement.ts';
import { isWord } from '../sql/token.ts';

type Unknown = NonNullable<StatementComplaint['unknown']>;

/** What a person most likely meant, of all that is there; undefined: nothing is near. */
export async function whatWasMeant(
  database: Database,
  statement: Statement,
  unknown: Unknown,
): Promise<string | undefined> {
  const { dialect } = database;
  const { what, parts } = unknown;
  const known = await {
    column: () => columnsFor(database, statement, unknown),
    table: () => dialect.listTables(database),
    function: () => dialect.listFunctions(database),
  }[what]();
  const name = parts.at(-1)!;
  const written = what === 'column' ? name : parts.join('.');
  // It is there, but of another table, or for other values.
  if (known.some((one) => one.toLowerCase() === written.toLowerCase())) return undefined;
  return nearest(written, known) ?? nearestByLastPart(name, known);
}

/** People leave the schema out, or the server has put another one before the name. */
function nearestByLastPart(name: string, known: string[]): string | undefined {
  const whole = new Map(known.map((one) => [one.slice(one.lastIndexOf('.') + 1), one]));
  return whole.get(nearest(name, whole.keys()) ?? '');
}

/** Columns of all tables of a statement; where the name stands among those that are inserted, of that table only. */
async function columnsFor(database: Database, statement: Statement, { parts }: Unknown): Promise<string[]> {
  const named = namedTables(statement);
  const place = placeOfName(statement, parts);
  const values = statement.tokens.find((token) => isWord(token, 'select', 'values', 'set', 'with', 'table'));
  const isInserted = ['insert', 'replace'].includes(statement.verb) && place && values && place.start < values.start;
  const tables = isInserted ? named : [...new Set([...statement.braces.map(({ table }) => table), ...named])];
  const found = await Promise.all(tables.map((table) => database.dialect.describeTable(database, table)));
  const there = found.filter((facts) => facts !== undefined);
  return (isInserted ? there.slice(0, 1) : there).flatMap(({ columns }) => columns.map(({ name }) => name));
}
