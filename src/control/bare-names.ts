/** Names without schema: in a load's file they mean one table, and in its SQL what `search_path` makes of them. */
import type { LoadDefinition, SqlSource } from '../config/definition.ts';
import type { Database, Session } from '../database/dialect.ts';
import { reading } from '../database/transaction.ts';
import type { SqlDialect } from '../sql/dialect.ts';
import { bareInsertTargets } from '../sql/lint.ts';
import { formatTableName, parseTableName } from '../sql/names.ts';
import type { Position } from '../sql/sql-error.ts';
import { parseStatements, type SqlPlace, type Statement } from '../sql/statement.ts';

/** Why a name may not stand as it does. */
interface Misleading {
  message: string;
  next: string;
}

/** What names without schema lead to in SQL. */
type Found = ReadonlyMap<string, string>;

/** That a table of a load's file is another one in SQL; undefined: it is the same, or has its schema. */
export async function misleadingName(
  database: Database,
  load: LoadDefinition,
  table: string,
): Promise<Misleading | undefined> {
  const { sql } = database.dialect;
  return misleads(table, await inSql(database, load, bareNames([table], sql)), sql);
}

function misleads(table: string, found: Found, dialect: SqlDialect): Misleading | undefined {
  const [name] = bareNames([table], dialect);
  const other = name === undefined ? undefined : found.get(name);
  const own = withSchema(table, dialect);
  if (other === undefined || other === own) return undefined;
  return {
    message: `\`${table}\` without schema means \`${own}\` here, and by search_path \`${other}\` in SQL`,
    next: `Write \`${other}\` if that is the table, or \`${own}\`; in {{ }}, too.`,
  };
}

/**
 * That a statement inserts, by a name without schema, into another table than the one of that name which the load's file has: no roll
 * back would find those rows.
 */
export async function misleadingInserts(
  database: Database,
  load: LoadDefinition,
  statement: Statement,
): Promise<(Misleading & Position)[]> {
  const inserts = bareInserts(load, statement, database.dialect.sql);
  return insertsElsewhere(inserts, await inSql(database, load, namesOf(inserts)));
}

interface BareInsert extends Position {
  name: string;
  /** The table of this name that the load's file has. */
  meant: string;
  written: string[];
}

function bareInserts({ outputs, inputs }: LoadDefinition, statement: Statement, dialect: SqlDialect): BareInsert[] {
  const written = [...outputs, ...inputs].map(({ table }) => withSchema(table, dialect));
  return bareInsertTargets(statement).flatMap((target) => {
    const meant = written.find((table) => parseTableName(table, dialect).name === target.name);
    return meant === undefined ? [] : [{ ...target, meant, written }];
  });
}

const namesOf = (inserts: readonly BareInsert[]): string[] => inserts.map(({ name }) => name);

function insertsElsewhere(inserts: readonly BareInsert[], found: Found): (Misleading & Position)[] {
  return inserts.flatMap(({ name, meant, written, line, column }) => {
    const other = found.get(name);
    if (other === undefined || written.includes(other)) return [];
    return {
      line,
      column,
      message: `by search_path, this inserts into \`${other}\`, and the load has \`${meant}\`: no roll back would find the rows`,
      next: `Write \`${meant}\` here; or name \`${other}\` in the load's file, if that is the table.`,
    };
  });
}

/** The first name of a load that misleads, and where it stands. */
export async function firstMisleading(
  database: Database,
  source: Database | undefined,
  load: LoadDefinition,
): Promise<(Misleading & { where: string }) | undefined> {
  if ((database.dialect.leadsTo ?? source?.dialect.leadsTo) === undefined) return undefined;
  const { sql } = database.dialect;
  const { file, inputs, reads, outputs, range, from } = load;
  const of = range && 'table' in range.over ? [range.over.table] : [];
  const read = from?.table === undefined ? [] : [from.table];
  const named = [...inputs.map(({ table }) => table), ...reads, ...outputs.map(({ table }) => table), ...of];
  if (source === database) named.push(...read);
  const inserting = writing(load)
    .flatMap(({ sql: text, place }) => parseStatements(text, sql, place))
    .map((statement) => ({ statement, inserts: bareInserts(load, statement, sql) }));
  const inserted = inserting.flatMap(({ inserts }) => namesOf(inserts));
  const found = await inSql(database, load, [...bareNames(named, sql), ...inserted]);
  for (const table of named) {
    const misleading = misleads(table, found, sql);
    if (misleading) return { ...misleading, where: file };
  }
  if (source && source !== database) {
    for (const table of read) {
      const misleading = await misleadingName(source, load, table);
      if (misleading) return { ...misleading, where: file };
    }
  }
  for (const { statement, inserts } of inserting) {
    const [first] = insertsElsewhere(inserts, found);
    if (first) return { ...first, where: `${statement.file}:${first.line}:${first.column}` };
  }
  return undefined;
}

const writing = ({ before, stages, after }: LoadDefinition): { sql: SqlSource; place: SqlPlace }[] => [
  ...[...before, ...after].map((sql) => ({ sql, place: 'step' as const })),
  ...stages.flatMap((stage) => stage.sql.map((sql) => ({ sql, place: 'batch' as const }))),
];

function withSchema(table: string, dialect: SqlDialect): string {
  const { schema = dialect.defaultSchema, name } = parseTableName(table, dialect);
  return formatTableName({ schema, name }, dialect);
}

/** Of those of these tables that have no schema. */
const bareNames = (tables: readonly string[], dialect: SqlDialect): string[] =>
  tables
    .map((table) => parseTableName(table, dialect))
    .filter(({ schema }) => schema === undefined)
    .map(({ name }) => name);

/** All on one connection, and none where there is nothing to ask. A source that is another connection has not the load's settings. */
async function inSql(database: Database, load: LoadDefinition, names: readonly string[]): Promise<Found> {
  const { leadsTo } = database.dialect;
  const found = new Map<string, string>();
  if (leadsTo === undefined || names.length === 0) return found;
  const look = async (session: Session): Promise<void> => {
    for (const name of new Set(names)) {
      const table = await leadsTo(session, name);
      if (table !== undefined) found.set(name, table);
    }
  };
  await reading(database, `waybill read ${load.name}`, look, {
    ...(database.connection === load.connection && { settings: load.sessionParams }),
  });
  return found;
}
