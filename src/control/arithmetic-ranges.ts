/** `from.range`: a source cut by arithmetic, which takes no index and no walk. */
import type { ColumnFacts, Dialect, Session } from '../database/dialect.ts';
import { NULL_KEYS, type ChunkRange } from '../database/dialect.ts';
import { fromItem, type RowSource } from '../database/row-source.ts';
import { raw, sql } from '../database/sql.ts';
import { ConfigurationError } from '../errors.ts';

/** More ranges than these are a step that is too small. */
const MOST_RANGES = 100_000;

/**
 * Ranges of `step` from the least to the greatest value of a column of numbers. The first is open below and the last above, so that
 * rows which come meanwhile are in one of them; rows without a value get a range of their own. Infinity and NaN, to which no steps lead, are in
 * the last, minus infinity in the first. Empty: there are no rows.
 */
export async function arithmeticRanges(
  session: Session,
  dialect: Dialect,
  rows: RowSource,
  column: ColumnFacts,
  step: number,
): Promise<ChunkRange[]> {
  const name = dialect.quoteName(column.name);
  // As a decimal first: the floor of a whole number is a float to PostgreSQL.
  const decimal = (value: string): string => `floor(${dialect.sql.cast(value, dialect.castOf('decimal')!)})`;
  const endless = dialect.endless(column);
  const finite = endless ? `case when not (${endless.above} or ${endless.below}) then ${name} end` : name;
  const { rows: found } = await session.query<{
    least: string | null;
    most: string | null;
    valued: unknown;
    nulls: unknown;
  }>(sql`
    select ${raw(decimal(`min(${finite})`))} as least, ${raw(decimal(`max(${finite})`))} as most, count(${raw(name)}) as valued,
      sum(case when ${raw(name)} is null then 1 else 0 end) as nulls
    from ${raw(fromItem(rows, (table) => dialect.quoteTable(table)))}`);
  const { least, most, valued, nulls } = found[0]!;
  const others = Number(valued) > 0 ? [{ from: null, to: null }] : [];
  const ranges = least === null ? others : between(whole(least), whole(most!), BigInt(step), column.name);
  return Number(nulls ?? 0) > 0 ? [...ranges, { from: NULL_KEYS, to: NULL_KEYS }] : ranges;
}

const whole = (value: string): bigint => BigInt(value.replace(/\..*$/, ''));

function between(least: bigint, most: bigint, step: bigint, column: string): ChunkRange[] {
  const count = (most - least) / step + 1n;
  if (count > MOST_RANGES) {
    throw new ConfigurationError(
      `from.range cuts ${column} from ${least} to ${most} into ${count} ranges, and ${MOST_RANGES} are the most`,
      { next: `a step of ${(most - least) / BigInt(MOST_RANGES) + 1n} would do` },
    );
  }
  const bound = (i: bigint): string => JSON.stringify([String(least + i * step)]);
  return Array.from({ length: Number(count) }, (_, i) => ({
    from: i === 0 ? null : bound(BigInt(i)),
    to: i === Number(count) - 1 ? null : bound(BigInt(i + 1)),
  }));
}
