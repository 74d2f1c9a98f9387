import type { LoadDefinition } from '../config/definition.ts';
import type { ColumnFacts, Dialect, TableFacts } from '../database/dialect.ts';
import type { NewColumn } from '../database/landing-dialect.ts';
import { ConfigurationError } from '../errors.ts';
import type { SqlDialect } from '../sql/dialect.ts';
import { columnNamed, nameRefusal } from '../sql/names.ts';
import { invalidRule, isOwn, repetition } from './landing-columns.ts';

/** What a start does with a landing table, or what it leaves out, as an event says it. */
export interface LandingNote {
  what: 'landing_created' | 'columns_added' | 'columns_ignored' | 'columns_empty' | 'files_left' | 'rows_left';
  reason: string;
}

/** What the columns of a landing table come from. */
export interface LandingOrigin {
  /** Files have texts, all of which are kept. */
  dialect: Pick<Dialect, 'shapeOf' | 'sql'> & Partial<Pick<Dialect, 'keepable' | 'name'>>;
  facts: TableFacts;
}

export interface LandingPlan {
  /** What makes the table, or gives it the columns that it lacks; empty: it stays as it is. */
  statements: string[];
  notes: LandingNote[];
}

/**
 * What `to.create` and `to.on_new_columns` make of a landing table as it is now (`undefined`: it is not there) for rows of this
 * source. Throws `ConfigurationError` naming the columns that no type of the target keeps.
 */
export function planLanding(
  source: LandingOrigin,
  target: Dialect,
  landing: TableFacts | undefined,
  load: Pick<LoadDefinition, 'outputs' | 'landing' | 'file'>,
): LandingPlan {
  const { create, onNewColumns } = load.landing!;
  const table = load.outputs[0]!.table;
  if (landing === undefined && !create) return { statements: [], notes: [] };
  const notes = landing ? leftEmpty(source, landing, target.sql) : [];
  if (landing === undefined && source.facts.columns.length === 0) {
    const next = 'read a table that has columns';
    throw new ConfigurationError(`${source.facts.table} has no columns to make ${table} of`, {
      where: load.file,
      next,
    });
  }
  const there = landing?.columns ?? [];
  const missing = {
    ...source.facts,
    columns: source.facts.columns.filter(({ name }) => !columnNamed(there, name, target.sql)),
  };
  if (missing.columns.length === 0 || (landing !== undefined && onNewColumns === 'fail'))
    return { statements: [], notes };
  if (landing !== undefined && onNewColumns === 'ignore') {
    const names = missing.columns.map(({ name }) => name).join(', ');
    return { statements: [], notes: [...notes, { what: 'columns_ignored', reason: `${names}: not in ${table}` }] };
  }
  const columns = typed({ ...source, facts: missing }, target, load);
  const list = columns.map(({ name, type }) => `${name} ${type}`).join(', ');
  return landing === undefined
    ? {
        statements: target.createLanding(table, columns),
        notes: [{ what: 'landing_created', reason: `${table} (${list})` }],
      }
    : {
        statements: target.addColumns(table, columns),
        notes: [...notes, { what: 'columns_added', reason: `${list}, to ${table}` }],
      };
}

/** A column that was dropped or renamed in a database is NULL from then on. Each file has the columns that it has. */
function leftEmpty(
  { dialect, facts }: LandingOrigin,
  { table, columns }: TableFacts,
  target: SqlDialect,
): LandingNote[] {
  if (dialect.keepable === undefined) return [];
  const empty = columns
    .filter(({ hasDefault, generated }) => !hasDefault && !generated)
    .map(({ name }) => name)
    .filter((name) => !isOwn(name, target) && !columnNamed(facts.columns, name, target));
  return empty.length === 0
    ? []
    : [{ what: 'columns_empty', reason: `${empty.join(', ')}: in ${table}, not in ${facts.table}` }];
}

const TEXT = { type: 'text', castType: 'text' };

function typed(
  { dialect, facts }: LandingOrigin,
  target: Dialect,
  { outputs, landing, file }: Pick<LoadDefinition, 'outputs' | 'landing' | 'file'>,
): NewColumn[] {
  const table = outputs[0]!.table;
  const problems: string[] = [];
  /** `on_invalid: text`: a text where the fitting type keeps less than the source has. */
  const textIfInvalid = (type: string, column: ColumnFacts): string | undefined => {
    if (invalidRule(landing, column.name, dialect.sql) !== 'text') return undefined;
    const castType = type.replace(/\(.*?\)/, '');
    const kept = dialect.keepable?.(column, target.shapeOf({ ...column, type, castType }));
    return kept === undefined ? undefined : target.landingType(TEXT, { kind: 'text' }, false);
  };
  const columns = facts.columns.flatMap((column, i): NewColumn[] => {
    const { name } = column;
    if (isOwn(name, target.sql)) {
      problems.push(`the source has a column ${name}, which the landing table keeps for itself`);
      return [];
    }
    const repeated = repetition(facts.columns.slice(0, i), name, target.sql);
    if (repeated !== undefined) {
      problems.push(repeated);
      return [];
    }
    const misnamed = nameRefusal(name, target.sql);
    if (misnamed !== undefined) {
      problems.push(misnamed);
      return [];
    }
    const type = target.landingType(column, dialect.shapeOf(column), dialect.name === target.name);
    if (type !== undefined) return [{ name, type: textIfInvalid(type, column) ?? type }];
    problems.push(`${name}, ${column.type}, has no type there that keeps its values`);
    return [];
  });
  if (problems.length === 0) return columns;
  throw new ConfigurationError(`${table} cannot be given the columns of ${facts.table}: ${problems.join('; ')}`, {
    where: file,
    next: 'read a view or a query (from.sql) that casts or renames them',
  });
}
