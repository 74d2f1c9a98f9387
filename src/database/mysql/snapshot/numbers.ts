/** The next number of AUTO_INCREMENT, on its way from a landing table to the twin that takes its place. */
import { sql } from '../../sql.ts';
import { rowsAbout } from '../catalog.ts';
import type { MysqlSession } from '../session.ts';
import { definitionOf } from './definition.ts';
import { at, quoted, type Place } from './place.ts';
import type { TwinPlan } from './twin.ts';

const number = (session: MysqlSession, place: Place, table: string, next: bigint): Promise<void> =>
  session.say(`alter table ${at(place, table)} auto_increment = ${next}`);

/**
 * Exactly, while nobody else writes. A table of MySQL whose numbers are used up says its last one comes next, and finds it taken; a twin
 * would give it again, and so begins behind it.
 */
export async function handOnNumber(session: MysqlSession, place: Place): Promise<void> {
  const { nextNumber } = await definitionOf(session, place, place.name);
  if (nextNumber === undefined) return;
  const usedUp = isLast(nextNumber) && (await isUsedUp(session, place, nextNumber));
  await number(session, place, place.twin, usedUp ? nextNumber + 1n : nextNumber);
}

/** Of some type. That of `bigint unsigned` no server gives. */
const isLast = (value: bigint): boolean =>
  Object.values(BITS).some((bits) => value === 2n ** (bits - 1n) - 1n || (bits < 64n && value === 2n ** bits - 1n));

async function isUsedUp(session: MysqlSession, place: Place, last: bigint): Promise<boolean> {
  const column = await numberedColumn(session, place);
  if (column?.greatest !== last) return false;
  const { rows } = await session.query({
    strings: [`select 1 from ${at(place, place.name)} where ${quoted(column.name)} = ${last} limit 1`],
    values: [],
  });
  return rows.length > 0;
}

/** Numbers that writers may take between our look at the next one and the moment of the rename. */
const HEADROOM = 1_000_000n;

/** Of a table that has given none yet, or none since TRUNCATE, MariaDB's text has no number that comes next. */
const FIRST_NUMBER = 1n;

/** Near the end of the type most of what is left: a number too few would be given twice, one too many is lost at most. */
export async function reserveNumbers(session: MysqlSession, place: Place): Promise<void> {
  const column = await numberedColumn(session, place);
  if (!column) return;
  const { nextNumber = FIRST_NUMBER } = await definitionOf(session, place, place.name);
  await number(session, place, place.twin, behindHeadroom(nextNumber, column));
}

/** The greater the next number is, the greater is this one. */
function behindHeadroom(nextNumber: bigint, { greatest }: NumberedColumn): bigint {
  const left = greatest > nextNumber ? greatest - nextNumber : 0n;
  const most = (3n * left + 3n) / 4n;
  return nextNumber + (most < HEADROOM ? most : HEADROOM);
}

/**
 * After the swap, before all else: the numbers that the snapshot did not use, or, where it used more than the headroom, those
 * after its last. A number that a writer was given in the twin meanwhile is not given again: the server begins above all that are there,
 * whatever we say. So it is not put back once it has been put right, for the rows of the greatest may be gone since; but where all
 * of the headroom was used meanwhile, nobody can tell that it was.
 */
export async function continueNumbers(
  session: MysqlSession,
  place: Place,
  { next = String(FIRST_NUMBER) }: TwinPlan,
): Promise<void> {
  const column = await numberedColumn(session, place);
  if (!column) return;
  const { nextNumber: unused = FIRST_NUMBER } = await definitionOf(session, place, place.processing);
  const { nextNumber: now = FIRST_NUMBER } = await definitionOf(session, place, place.name);
  // The twin began there, or further on: what came next when it was planned, came before what came next at the rename.
  const began = behindHeadroom(BigInt(next), column);
  const isPutRight = unused <= now && (now < began || began <= unused);
  if (!isPutRight) await number(session, place, place.name, unused);
}

/**
 * Which numbers the twin gave before `continueNumbers`, though the snapshot has them: only where more than the headroom was used
 * between our look and the rename. Undefined: none.
 */
export async function numbersTwice(
  session: MysqlSession,
  place: Place,
  { next = String(FIRST_NUMBER) }: TwinPlan,
): Promise<string | undefined> {
  const { nextNumber } = await definitionOf(session, place, place.processing);
  const column = nextNumber === undefined ? undefined : await numberedColumn(session, place);
  if (!column) return undefined;
  const id = quoted(column.name);
  const { rows } = await session.query<{ n: string | number; least: string | number; most: string | number }>({
    strings: [
      `select count(*) as n, min(t.${id}) as least, max(t.${id}) as most
       from ${at(place, place.name)} t join ${at(place, place.processing)} s on s.${id} = t.${id}
       where t.${id} >= ${BigInt(next)} and t.${id} < ${nextNumber}`, // no bound texts: they would be compared as floats
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
