import type { CopyFormat, CopyInColumn, CopyInListener, CopyOutListener } from '../copy-stream.ts';
import type { Session } from '../dialect.ts';
import { CopyIn } from './copy-in.ts';
import { CopyOut } from './copy-out.ts';
import { raw, sql } from '../sql.ts';
import { quoteText } from './names.ts';
import type { PostgresSession } from './session.ts';

/** Starts a COPY … TO STDOUT on this session. `select` holds no placeholders. */
export function openCopyOut(session: Session, select: string, format: CopyFormat, listener: CopyOutListener): CopyOut {
  return (session as PostgresSession).client.query(
    new CopyOut(`copy (${select}) to stdout (format ${format})`, format, listener),
  );
}

/** Starts a COPY … FROM STDIN on this session; COPY takes values as they come, by the type of the column. */
export function openCopyIn(
  session: Session,
  table: string,
  columns: CopyInColumn[],
  format: CopyFormat,
  listener: CopyInListener,
): CopyIn {
  const names = columns.map(({ name }) => name).join(', ');
  return (session as PostgresSession).client.query(
    new CopyIn(`copy ${table} (${names}) from stdin (format ${format})`, format, listener),
  );
}

/** Bits of `pg_trigger.tgtype`: for each row, before, insert. */
const BEFORE_INSERT_OF_ROW = 1 | 2 | 4;

/**
 * A trigger that answers NULL drops a row without a word, one of a partition too, and so does a rule. Where the table has one, both ends are
 * counted, in one statement, which sees one state; else the server's count is that of both, and to count again would take half as long again.
 */
export async function insertRows(
  session: Session,
  table: string,
  columns: readonly string[],
  select: string,
): Promise<{ read: number; written: number }> {
  const named = quoteText(table);
  const { rows: mayDrop } = await session.query(sql`
    select from pg_trigger where (tgrelid = ${raw(named)}::regclass
        or tgrelid in (select relid from pg_partition_tree(${raw(named)}::regclass))) and not tgisinternal
      and tgtype & ${raw(String(BEFORE_INSERT_OF_ROW))} = ${raw(String(BEFORE_INSERT_OF_ROW))}
    union all select from pg_rewrite where ev_class = ${raw(named)}::regclass and ev_type = '3'`);
  // Else a column that is `generated always as identity` takes no number that is given, which COPY gives it.
  const insert = `insert into ${table} (${columns.join(', ')}) overriding system value`;
  if (mayDrop.length === 0) {
    const { rowCount } = await session.run({ text: `${insert} ${select}`, values: [] });
    return { read: rowCount, written: rowCount };
  }
  const { rows } = await session.run(
    {
      text: `with given as (${select}),
      written as (${insert} select * from given returning 1)
      select (select count(*) from given), (select count(*) from written)`,
      values: [],
    },
    { first: 1 },
  );
  const [read, written] = rows[0]!.map(Number);
  return { read: read!, written: written! };
}

/**
 * Types whose binary form is the same on every PostgreSQL: built in, no OIDs of the server inside. An infinite interval, which 17 brought, is
 * a long one to those before it, and a word that they refuse in text.
 */
const PORTABLE =
  /^(smallint|integer|bigint|real|double precision|numeric|text|character varying|bpchar|"char"|name|boolean|date|timestamp with(out)? time zone|time with(out)? time zone|uuid|bytea|json|jsonb|inet|cidr|macaddr|macaddr8|"bit"|bit varying|point|tsvector)(\[\])?$/;

/** Whether rows can travel in binary: every pair of columns has one type, and it is portable. */
export function agreesInBinary(pairs: { source: string; target: string }[]): boolean {
  return pairs.every(({ source, target }) => source === target && PORTABLE.test(source));
}
