import type { Session } from '../dialect.ts';
import type { RowSource } from '../row-source.ts';
import { quoteName } from './names.ts';
import { planOf, SOURCE, withAllBelow, type PlanNode } from './relations-read.ts';

/** A column of a table. */
interface TableColumn {
  schema: string;
  relation: string;
  column: string;
  /** It is that column as it is. Else it may be, or an expression of it. */
  certain: boolean;
}

const NAME = '"(?:[^"]|"")+"|[\\p{L}_][\\p{L}\\p{N}_$]*';
const COLUMN = new RegExp(`^(${NAME})\\.(${NAME})$`, 'u');
const COLUMNS = new RegExp(`(${NAME})\\.(${NAME})(?!\\s*\\()`, 'gu');
const TEXTS = /'(?:[^']|'')*'/g;
/** The server calls so a member of UNION, INTERSECT or EXCEPT, of which it takes all columns in their order. */
const MEMBER_OF_SET = /^\*SELECT\* \d+$/;
const unquoted = (name: string): string => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name);

/**
 * Of which columns of tables a column of a view or a query is made: partitions and unions have several. A plan does not say which
 * column of a subquery has which name, so below one that is carried out by itself (DISTINCT, OFFSET, a materialized CTE, …) it may be
 * any that the planner did not leave out; of the uppermost one the order is asked for.
 */
export async function columnsRead(session: Session, rows: RowSource, column: string): Promise<TableColumn[]> {
  const top = await planOf(session, rows, quoteName(column));
  const position = withAllBelow(top).some(isSource) ? await positionOf(session, rows, column) : undefined;
  return new Below(top, position).columnsOf(top, 0, true);
}

const isSource = (node: PlanNode): boolean => node['Node Type'] === 'Subquery Scan' && node.Alias === SOURCE;

/** Something more than all columns, so that the node that names them stays in the plan. */
async function positionOf(session: Session, rows: RowSource, column: string): Promise<number | undefined> {
  const scan = withAllBelow(await planOf(session, rows, '*, random()')).find(isSource);
  const at = (scan?.Output ?? []).indexOf(`${SOURCE}.${quoteName(column)}`);
  const plain = (scan?.Output ?? []).indexOf(`${SOURCE}.${column}`);
  return at >= 0 ? at : plain >= 0 ? plain : undefined;
}

class Below {
  private readonly all: PlanNode[];
  private readonly seen = new Map<PlanNode, Set<string>>();

  constructor(
    top: PlanNode,
    private readonly sourcePosition: number | undefined,
  ) {
    this.all = withAllBelow(top);
  }

  columnsOf(node: PlanNode, at: number, certain: boolean): TableColumn[] {
    if (this.wasHere(node, `${at} ${certain}`)) return []; // a recursion comes to itself again
    if (!node.Output) return inputsOf(node).flatMap((input) => this.columnsOf(input, at, certain));
    const said = node.Output[at];
    if (said === undefined) return [];
    const passedOn = node.Alias === undefined ? this.givenBy(node, said, certain) : [];
    if (passedOn.length > 0) return passedOn;
    const alone = certain && COLUMN.test(said);
    const refs = [...said.replace(TEXTS, "''").matchAll(COLUMNS)];
    return [
      ...refs.flatMap(([ref, alias, name]) => this.columnsOfRef(node, { ref, alias: alias!, name: name! }, alone)),
      ...this.subplansIn(said).flatMap((plan) => this.anyOf(plan)),
    ];
  }

  private columnsOfRef(
    node: PlanNode,
    { ref, alias, name }: { ref: string; alias: string; name: string },
    certain: boolean,
  ): TableColumn[] {
    if (node.Alias !== unquoted(alias)) {
      const passedOn = this.givenBy(node, ref, certain);
      if (passedOn.length > 0) return passedOn;
    }
    const scan = this.all.find(({ Alias }) => Alias === unquoted(alias));
    if (scan === undefined) return [];
    const { Schema: schema, 'Relation Name': relation } = scan;
    if (schema !== undefined && relation !== undefined) {
      return [{ schema, relation, column: unquoted(name), certain }];
    }
    const below = this.scannedBy(scan);
    if (below === undefined) return [];
    const position = this.positionIn(scan, ref, outputOf(below).length);
    return position === undefined ? this.anyOf(below) : this.columnsOf(below, position, certain);
  }

  private positionIn(scan: PlanNode, ref: string, columns: number): number | undefined {
    if (isSource(scan)) return this.sourcePosition;
    if (columns === 1) return 0;
    const at = MEMBER_OF_SET.test(scan.Alias!) ? scan.Output!.indexOf(ref) : -1;
    return at >= 0 ? at : undefined;
  }

  /** What the inputs of this node say by the same words. Partitions go by other names than the table that a node above says. */
  private givenBy(node: PlanNode, said: string, certain: boolean): TableColumn[] {
    const name = COLUMN.exec(said)?.[2];
    return inputsOf(node).flatMap((input) => {
      const given = outputOf(input);
      let at = given.flatMap((text, i) => (text === said ? [i] : []));
      if (at.length === 0 && !input.Output && name !== undefined) {
        at = given.flatMap((text, i) => (COLUMN.exec(text)?.[2] === name ? [i] : []));
      }
      return at.flatMap((i) => this.columnsOf(input, i, certain && at.length === 1));
    });
  }

  private anyOf(plan: PlanNode): TableColumn[] {
    return outputOf(plan).flatMap((_, at) => this.columnsOf(plan, at, false));
  }

  private scannedBy(scan: PlanNode): PlanNode | undefined {
    if (scan['Node Type'] === 'CTE Scan') {
      return this.all.find((node) => node['Subplan Name'] === `CTE ${scan['CTE Name']}`);
    }
    return scan['Node Type'] === 'Subquery Scan' ? scan.Plans?.find(isInput) : undefined;
  }

  private subplansIn(said: string): PlanNode[] {
    const named: readonly string[] = said.match(/\b(?:Sub|Init)Plan \d+|\$\d+/g) ?? [];
    return this.all.filter(({ 'Subplan Name': name = 'CTE ' }) => {
      const words: readonly string[] = name.match(/\b(?:Sub|Init)Plan \d+|\$\d+/g) ?? [];
      return !name.startsWith('CTE ') && words.some((word) => named.includes(word));
    });
  }

  private wasHere(node: PlanNode, how: string): boolean {
    const before = this.seen.get(node) ?? new Set<string>();
    this.seen.set(node, before);
    if (before.has(how)) return true;
    before.add(how);
    return false;
  }
}

const isInput = (plan: PlanNode): boolean => !['InitPlan', 'SubPlan'].includes(plan['Parent Relationship'] ?? '');
const inputsOf = (node: PlanNode): PlanNode[] => (node.Plans ?? []).filter(isInput);

function outputOf(node: PlanNode): string[] {
  if (node.Output) return node.Output;
  const [first] = inputsOf(node);
  return first ? outputOf(first) : [];
}
