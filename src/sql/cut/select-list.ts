import type { Range } from './code.ts';
import { wholeName } from './equalities.ts';
import type { Reading } from './reading.ts';
import { sourcesOf, type GivenColumn, type KeyColumn, type Relation, type Source } from './relation.ts';
import { tablesOf, type Scope } from './scope.ts';

/** What a select gives, and `distinct`. */
export interface SelectList {
  columns: GivenColumn[];
  /** The relations of which it gives all columns. */
  stars: Relation[];
  /** `distinct`, or what stands in `distinct on (…)`. */
  distinct?: { at: number; on?: Range };
}

/** Words between `select` and its columns. */
const MODIFIERS =
  `all distinctrow high_priority straight_join sql_small_result sql_big_result sql_buffer_result sql_cache
  sql_no_cache sql_calc_found_rows`.split(/\s+/);

export function readSelectList(reading: Reading, head: Range, scope: Scope): SelectList {
  const { code } = reading;
  let { from } = head;
  let distinct: SelectList['distinct'];
  for (; code.is(from, 'distinct', ...MODIFIERS); from++) {
    if (code.is(from, 'distinct', 'distinctrow')) distinct = { at: from };
  }
  if (distinct !== undefined && code.is(from, 'on') && code.mark(from + 1, '(')) {
    distinct.on = code.inside(from + 1);
    from = (code.close(from + 1) ?? from) + 1;
  }
  const list: SelectList = { columns: [], stars: [], ...(distinct && { distinct }) };
  if (reading.key.length === 0) return list;
  for (const item of code.byComma({ from, to: head.to })) {
    const last = item.to - 1;
    if (code.mark(last, '*') && (last === item.from || code.mark(last - 1, '.'))) {
      const alias = code.chain(item.from).at(-1);
      for (const table of scope.tables)
        if (alias === undefined || table.alias === alias)
          list.stars.push({ ...table.relation, sources: (name) => sourcesOf(table, name) });
    } else {
      const given = withoutLabel(reading, item);
      const key = keyColumnOf(reading, scope, given);
      list.columns.push({ name: labelOf(reading, item), key, sources: sourcesAt(reading, scope, given) });
    }
  }
  return list;
}

/** The table's column that an item is, one of these for a bare name. */
function sourcesAt({ code, tables }: Reading, scope: Scope, item: Range): Source[] {
  const name = wholeName(code, item);
  const column = name.length === 0 ? undefined : scope.column(name);
  const own = column === undefined ? [] : tablesOf(column, tables, scope);
  return own.flatMap((table) => sourcesOf(table, name.at(-1)!));
}

/** Which column of the key an expression is. */
export function keyColumnOf(reading: Reading, scope: Scope, { from, to }: Range): KeyColumn {
  const { code } = reading;
  if (code.mark(from, '(') && code.close(from) === to - 1) {
    return keyColumnOf(reading, scope, { from: from + 1, to: to - 1 });
  }
  const name = wholeName(code, { from, to });
  if (name.length > 0) return scope.keyColumn(name);
  for (let i = from; i < to; i++) {
    const inside = code.mark(i - 1, '.') ? [] : code.chain(i, to);
    if (inside.length > 0 && scope.keyColumn(inside) !== 'other') return 'unknown';
  }
  return 'other';
}

function labelOf({ code }: Reading, { from, to }: Range): string | undefined {
  return wholeName(code, { from, to }).at(-1) ?? code.name(to - 1);
}

/** An item without `as label`, and without the label of `a.b label`. */
function withoutLabel({ code }: Reading, { from, to }: Range): Range {
  if (code.is(to - 2, 'as') && to - 2 > from) return { from, to: to - 2 };
  const chain = code.chain(from, to);
  const length = chain.length * 2 - 1;
  return chain.length > 0 && from + length === to - 1 ? { from, to: to - 1 } : { from, to };
}
