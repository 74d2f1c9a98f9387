/** The next number of AUTO_INCREMENT, on its way from a landing table to the twin that takes its place. */
import { sql } from '../../sql.ts';
import { rowsAbout } from '../catalog.ts';
import type { MysqlSession } from '../session.ts';
import { definitionOf } from './definition.ts';
import { at, quoted, type Place } from './place.ts';
import type { TwinPlan } from './twin.ts';

const number = (session: MysqlSession, place: Place, table: string, next: bigint): Promise<void> =>
  session.say(`alter table ${at(place, table)} auto_increment = ${next}`);

/** Exactly, while nobody else writes. */
export async function handOnNumber(session: MysqlSession, place: Place): Promise<void> {
  const { nextNumber } = await definitionOf(session, place, place.name);
  if (nextNumber !== undefined) await number(session, place, place.twin, nextNumber);
}

/** Numbers that writers may take between our look at the next one and the moment of the rename. */
const HEADROOM = 1_000_000n;

/** Near the end of the type most of what is left: a number too few would be given twice, one too many is lost at most. */
export async function reserveNumbers(session: MysqlSession, place: Place): Promise<void> {
  const { nextNumber } = await definitionOf(session, place, place.name);
  if (nextNumber === undefined) return;
  const { greatest } = (await numberedColumn(session, place))!;
  const left = greatest > nextNumber ? greatest - nextNumber : 0n;
  const most = (3n * left + 3n) / 4n;
  await number(session, place, place.twin, nextNumber + (most < HEADROOM ? most : HEADROOM));
}

/**
 * After the swap, before all else: the numbers that the snapshot did not use, or, where it used more than the headroom, those
 * after its last. A number that a writer was given in the twin meanwhile is never given again: the server begins above it,
 * whatever we say.
 */
export async function continueNumbers(session: MysqlSession, place: Place): Promise<void> {
  const { nextNumber } = await definitionOf(session, place, place.processing);
  if (nextNumber !== undefined) await number(session, place, place.name, nextNumber);
}

/**
 * Which numbers the twin gave before `continueNumbers`, though the snapshot has them: only where more than the headroom was used
 * between our look and the rename. Undefined: none.
 */
export async function numbersTwice(
  session: MysqlSession,
  place: Place,
  { next }: TwinPlan,
): Promise<string | undefined> {
  const { nextNumber } = await definitionOf(session, place, place.processing);
  const column = next === undefined || nextNumber === undefined ? undefined : await numberedColumn(session, place);
  if (!column) return undefined;
  const id = quoted(column.name);
  const { rows } = await session.query<{ n: string | number; least: string | number; most: string | number }>({
    strings: [
      `select count(*) as n, min(t.${id}) as least, max(t.${id}) as most
       from ${at(place, place.name)} t join ${at(place, place.processing)} s on s.${id} = t.${id}
       where t.${id} >= ${BigInt(next!)} and t.${id} < ${nextNumber}`, // no bound texts: they would be compared as floats
    ],
    values: [],
  });
  const { n, least, most } = rows[0]!;
  return Number(n) === 0 ? undefined : `${n} of ${least} to ${most} in ${place.table}`;
}

const BITS: Record<string, bigint> = { tinyint: 8n, smallint: 16n, mediumint: 24n, int: 32n, bigint: 64n };

interface NumberedColumn {
  name: string;
  /** What it holds at most; of other types (float, double) what a float counts exactly. */
  greatest: bigint;
}

async function numberedColumn(session: MysqlSession, place: Place): Promise<NumberedColumn | undefined> {
  const [column] = await rowsAbout<{ name: string; family: string; type: string }>(
    session,
    at(place, place.name),
    (condition) => sql`
    select column_name as name, data_type as family, column_type as type from information_schema.columns
    where table_schema = ${place.schema} and table_name = ${place.name} and extra like '%auto_increment%' and ${condition}`,
  );
  if (!column) return undefined;
  const bits = BITS[column.family];
  if (bits === undefined) return { name: column.name, greatest: 2n ** 24n };
  return { name: column.name, greatest: 2n ** (column.type.includes('unsigned') ? bits : bits - 1n) - 1n };
}
