import type { LoadDefinition } from '../config/definition.ts';
import type { CopyInColumn } from '../database/copy-stream.ts';
import type { ColumnFacts, Dialect, TableFacts } from '../database/dialect.ts';
import type { ValueCheck } from './files/csv-format.ts';
import { columnNamed, nearest } from '../sql/names.ts';
import { isOwn, underDomain, unfilled } from './landing-columns.ts';

/** Where the values of a file go. */
export interface FileColumns {
  columns: CopyInColumn[];
  /** Which values of a row these are. */
  keep: boolean[];
  /** What each value of a row must be. */
  checks: (ValueCheck | undefined)[];
}

/** The landing table's column for each name of a header; or what is wrong with it. */
export function fileColumns(
  header: readonly string[],
  target: TableFacts,
  dialect: Pick<Dialect, 'copyInColumn' | 'writtenForm' | 'sql'>,
  { landing }: Pick<LoadDefinition, 'landing'>,
): FileColumns | { problems: string[] } {
  const problems: string[] = [];
  const found: FileColumns = { columns: [], keep: [], checks: [] };
  /** Columns of the landing table, with the names in the header that they are filled by. */
  const filled = new Map<string, string>();
  for (const name of header) {
    const column = columnNamed(target.columns, name, dialect.sql);
    const before = column && filled.get(column.name);
    found.keep.push(column !== undefined);
    found.checks.push(column && checkOf(column, dialect));
    if (isOwn(name, dialect.sql)) problems.push(`the header names ${name}, which the landing table keeps for itself`);
    else if (column?.generated) problems.push(`${target.table}.${name} is generated: the file's value would be lost`);
    else if (before !== undefined) problems.push(`the header names ${before} and ${name}, which are one column`);
    else if (column) {
      found.columns.push(dialect.copyInColumn(column));
      filled.set(column.name, name);
    } else if (landing?.onNewColumns !== 'ignore') {
      const free = target.columns.map((other) => other.name).filter((other) => !header.includes(other));
      const near = nearest(name, free);
      problems.push(`${target.table} has no column ${name}${near ? `; is it ${near}?` : ''}`);
    }
  }
  problems.push(...unfilled(target, new Set(filled.keys()), 'the header', dialect.sql));
  if (found.columns.length === 0) problems.push(`no column of ${target.table} is in the header`);
  return problems.length > 0 ? { problems } : found;
}

/** Else the server would make another value of it without a word. */
function checkOf(column: ColumnFacts, dialect: Pick<Dialect, 'writtenForm'>): ValueCheck | undefined {
  const form = dialect.writtenForm(underDomain(column));
  if (!form) return undefined;
  const complaint = `${column.name} is not written as its type, ${column.type}, is written: ${form.says}`;
  return (text) => (form.fits(text) ? undefined : complaint);
}
