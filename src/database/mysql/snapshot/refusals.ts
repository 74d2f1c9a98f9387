import { sql } from '../../sql.ts';
import type { MysqlSession } from '../session.ts';
import { isTable } from '../tables.ts';
import { foreignKeyRefusals, type Refusal } from './foreign-keys.ts';
import { at, findPlace, LONGEST_NAME, quoted, type Place } from './place.ts';
import { seesTriggers } from './rights.ts';

/** Why this table cannot be snapshotted (empty: it can). Looks only; what the server alone knows is said when the twin is made. */
export async function snapshotRefusals(session: MysqlSession, table: string): Promise<Refusal[]> {
  const place = await findPlace(session, table);
  if (!place) {
    return [{ reason: `table ${table} does not exist`, next: 'Create it, or correct `inputs` of the load.' }];
  }
  const kind = await kindRefusals(session, place, place.name);
  if (kind.length > 0) return kind;
  return [
    ...(await nameRefusals(session, place)),
    ...(await foreignKeyRefusals(session, place, place.name)),
    ...(await rightRefusals(session, place)),
  ];
}

/** Why a table that another tool renamed to a snapshot's name cannot serve as one. Its own twin stands already. */
export async function adoptionRefusals(session: MysqlSession, processing: string): Promise<Refusal[]> {
  const place = await findPlace(session, processing);
  if (!place) return [];
  const kind = await kindRefusals(session, place, place.name);
  return kind.length > 0 ? kind : foreignKeyRefusals(session, place, place.name);
}

async function kindRefusals(session: MysqlSession, { schema }: Place, name: string): Promise<Refusal[]> {
  const { rows } = await session.query<{ type: string; engine: string | null }>(sql`
    select table_type as type, engine as engine
    from information_schema.tables where table_schema = ${schema} and table_name = ${name}`);
  const { type, engine } = rows[0]!;
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
        next: `alter table ${at({ schema }, name)} engine = InnoDB`,
      },
    ];
  }
  return [];
}

async function nameRefusals(session: MysqlSession, place: Place): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  if ([...place.processing].length > LONGEST_NAME) {
    refusals.push({
      reason: `${place.processing} would be longer than ${LONGEST_NAME} characters`,
      next: 'Give the landing table a shorter name.',
    });
  }
  const { rows } = await session.query<{ comment: string }>(sql`
    select table_comment as comment from information_schema.tables where ${isTable(place.table)}`);
  if (/^waybill snapshot \d+$/.test(rows[0]!.comment)) {
    refusals.push({ reason: 'it is itself a snapshot of Waybill', next: 'Name the landing table as input.' });
  }
  const { rows: others } = await session.query<{ type: string }>(sql`
    select table_type as type from information_schema.tables
    where table_schema = ${place.schema} and table_name = ${place.processing} and table_type <> 'BASE TABLE'`);
  if (others[0]) {
    refusals.push({
      reason: `${place.processing} is a ${others[0].type.toLowerCase()}`,
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
