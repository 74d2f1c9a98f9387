import type { MysqlSession } from '../session.ts';
import { definitionOf, type NamedConstraint } from './definition.ts';
import { at, ownName, quoted, type Place } from './place.ts';

/**
 * Gives constraints their names back, after the swap: the snapshot's step aside (a check is of no use to it any more), then the
 * landing table's are renamed, which is one statement each: at no moment is there a row that nobody has checked.
 */
export async function renameConstraints(
  session: MysqlSession,
  place: Place,
  constraints: readonly NamedConstraint[],
): Promise<void> {
  if (constraints.length === 0) return;
  const aside = await namesOn(session, place, place.processing);
  await alter(
    session,
    at(place, place.processing),
    constraints
      .filter(({ name }) => aside.has(name))
      .flatMap((one) => [dropped(one, one.name), ...(one.kind === 'check' ? [] : [added(one, asideName(place, one))])]),
  );
  const own = await namesOn(session, place, place.name);
  await alter(
    session,
    at(place, place.name),
    constraints.filter((one) => own.has(one.own)).flatMap((one) => [dropped(one, one.own), added(one, one.name)]),
  );
}

const namesOn = async (session: MysqlSession, place: Place, table: string): Promise<Set<string>> =>
  new Set((await definitionOf(session, place, table)).constraints.map(({ name }) => name));

const asideName = (place: Place, { name }: NamedConstraint): string => ownName('fk', `${place.processing}.${name}`);

const dropped = ({ kind }: NamedConstraint, name: string): string => `drop ${kind} ${quoted(name)}`;

const added = ({ rule }: NamedConstraint, name: string): string => `add constraint ${quoted(name)} ${rule}`;

async function alter(session: MysqlSession, table: string, changes: string[]): Promise<void> {
  if (changes.length > 0) await session.say(`alter table ${table} ${changes.join(', ')}`);
}
