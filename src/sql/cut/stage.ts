import type { BraceUse, Statement } from '../statement.ts';
import { isCode } from '../token.ts';
import { Code } from './code.ts';
import type { Comparison } from './comparison.ts';
import { droppedBy, makingOf, nameAt, type Making } from './making.ts';
import { inAll, renamed, returned, UNCUT, type Relation } from './relation.ts';
import { nameOf, sharedTables } from './shared.ts';
import { readCut, type CutReading } from './statement.ts';

/** A statement of a cut stage, and what is known of it. */
export interface StageStatement extends CutReading {
  statement: Statement;
  /** What stands in its braces, cut. */
  cuts: BraceUse[];
  /** It reads a table that the stage makes, which has no rows of the cut or nobody can tell. */
  readsOwn: boolean;
}

/** A table or view that a stage makes for itself, and what was put into it. */
interface Own {
  made: Relation | undefined;
  inserted: Relation[];
  columns: string[] | undefined;
}

/**
 * Reads the statements of a stage in their order: what one makes, the next may read. `counts`: whether columns that are compared may be
 * taken for one; else all are.
 */
export function readStage(
  statements: Statement[],
  input: string,
  key: readonly string[] = [],
  counts?: (comparison: Comparison) => boolean,
): StageStatement[] {
  const codes = statements.map(({ tokens, dialect }) => new Code(tokens.filter(isCode), dialect));
  const dropped = new Set(codes.flatMap(droppedBy));
  const own = new Map<string, Own>();
  const filled = new Set<string>();
  const all = statements.map((statement, i) => {
    const cuts = statement.braces.filter(({ table, all }) => table === input && !all);
    const known = new Map([...own].map(([name, table]) => [name, rowsOf(table)]));
    const read = readCut(statement, cuts[0], key, known, counts, filled);
    for (const { at, inserts } of read.uses.writes) if (inserts) filled.add(nameOf(codes[i]!, at));
    const making = makingOf(codes[i]!);
    for (const { name, rows, columns } of read.inserted) {
      const table = own.get(name);
      table?.inserted.push(named(rows, columns ?? table.columns));
    }
    const faults = making === undefined ? [] : make(making, read, statement, own, dropped);
    return { ...read, faults: [...read.faults, ...faults], statement, cuts, readsOwn: read.reads.length > cuts.length };
  });
  const shared = sharedTables(
    all.map(({ statement, uses }, i) => ({ statement, uses, code: codes[i]! })),
    key,
    (code, at) => own.has(nameAt(code, at)),
  );
  return all.map((one, i) => ({ ...one, faults: [...one.faults, ...shared[i]!] }));
}

/** Takes in what a statement makes. A table that neither goes with the session nor is dropped is no chunk's own. */
function make(making: Making, read: CutReading, statement: Statement, own: Map<string, Own>, dropped: Set<string>) {
  const { what, name, at, temporary, ifNotExists, columns, isEmpty } = making;
  if (what !== 'table' && what !== 'view') return [];
  if (what === 'view' || temporary || dropped.has(name)) {
    const made = isEmpty ? undefined : read.rows;
    own.set(name, { made: made && named(made, columns), inserted: [], columns });
    return [];
  }
  if (ifNotExists && (isEmpty || read.rows.flow === 'none')) return [];
  const { line, column } = statement.tokens.filter(isCode)[at] ?? statement;
  return [{ what: 'lasting' as const, said: name, doubtful: !ifNotExists, line, column }];
}

function named(rows: Relation, columns: string[] | undefined): Relation {
  if (rows.flow === 'none') return UNCUT;
  if (rows.columns === undefined || rows.columns.length === columns?.length) return renamed(rows, columns ?? []);
  return columns === undefined ? rows : returned(rows.flow);
}

function rowsOf({ made, inserted }: Own): Relation {
  const all = [...(made === undefined ? [] : [made]), ...inserted];
  const [first, ...more] = all;
  if (first === undefined) return returned('part'); // filled by what nobody sees: a function
  if (more.length === 0) return first;
  const flows = all.map(({ flow }) => flow);
  if (flows.every((flow) => flow === 'none')) return UNCUT;
  if (flows.includes('wrong')) return returned('wrong');
  if (flows.some((flow) => flow === 'none' || flow === 'repeated')) return returned('repeated');
  return inAll('part', [first, ...more]);
}
