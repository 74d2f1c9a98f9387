import { sql } from '../../sql.ts';
import type { MysqlSession } from '../session.ts';
import { isFollowing } from './definition.ts';
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
    ...(await checkRefusals(session, place)),
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
  const generated = await longestGenerated(session, place);
  if (generated) {
    refusals.push({
      reason: `the server would call constraint ${generated.from} of the snapshot ${generated.to}, longer than ${LONGEST_NAME} characters`,
      next: 'Give the constraint a name of its own, or the landing table a shorter one.',
    });
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

/** The server gives a constraint that it takes for one that it has named itself another name with its table, and may find that too long then. */
async function longestGenerated(
  session: MysqlSession,
  place: Place,
): Promise<{ from: string; to: string } | undefined> {
  if (!session.server.limitsNamesMadeOfTables) return undefined;
  const { rows } = await session.query<{ name: string; type: string }>(sql`
    select constraint_name as name, constraint_type as type from information_schema.table_constraints
    where table_schema = ${place.schema} and table_name = ${place.name} and constraint_type in ('CHECK', 'FOREIGN KEY')`);
  return rows
    .filter(({ name, type }) => isFollowing(name, type === 'CHECK' ? 'check' : 'foreign key', place.name))
    .map(({ name }) => ({ from: name, to: `${place.processing}${name.slice(place.name.length)}` }))
    .find(({ to }) => [...to].length > LONGEST_NAME);
}

/** Where LIKE does not copy the name of a CHECK, it is made again by its text: in that MySQL shows each byte of a character of four as a question mark. */
async function checkRefusals(session: MysqlSession, place: Place): Promise<Refusal[]> {
  if (!session.server.checkNamesAreOfSchema) return [];
  const { rows } = await session.query<{ name: string; clause: string }>(sql`
    select c.constraint_name as name, c.check_clause as clause
    from information_schema.table_constraints t join information_schema.check_constraints c using (constraint_schema, constraint_name)
    where t.table_schema = ${place.schema} and t.table_name = ${place.name} and t.constraint_type = 'CHECK'`);
  return rows
    .filter(({ clause }) => isWide(clause) || isWide(Buffer.from(clause, 'latin1').toString()))
    .map(({ name }) => ({
      reason: `CHECK ${name} has a character beyond U+FFFF, which MySQL does not show: it could not be made again`,
      next: `Write the character by its bytes (convert(x'F09F9880' using utf8mb4)) in ${name}, or drop the CHECK.`,
    }));
}

/** This information_schema takes the bytes of UTF-8 for latin1. */
const isWide = (text: string): boolean => /[\u{10000}-\u{10FFFF}]/u.test(text);

async function rightRefusals(session: MysqlSession, place: Place): Promise<Refusal[]> {
  if (await seesTriggers(session, place)) return [];
  return [
    {
      reason: 'this account lacks the privilege TRIGGER, without which it cannot see whether the table has triggers',
      next: `grant trigger on ${quoted(place.schema)}.* to this account`,
    },
  ];
}
