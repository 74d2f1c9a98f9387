import type { LoadDefinition, RangeDefinition, SqlSource, StageDefinition } from '../config/definition.ts';
import { boundQueries } from '../config/ranges.ts';
import type { Problem } from '../config/problem.ts';
import { didYouMean } from '../config/parsed-load.ts';
import type { TableDescription } from '../config/table-requirements.ts';
import { misleadingInserts } from '../control/bare-names.ts';
import { describeSource } from '../control/source.ts';
import { looseKeys } from '../control/loose-keys.ts';
import { unsafeWrites } from '../control/unsafe-writes.ts';
import type { Databases } from '../database/databases.ts';
import type { StatementComplaint } from '../database/catalog-dialect.ts';
import type { ChunkRange, ColumnFacts, Database } from '../database/dialect.ts';
import { renderForBatch, type BatchValues, type Cut } from '../sql/batch-sql.ts';
import { placeOfName } from '../sql/lint.ts';
import type { RenderedStatement } from '../sql/render.ts';
import { offsetOf, renderedPosition } from '../sql/rendered-position.ts';
import { parseStatements, type SqlPlace, type Statement } from '../sql/statement.ts';
import { isCode, isMark, isWord } from '../sql/token.ts';
import { whatWasMeant } from './near-names.ts';

/** Statements that a server can parse and plan without running them. All others only show when they run. */
const PLANNABLE = new Set(['select', 'insert', 'replace', 'update', 'delete', 'merge', 'values', 'with', 'table']);
/** After one of these, a later statement may name what does not exist yet. */
const MAKES = new Set(['create', 'alter', 'drop']);

/** Asks a database, by the name of its connection; what it fails with is said of that one. */
export type Asking = <T>(connection: string, ask: () => Promise<T>) => Promise<T>;

/** How many statements the server has planned, and how many can only be seen when they run. */
export interface StatementCheck {
  checked: number;
  unchecked: number;
  problems: Problem[];
}

/**
 * Lets the databases parse and plan every statement of the loads. A problem stands where the statement is written. `all`: loads that are
 * not looked at, too, for they may make what these name.
 */
export async function checkStatements(
  loads: LoadDefinition[],
  all: LoadDefinition[],
  databases: Databases,
  asking: Asking,
): Promise<StatementCheck> {
  const total: StatementCheck = { checked: 0, unchecked: 0, problems: [] };
  for (const load of loads) {
    const found = await checkLoad(load, databases.get(load.connection), all, asking);
    total.checked += found.checked;
    total.unchecked += found.unchecked;
    total.problems.push(...found.problems.map((problem) => weighed(problem, load)));
  }
  return total;
}

/** Only who names a disabled load runs it: what its database has against it keeps nobody else from anything. */
export const weighed = (problem: Problem, load: LoadDefinition | undefined): Problem =>
  load?.enabled === false ? { ...problem, severity: 'warn' } : problem;

async function checkLoad(
  load: LoadDefinition,
  database: Database,
  loads: LoadDefinition[],
  asking: Asking,
): Promise<StatementCheck> {
  const result: StatementCheck = { checked: 0, unchecked: 0, problems: [] };
  for (const { inStep, ...write } of await asking(load.connection, () => unsafeWrites(database, load, 'all'))) {
    result.problems.push({ ...write, severity: inStep ? 'warn' : 'error' });
  }
  result.problems.push(...(await asking(load.connection, () => looseKeys(database, load))));
  const values = dummyValues(load);
  let made = looksElsewhere(load) || (await readsWhatIsNotThere(load, database, loads));
  for (const { source, stage, place } of sourcesOf(load)) {
    const cut = stage && (await dummyCut(database, load, stage));
    for (const statement of parseStatements(source, database.dialect.sql, place)) {
      for (const { line, column, message, next } of await misleadingInserts(database, load, statement)) {
        result.problems.push({ file: statement.file, line, column, message, next, severity: 'error' });
      }
      if (!PLANNABLE.has(statement.verb)) {
        made ||= MAKES.has(statement.verb);
        result.unchecked += 1;
        continue;
      }
      const rendered = renderForBatch(statement, values, database.dialect, stage, cut);
      const complaint = await asking(load.connection, () => database.dialect.checkStatement(database, rendered.text));
      if (complaint?.missing === true && (made || isMadeElsewhere(complaint, load, database, loads))) {
        result.unchecked += 1;
        continue;
      }
      result.checked += 1;
      if (complaint) result.problems.push(await problemOf(database, statement, rendered, complaint));
    }
  }
  return result;
}

/** Unqualified names would be looked up elsewhere than at run time. */
const looksElsewhere = (load: LoadDefinition): boolean =>
  [load, ...load.before, ...load.after, ...load.onError].some(
    ({ sessionParams }) => sessionParams?.['search_path'] !== undefined,
  );

/** Whether an acquisition that makes its landing table has yet to make one of which this load takes rows. */
async function readsWhatIsNotThere(
  load: LoadDefinition,
  database: Database,
  loads: LoadDefinition[],
): Promise<boolean> {
  const tables = loads
    .filter(({ landing, connection }) => landing?.create === true && connection === load.connection)
    .filter(
      ({ name, outputs }) =>
        name === load.name ||
        load.consumes.includes(name) ||
        load.inputs.some(({ table }) => table === outputs[0]!.table),
    )
    .map(({ outputs }) => outputs[0]!.table);
  const found = await Promise.all(tables.map((table) => database.dialect.describeTable(database, table)));
  return found.includes(undefined);
}

/** Whether another load makes a table, or a view, of the name that is missing: tasks of a session, as pupdate had them, do so for each other. */
function isMadeElsewhere(
  { unknown }: StatementComplaint,
  load: LoadDefinition,
  { dialect }: Database,
  loads: LoadDefinition[],
): boolean {
  if (unknown?.what !== 'table') return false;
  const missing = unknown.parts.at(-1)!.toLowerCase();
  return loads
    .filter(({ name, connection }) => name !== load.name && connection === load.connection)
    .flatMap(sourcesOf)
    .flatMap(({ source, place }) => parseStatements(source, dialect.sql, place))
    .some((statement) => nameMade(statement)?.toLowerCase() === missing);
}

/** `create table if not exists s.t …`: t. */
function nameMade({ verb, tokens }: Statement): string | undefined {
  if (verb !== 'create') return undefined;
  const code = tokens.filter(isCode);
  const kind = code.findIndex((token) => isWord(token, 'table', 'view'));
  const rest = code.slice(kind + 1).filter((token, i) => i > 2 || !isWord(token, 'if', 'not', 'exists'));
  const behind = rest.findIndex((token, i) => i % 2 === 1 && !isMark(token, '.'));
  return kind < 0 ? undefined : rest.slice(0, behind < 0 ? rest.length : behind).at(-1)?.value;
}

function sourcesOf(load: LoadDefinition): { source: SqlSource; place: SqlPlace; stage?: StageDefinition }[] {
  return [
    ...load.before.map((source) => ({ source, place: 'step' as const })),
    ...load.stages.flatMap((stage) => stage.sql.map((source) => ({ source, place: 'batch' as const, stage }))),
    ...load.checks.map(({ sql }) => ({ source: sql, place: 'batch' as const })),
    ...load.after.map((source) => ({ source, place: 'step' as const })),
    ...load.onError.map((source) => ({ source, place: 'step' as const })),
    ...boundQueries(load).map((source) => ({ source, place: 'batch' as const })),
    ...load.inputs.flatMap(({ ready }) => (ready ? [{ source: ready, place: 'batch' as const }] : [])),
  ];
}

/**
 * Values of a batch that nobody opens. A snapshot does not exist before a batch takes it, so the landing table, which has
 * the same columns, stands in: a load without inputs renders its braces as the tables themselves.
 */
function dummyValues(load: LoadDefinition): BatchValues {
  const inputs = new Set(load.inputs.map(({ table }) => table));
  const producers = Object.fromEntries(Object.entries(load.producers).filter(([table]) => !inputs.has(table)));
  const now = new Date().toISOString();
  return {
    definition: { ...load, inputs: [], producers },
    batchId: '0',
    loadAt: now,
    lastLoadAt: now,
    params: load.params,
    consumed: {},
    invisible: [],
  };
}

async function dummyCut(database: Database, load: LoadDefinition, stage: StageDefinition): Promise<Cut | undefined> {
  if (load.range) return { method: 'range', range: dummyRange(load.range), key: [] };
  if (!stage.chunk) return undefined;
  const facts = await database.dialect.describeTable(database, stage.chunk.input);
  const key = (stage.chunk.key ?? [])
    .map((name) => facts?.columns.find((column) => column.name === name))
    .filter((column): column is ColumnFacts => column !== undefined);
  return { method: key.length > 0 ? 'key' : 'once', range: { from: null, to: null }, key };
}

/** What the query of an acquisition gives, or what its server has against it, at its place. */
export async function checkQuery(load: LoadDefinition, database: Database): Promise<TableDescription | Problem> {
  const { dialect } = database;
  const from = load.from!;
  const [statement] = parseStatements(from.sql!, dialect.sql);
  const { text } = statement!;
  // Its description is asked for with the settings.
  const elsewhere = from.connection === load.connection && looksElsewhere(load);
  const complaint = elsewhere ? undefined : await dialect.checkStatement(database, text);
  if (complaint) return problemOf(database, statement!, { text, values: [], replaced: [] }, complaint);
  try {
    return await describeSource(database, load, from);
  } catch (error) {
    const facts = dialect.classify(error);
    if (facts.kind !== 'permanent' || facts.code === undefined) throw error;
    // Right by itself, but not as a derived table: two columns of one name, a lock.
    return problemOf(
      database,
      statement!,
      { text, values: [], replaced: [] },
      { message: facts.message, missing: false },
    );
  }
}

/** Of the type that the bounds will have, as far as the file says it: else each takes the type of its place. */
function dummyRange({ over, step }: RangeDefinition): ChunkRange {
  if (step.unit === 'whole') return { from: '0', to: '1' };
  const written = 'min' in over ? [over.min, over.max].find((bound) => 'value' in bound) : undefined;
  const value = written === undefined ? null : written.value;
  return { from: value, to: value };
}

async function problemOf(
  database: Database,
  statement: Statement,
  rendered: RenderedStatement,
  { message, position, hint, unknown }: StatementComplaint,
): Promise<Problem> {
  const meant = unknown && (await whatWasMeant(database, statement, unknown));
  const next = meant === undefined ? hint : undefined; // the server's own guess, where it has one
  const at = placeOf(statement, rendered, position) ?? (unknown && placeOfName(statement, unknown.parts)) ?? statement;
  const { file } = statement;
  return {
    ...{ file, line: at.line, column: at.column, message: `${message}${didYouMean(meant)}` },
    ...(next && { next }),
    severity: 'error',
  };
}

const placeOf = (statement: Statement, rendered: RenderedStatement, position: number | undefined) =>
  position === undefined ? undefined : renderedPosition(statement, rendered, offsetOf(rendered.text, position));
