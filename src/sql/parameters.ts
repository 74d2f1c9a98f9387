import { nearest } from './names.ts';
import { SqlError } from './sql-error.ts';
import type { Statement } from './statement.ts';

/** Throws `SqlError` for the first `:name` that is not among the known names (without colons), suggesting the nearest. */
export function checkParameters(statement: Statement, known: Iterable<string>): void {
  const names = new Set(known);
  const unknown = statement.parameters.find(({ name }) => !names.has(name));
  if (unknown === undefined) return;
  const near = nearest(unknown.name, names);
  const next = near === undefined ? `Known here: ${list(names)}.` : `Did you mean :${near}?`;
  throw new SqlError(`unknown parameter :${unknown.name}`, { file: statement.file, ...unknown }, next);
}

function list(names: ReadonlySet<string>): string {
  return names.size === 0 ? 'none' : [...names].map((name) => `:${name}`).join(' ');
}
