import type { Database } from '../database/dialect.ts';
import { sql } from '../database/sql.ts';
import { ConfigurationError } from '../errors.ts';
import type { Migration } from './migrations.ts';

const MADE = /\bcreate\s+(?:or\s+replace\s+)?(?:table|view)\s+(?:if\s+not\s+exists\s+)?(\w+)/gi;

/**
 * A schema in which somebody else's tables or views have our names: they would be taken for ours, or be in their way.
 *
 * @throws ConfigurationError
 */
export async function refuseTaken(database: Database, migrations: readonly Migration[]): Promise<void> {
  const { rows } = await database.query<{ t: string; c: string }>(sql`
    select table_name as t, column_name as c from information_schema.columns
    where table_schema = ${database.controlSchema}`);
  const there = new Map<string, Set<string>>();
  for (const { t, c } of rows) there.set(t, (there.get(t) ?? new Set()).add(c));
  // Ours is made before all others.
  const journal = there.get('migration');
  if (journal?.has('version') && journal.has('checksum')) return;
  const ours = ['migration', ...migrations.flatMap(({ text }) => [...text.matchAll(MADE)].map(([, name]) => name!))];
  const taken = [...new Set(ours)].filter((name) => there.has(name));
  if (taken.length === 0) return;
  throw new ConfigurationError(
    `the schema ${database.controlSchema} on ${database.connection} has ${taken.join(', ')} of somebody else's, where the control tables would stand`,
    {
      where: `connection ${database.connection}`,
      next: 'give the connection a control_schema of its own in waybill.yaml',
    },
  );
}
