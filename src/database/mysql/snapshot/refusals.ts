import type { MysqlSession } from '../session.ts';
import { foreignKeyRefusals, type Refusal } from './foreign-keys.ts';
import { at, factsOf, findPlace, LONGEST_NAME, quoted, type Place, type StoredTable } from './place.ts';
import { seesTriggers } from './rights.ts';

/** Why this table cannot be snapshotted (empty: it can). Looks only; what the server alone knows is said when the twin is made. */
export async function snapshotRefusals(session: MysqlSession, table: string): Promise<Refusal[]> {
  const place = await findPlace(session, table);
  const facts = place && (await factsOf(session, place, place.name));
  if (!place || !facts)
    return [{ reason: `table ${table} does not exist`, next: 'Create it, or correct `inputs` of the load.' }];
  const kind = kindRefusals(place, facts);
  if (kind.length > 0) return kind;
  return [
    ...(await nameRefusals(session, place, facts)),
    ...(await foreignKeyRefusals(session, place, place.name)),
    ...(await rightRefusals(session, place)),
  ];
}

/** Why a table that another tool renamed to a snapshot's name cannot serve as one. Its own twin stands already. */
export async function adoptionRefusals(session: MysqlSession, processing: string): Promise<Refusal[]> {
  const place = await findPlace(session, processing);
  const facts = place && (await factsOf(session, place, place.name));
  if (!place || !facts) return [];
  const kind = kindRefusals(place, facts);
  return kind.length > 0 ? kind : foreignKeyRefusals(session, place, place.name);
}

function kindRefusals(place: Place, { type, engine }: StoredTable): Refusal[] {
  if (type === 'SYSTEM VERSIONED') {
    return [
      {
        reason: 'it is system-versioned: its history would stay behind',
        next: 'Let writers use a table without versions as landing table.',
      },
    ];
  }
  if (type !== 'BASE TABLE') {
    return [{ reason: `it is a ${type.toLowerCase()}`, next: 'Name an ordinary table as input.' }];
  }
  if (engine !== 'InnoDB') {
    return [
      {
        reason: `its engine is ${engine ?? 'unknown'}, which cannot roll back`,
        next: `alter table ${at(place, place.name)} engine = InnoDB`,
      },
    ];
  }
  return [];
}

async function nameRefusals(session: MysqlSession, place: Place, { comment }: StoredTable): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  if ([...place.processing].length > LONGEST_NAME) {
    refusals.push({
      reason: `${place.processing} would be longer than ${LONGEST_NAME} characters`,
      next: 'Give the landing table a shorter name.',
    });
    return refusals;
  }
  if (/^waybill snapshot \d+$/.test(comment)) {
    refusals.push({ reason: 'it is itself a snapshot of Waybill', next: 'Name the landing table as input.' });
  }
  const other = await factsOf(session, place, place.processing);
  if (other && other.type !== 'BASE TABLE') {
    refusals.push({
      reason: `${place.processing} is a ${other.type.toLowerCase()}`,
      next: 'Rename it: the snapshot takes that name.',
    });
  }
  return refusals;
}

async function rightRefusals(session: MysqlSession, place: Place): Promise<Refusal[]> {
  if (await seesTriggers(session, place)) return [];
  return [
    {
      reason: 'this account lacks the privilege TRIGGER, without which it cannot see whether the table has triggers',
      next: `grant trigger on ${quoted(place.schema)}.* to this account`,
    },
  ];
}
