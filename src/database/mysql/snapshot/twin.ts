import { LoadFailedError } from '../../../errors.ts';
import { raw, sql } from '../../sql.ts';
import type { MysqlSession } from '../session.ts';
import {
  constraintsIn,
  definitionOf,
  isLossy,
  isSilent,
  twinText,
  type Definition,
  type NamedConstraint,
} from './definition.ts';
import { at, quoted, taken, type Place } from './place.ts';
import { makeStandIns, triggersOf, type Trigger } from './triggers.ts';

/** What a landing table was when its twin was made, and what is left to do once that has taken its place. */
export interface TwinPlan {
  text: string;
  constraints: NamedConstraint[];
  triggers: Trigger[];
  /** The number that came next then: no number below it is given in the twin. Absent: there is none. */
  next?: string;
}

/**
 * Makes the twin under a name of its own; one that an earlier attempt has left goes first. Nobody sees it yet. What its definition
 * names without a schema, both servers look for in the twin's own; `use` is not needed, and never said: the names of all other
 * tables, and of their locks, would be looked up elsewhere from then on.
 */
export async function makeTwin(session: MysqlSession, place: Place, relationId: string): Promise<TwinPlan> {
  const definition = await definitionOf(session, place, place.name);
  const { text, constraints, nextNumber } = definition;
  const triggers = await triggersOf(session, place, place.name);
  const plan: TwinPlan = { text, constraints, triggers, ...(nextNumber && { next: String(nextNumber) }) };
  await dropTwin(session, place);
  try {
    await make(session, place, twinText(definition, place, session.server));
    await mustBeAlike(session, place, definition);
    await makeStandIns(session, place, relationId, plan.triggers);
    return plan;
  } catch (error) {
    await dropTwin(session, place).catch(() => undefined); // the next attempt drops it, too
    throw error;
  }
}

/**
 * By its text; where that is not to be trusted, or says less than there is, by LIKE, which copies all but foreign keys and, on MySQL, the names of CHECKs: those come from
 * the text, in which MySQL's `snapshotRefusals` has found no CHECK with a character of four bytes.
 */
async function make(session: MysqlSession, place: Place, text: string): Promise<void> {
  const readOtherwise = await isReadOtherwise(session, text);
  if (readOtherwise && WITHOUT_DEFAULT.test(text)) {
    throw new LoadFailedError(`${place.table} has a timestamp without a default, and any ALTER would give it one`, {
      where: place.table,
      next: 'set explicit_defaults_for_timestamp = ON on the server, which is its default, or give the column a default',
    });
  }
  if (!isLossy(text) && !readOtherwise && !isSilent(text, session.server)) return session.say(text);
  const twin = at(place, place.twin);
  await session.say(`create table ${twin} like ${at(place, place.name)}`);
  const named = session.server.checkNamesAreOfSchema ? ['foreign key', 'check'] : ['foreign key'];
  const made = constraintsIn((await definitionOf(session, place, place.twin)).text);
  const constraints = constraintsIn(text).filter(({ kind }) => named.includes(kind));
  // An index that a foreign key once made gives way to that of the new one, unless it is said again.
  const keys =
    constraints.length > 0 ? text.split('\n').filter((line) => line.startsWith('  KEY `') && !isLossy(line)) : [];
  const changes = [
    ...made.filter(({ kind }) => named.includes(kind)).map(({ kind, name }) => `drop ${kind} ${quoted(name)}`),
    ...keys.map((line) => `drop ${/KEY `(?:[^`]|``)+`/.exec(line)![0]}`),
    ...keys.map((line) => `add ${line.trim().replace(/,$/, '')}`),
    ...constraints.map(({ name, rule }) => `add constraint ${quoted(name)} ${rule}`),
  ];
  if (changes.length > 0) await session.say(`alter table ${twin} ${changes.join(', ')}`);
}

const WITHOUT_DEFAULT = /` timestamp(?:\(\d\))? NOT NULL(?! DEFAULT)/;

/**
 * Without explicit_defaults_for_timestamp the first `timestamp` of a text has a default that nobody has written. Not every server lets us
 * set it (`letsSetTimestampDefaults`).
 */
async function isReadOtherwise(session: MysqlSession, text: string): Promise<boolean> {
  if (!/` timestamp\b/.test(text)) return false;
  const { rows } = await session.query<{ explicit: unknown }>(
    sql`select @@session.explicit_defaults_for_timestamp as explicit`,
  );
  return Number(rows[0]!.explicit) !== 1;
}

/** Is the landing table still what it was when the twin was made? */
export async function isAsPlanned(session: MysqlSession, place: Place, plan: TwinPlan): Promise<boolean> {
  const { text } = await definitionOf(session, place, place.name);
  const triggers = await triggersOf(session, place, place.name);
  return text === plan.text && JSON.stringify(triggers) === JSON.stringify(plan.triggers);
}

/** Only one of ours: it has never held a row. */
export async function dropTwin(session: MysqlSession, place: Place): Promise<void> {
  if (!(await taken(session, place, place.twin))) return;
  const { rows } = await session.query(sql`select 1 from ${raw(at(place, place.twin))} limit 1`);
  if (rows.length > 0) {
    throw new LoadFailedError(`${place.schema}.${place.twin} holds rows, though nobody can have written to it`, {
      where: place.table,
      next: 'Waybill makes tables of this name for a moment, and empty: look whose rows they are, and rename it.',
    });
  }
  await session.say(`drop table ${at(place, place.twin)}`);
}

/** The server may read its own text in another way than it wrote it: a default that its settings change, an option. */
async function mustBeAlike(session: MysqlSession, place: Place, definition: Definition): Promise<void> {
  const made = await definitionOf(session, place, place.twin);
  const wanted = linesOf(twinText(definition, place, session.server));
  const got = linesOf(made.text);
  const differs = [...wanted.filter((line) => !got.includes(line)), ...got.filter((line) => !wanted.includes(line))];
  if (differs.length === 0) return;
  throw new LoadFailedError(`the server would not make ${place.table} again as it is: ${differs.join(' | ')}`, {
    where: place.table,
    next: 'Change the table so that its own definition (show create table) makes the same table again.',
  });
}

/**
 * All but the first, which has the table's name. Constraints are listed by name, so their order is another one; and MySQL writes a column's character set beside its collation,
 * which says the same, or leaves it out, by how the table was made.
 */
const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .slice(1)
    .map((line) =>
      line
        .trim()
        .replace(/,$/, '')
        .replaceAll(/ CHARACTER SET \w+(?= COLLATE )/g, ''),
    );
