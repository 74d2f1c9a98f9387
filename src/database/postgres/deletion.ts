import { postgresSql } from '../../sql/postgres.ts';
import type { Database, Session } from '../dialect.ts';
import type { DeletionRange } from '../output-dialect.ts';
import { composed, part, raw, sql, type SqlPart } from '../sql.ts';
import { rangeCondition } from './chunk-ranges.ts';
import { quoteTable } from './names.ts';
import { partsOfTable } from './parts.ts';

/** One in so many rows of a table: from here on, reading all of it once is cheaper than reading the batch's rows twice. */
const LARGE_PART = 4;
/** Where no statistics say it: so many rows a page, as short ones are. */
const ROWS_A_PAGE = 100;

/** Pages that are looked at together: 8 MB, about 100,000 short rows. Larger tables have larger stretches, not more. */
const PAGES_A_STRETCH = 128;
const MOST_STRETCHES = 32_768;

/**
 * Of a table (its quoted name) and its `parts`. `told`: triggers are told of each statement that deletes from a table with partitions, by its
 * name: of one that names a partition they would not be, nor of one in whose place a rule puts something else. `refers`: one of the parts
 * refers to one of them: as a rule to an older row, of a lower page, so that the last ranges go first.
 */
const howDeleted = (name: string): SqlPart => {
  const root = part`to_regclass(${name})`;
  return part`
    exists (select from pg_inherits where inhparent = ${root})
      and exists (select from pg_trigger where tgrelid = ${root} and tgtype & 9 = 8 /* each statement, delete */
        and tgenabled in ('O', 'A') and not tgisinternal)
      and not exists (select from pg_rewrite where ev_class = ${root} and ev_type = '4' and is_instead and ev_enabled in ('O', 'A'))
      as told,
    exists (select from pg_constraint
      where contype = 'f' and conrelid in (select id from parts) and confrelid in (select id from parts)) as refers`;
};

interface HowDeleted {
  told: boolean;
  refers: boolean;
}

/** A table, or a partition of one. */
interface PartRow extends HowDeleted {
  part: string;
  pages: string;
  rows_a_page: number | null;
  indexed: boolean;
}

/**
 * Page ranges of the whole table. To ask first where the batch's rows lie takes half as long as to delete them, and pays only
 * where an index leads to a few among many; or where triggers would be told of a statement for every stretch, with rows of the batch or
 * without.
 */
export async function planSweep(
  session: Session,
  table: string,
  expected: number,
  rowsPerTransaction: number,
): Promise<DeletionRange[]> {
  const { rows: parts } = await session.query<PartRow>(sql`
    ${partsOfTable(quoteTable(table))}
    select id::regclass::text as part, pg_relation_size(id) / current_setting('block_size')::bigint as pages,
      case when relpages > 0 and reltuples > 0 then (reltuples / relpages)::int end as rows_a_page,
      exists (select from pg_index join pg_attribute on attrelid = indrelid and attnum = indkey[0]
        where indrelid = id and attname = 'batch_id' and indisvalid and indpred is null) as indexed,
      ${howDeleted(quoteTable(table))}
    from parts join pg_class on pg_class.oid = id
    order by id`);
  if (parts.some(({ told }) => told)) return [];
  const measured = parts.map(({ part: name, pages, rows_a_page: density, indexed }) => ({
    name,
    pages: Number(pages),
    density: Math.max(1, density ?? ROWS_A_PAGE),
    indexed,
  }));
  const all = measured.reduce((sum, { pages, density }) => sum + pages * density, 0);
  if (expected === 0 || (expected * LARGE_PART < all && measured.some(({ indexed }) => indexed))) return [];
  const pages = measured.reduce((sum, one) => sum + one.pages, 0);
  const ranges = measured.flatMap((one) => {
    const step = Math.ceil(Math.max(rowsPerTransaction / one.density, pages / MOST_STRETCHES));
    return Array.from({ length: Math.ceil(one.pages / step) }, (_, i): DeletionRange => {
      const end = (i + 1) * step;
      const range = { from: String(i * step), to: end < one.pages ? String(end) : null };
      return { table: `only ${one.name}`, range, key: [] };
    });
  });
  return parts[0]?.refers ? ranges.reverse() : ranges;
}

/**
 * Cuts the rows of a batch into page ranges, in one pass over them. Each range is then deleted in a transaction of its own by a
 * TID range scan: linear however many dead rows pile up, where `delete … limit n` would walk over the dead ones again and
 * again. Each partition by itself, unless triggers are told of what names the whole table: then a range is of the pages of all of them.
 */
export async function planDeletion(
  session: Session,
  table: string,
  batchId: string,
  rowsPerTransaction: number,
): Promise<DeletionRange[]> {
  const name = quoteTable(table);
  const { rows: size } = await session.query<HowDeleted & { pages: string }>(sql`
    ${partsOfTable(name)}
    select max(pg_relation_size(id)) / current_setting('block_size')::bigint as pages,
      ${howDeleted(name)} from parts`);
  const pages = Number(size[0]?.pages ?? 0);
  const place = raw(size[0]?.told ? 'null::oid' : 'tableoid');
  const step = Math.max(PAGES_A_STRETCH, Math.ceil(pages / MOST_STRETCHES));
  const starts = Array.from({ length: Math.max(1, Math.ceil(pages / step)) }, (_, i) => i * step);
  // In which stretch a row lies is asked of its ctid itself: to take the page out of its text costs five times as much.
  const { rows } = await session.query<{ part: string | null; stretch: number; n: string }>(sql`
    select place::regclass::text as part, stretch, n from (
      select ${place} as place, width_bucket(ctid, ${`{${starts.map((page) => `"(${page},0)"`).join(',')}}`}::tid[]) as stretch,
        count(*) as n
      from ${raw(name)} where batch_id = ${batchId} group by 1, 2) counted
    order by place, stretch`);
  const groups: DeletionRange[] = [];
  let held = 0;
  for (const row of rows) {
    const n = Number(row.n);
    const end = starts[row.stretch];
    const to = end === undefined ? null : String(end);
    const table = row.part === null ? name : `only ${row.part}`;
    const open = groups.at(-1);
    if (open?.table === table && held + n <= rowsPerTransaction) {
      open.range.to = to;
      held += n;
    } else {
      groups.push({ table, range: { from: String(starts[row.stretch - 1]!), to }, key: [] });
      held = n;
    }
  }
  return size[0]?.refers ? groups.reverse() : groups;
}

/** `+ 0`: no index on batch_id fits that, or the planner, which knows nothing of so new a batch, would read all of it. */
export async function deleteRange(session: Session, { table, range }: DeletionRange, batchId: string): Promise<number> {
  const pages = composed(postgresSql, (bind) => rangeCondition('pages', range, [], bind));
  const { rowCount } = await session.query(sql`
    delete from ${raw(table)} where batch_id + 0 = ${batchId} and ${pages}`);
  return rowCount;
}

/** See `Dialect.deleteTogether`. What refers to what is looked at when all of a statement is done, or at the commit. */
export async function deleteTogether(session: Session, tables: readonly string[], batchId: string): Promise<number> {
  await session.query(sql`set constraints all deferred`);
  const deletes = tables.map(
    (table, i) => part`${raw(`gone_${i}`)} as (
      delete from ${raw(quoteTable(table))} where batch_id = ${batchId} returning 1)`,
  );
  const counts = tables.map((_, i) => `(select count(*) from gone_${i})`);
  const { rows } = await session.query<{ n: string }>(sql`
    with ${deletes.reduce((all, one) => part`${all}, ${one}`)} select ${raw(counts.join(' + '))} as n`);
  return Number(rows[0]!.n);
}

/**
 * Rules that put something else in a delete's place, and triggers that are asked before it and may answer NULL; those of
 * partitions are asked, too. What a trigger answers only it knows; one in PL/pgSQL that nowhere returns NULL, or NEW, which is NULL in a
 * delete, is hardly one that keeps rows.
 */
export async function deletesKeptBy(
  database: Database,
  table: string,
): Promise<{ name: string; always: boolean; likely: boolean }[]> {
  const { rows } = await database.query<{ name: string; always: boolean; likely: boolean }>(sql`
    ${partsOfTable(quoteTable(table))}
    select 'rule ' || quote_ident(rulename) || ' on ' || id::regclass as name, ev_qual::text = '<>' as always, true as likely
    from parts join pg_class c on c.oid = id and c.relkind <> 'p' join pg_rewrite on ev_class = id
    where ev_type = '4' and is_instead and ev_enabled in ('O', 'A')
    union all
    select 'trigger ' || quote_ident(tgname) || ' on ' || id::regclass, false,
      lanname <> 'plpgsql' or prosrc ~* 'return\\s+(null|new)\\M'
    from parts join pg_trigger on tgrelid = id join pg_proc p on p.oid = tgfoid join pg_language l on l.oid = prolang
    where tgtype & 11 = 11 /* each row, before, delete */ and tgenabled in ('O', 'A') and not tgisinternal and tgparentid = 0
    order by always desc, name limit 5`);
  return rows;
}
