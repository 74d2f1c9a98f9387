/** Columns that count as the key of a stage's chunks, though `=` takes for one what are different keys: their rows lie in several chunks. */
import { cutProblems } from '../config/check-chunks.ts';
import type { ChunkDefinition, LoadDefinition, StageDefinition } from '../config/definition.ts';
import type { Problem } from '../config/problem.ts';
import type { ColumnFacts, Database, Dialect, TableFacts } from '../database/dialect.ts';
import type { ComparedSide, Comparison } from '../sql/cut/comparison.ts';
import type { Source } from '../sql/cut/relation.ts';
import { parseTableName } from '../sql/names.ts';
import { parseStatements } from '../sql/statement.ts';

/** Of one whose other side nobody can describe, a warning, and only where the key is of a kind that is often compared in another way. */
export async function looseKeys(database: Database, load: LoadDefinition): Promise<Problem[]> {
  const found: Problem[] = [];
  for (const stage of load.stages) {
    if (stage.chunk?.key) found.push(...(await looseIn(database, load, stage, stage.chunk)));
  }
  return found;
}

async function looseIn(
  database: Database,
  load: LoadDefinition,
  stage: StageDefinition,
  chunk: ChunkDefinition,
): Promise<Problem[]> {
  const statements = stage.sql.flatMap((source) => parseStatements(source, database.dialect.sql, 'batch'));
  const compared = new Map<string, Comparison>();
  const known = new Set(
    cutProblems(load, statements, chunk, (one) => compared.set(idOf(one), one).size > 0).map(placeOf),
  );
  /** What would be wrong, did these say nothing. */
  const without = (ignored: (id: string) => boolean): Problem[] =>
    cutProblems(load, statements, chunk, (one) => !ignored(idOf(one))).filter((one) => !known.has(placeOf(one)));
  if (without(() => true).length === 0) return [];

  const catalog = new Catalog(database, load, chunk);
  const sides = new Map<string, Side[]>();
  for (const [id, one] of compared) {
    sides.set(id, [await catalog.side(one.sides[0]), await catalog.side(one.sides[1])]);
  }
  const keys = await catalog.keys();
  const withVerdict = (verdict: Verdict): string[] =>
    [...sides].filter(([, both]) => verdictOf(database.dialect, both, keys) === verdict).map(([id]) => id);
  for (const verdict of ['loose', 'doubtful'] as const) {
    const all = withVerdict(verdict);
    const wrong = without((id) => all.includes(id));
    if (wrong.length === 0) continue;
    const severity = verdict === 'loose' && wrong.some((one) => one.severity === 'error') ? 'error' : 'warn';
    const alone = all.filter((id) => without((one) => one === id).length > 0);
    return (alone.length > 0 ? alone : all).map((id) => {
      const { file, line, column } = compared.get(id)!;
      return { file, line, column, severity, ...explained(stage.name, chunk, verdict, sides.get(id)!) };
    });
  }
  return [];
}

const idOf = (comparison: Comparison): string => JSON.stringify(comparison);

const placeOf = ({ file, line, column, message }: Problem): string => JSON.stringify([file, line, column, message]);

/** Texts that are equal by a collation, and numbers that are rounded. (What a double rounds, is one too, where something may be a double.) */
const OFTEN_LOOSE = /^(text .|double)/;

type Verdict = 'exact' | 'loose' | 'doubtful';

interface Side {
  said: string;
  /** Which column of the key it is by itself. */
  key: number | undefined;
  facts: ColumnFacts | undefined;
  kind: string | undefined;
  /** The table that it would be of has no such column: nothing is compared. */
  isNone: boolean;
}

/** Both may tell apart more than the key: groups by one lie in one chunk all the same. */
function verdictOf(dialect: Dialect, sides: Side[], keys: ColumnFacts[]): Verdict {
  const kinds = sides.map(({ kind }) => kind);
  if (kinds[0] === kinds[1] && kinds[0] !== undefined) return 'exact';
  if (sides.some(({ isNone }) => isNone)) return 'exact';
  const known = kinds.filter((kind) => kind !== undefined);
  const own = sides.flatMap(({ key, facts }) => (key !== undefined && facts ? facts : []));
  // Where neither is the key, they may be compared with any column of it that one of them tells apart.
  const asked = own.length > 0 ? own : keys.filter((key) => known.some((kind) => dialect.tellsApart(kind, key)));
  if (known.length === kinds.length) {
    const tell = (key: ColumnFacts): boolean => known.every((kind) => dialect.tellsApart(kind, key));
    return asked.length > 0 && asked.every(tell) ? 'exact' : 'loose';
  }
  const isRounded = known.includes('number') && asked.some((key) => !dialect.tellsApart('double', key));
  return isRounded || known.some((kind) => OFTEN_LOOSE.test(kind)) ? 'doubtful' : 'exact';
}

function explained(
  stage: string,
  { key }: ChunkDefinition,
  verdict: Verdict,
  sides: Side[],
): Pick<Problem, 'message' | 'next'> {
  const by = key!.map((column) => `\`${column}\``).join(', ');
  const [one, other] = sides.map(({ said, facts }) => {
    const type = facts && [facts.type, facts.collation].filter((part) => part !== undefined).join(', ');
    return `\`${said}\`${type === undefined ? '' : ` (${type})`}`;
  });
  const how =
    verdict === 'loose'
      ? 'which are not compared as the key is: what is one to this comparison may be several keys, in several chunks, and each would give its own'
      : 'and nobody can tell by the text whether they are compared as the key is: what is one to them may be several keys, in several chunks';
  return {
    message: `stage \`${stage}\` is cut by ${by}, for which ${one} and ${other} stand here, ${how}`,
    next: 'Group by the key itself (or by both), cut by a column that has one type and one collation in both tables, or leave `chunk` out: the stage then runs once, over all rows.',
  };
}

/** Describes what is compared, each table once. */
class Catalog {
  private readonly asked = new Map<string, Promise<TableFacts | undefined>>();

  constructor(
    private readonly database: Database,
    private readonly load: LoadDefinition,
    private readonly chunk: ChunkDefinition,
  ) {}

  async side({ said, key, among, isOpen }: ComparedSide): Promise<Side> {
    const own = key === undefined ? undefined : { table: this.chunk.input, column: this.chunk.key![key]! };
    const found = await Promise.all((own ? [own] : among).map((one) => this.columns(one)));
    const columns = found.flatMap((one) => one ?? []);
    const facts = columns.length === 1 && !isOpen ? columns[0] : undefined;
    return {
      said: said ?? own?.column ?? '',
      key,
      facts,
      kind: facts && this.database.dialect.comparedAs(facts),
      isNone: columns.length === 0 && found.length > 0 && !found.includes(undefined) && !isOpen,
    };
  }

  /** Those of the chunk's key that there are. */
  async keys(): Promise<ColumnFacts[]> {
    const { input, key } = this.chunk;
    const found = await Promise.all(key!.map((column) => this.columns({ table: input, column })));
    return found.flatMap((columns) => columns ?? []);
  }

  /** The column of that name, or none; undefined: nobody can describe the table. */
  private async columns({ table, column }: Source): Promise<ColumnFacts[] | undefined> {
    const { sql } = this.database.dialect;
    const described = await this.describe(table);
    return described?.columns.filter(({ name }) => sql.foldColumn(name) === sql.foldColumn(column));
  }

  private describe(table: string): Promise<TableFacts | undefined> {
    const { sql } = this.database.dialect;
    // A name without schema is looked up where the load says.
    if (this.load.sessionParams['search_path'] !== undefined && parseTableName(table, sql).schema === undefined) {
      return Promise.resolve(undefined);
    }
    const answer = this.asked.get(table) ?? this.database.dialect.describeTable(this.database, table);
    this.asked.set(table, answer);
    return answer;
  }
}
