/** What is PostgreSQL's own in the ledger's statements, and how its tables are made. */
import type { BeginOptions, Database, LedgerWords, MigrationWords, Session } from '../dialect.ts';
import { ConfigurationError } from '../../errors.ts';
import { raw, sql, type SqlStatement } from '../sql.ts';
import { STYLE } from './connection-settings.ts';
import { quoteName } from './names.ts';

export const words: LedgerWords = {
  now: raw('now()'),
  clock: raw('clock_timestamp()'),
  secondsFromNow: (seconds) => raw(`now() + interval '${seconds} seconds'`),
  shared: raw('for share'),
  onDuplicate: (key, overwrite) =>
    raw(
      `on conflict (${key.join(', ')}) do ` +
        (overwrite.length === 0
          ? 'nothing'
          : `update set ${overwrite.map((column) => `${column} = excluded.${column}`).join(', ')}`),
    ),
  secondsBetween: (from, to) => raw(`extract(epoch from ${to} - ${from})::float8`),
};

export const settings = (given: Record<string, string>): SqlStatement[] =>
  Object.entries(given).map(([name, value]) => sql`select set_config(${name}, ${value}, true)`);

export const ownStyle: readonly SqlStatement[] = settings(STYLE);

/** A commit that waits for the disk flushes all log before it: relaxed ones are safe as soon as one of those is answered. */
export const begin = ({ readOnly, relaxed, settings: given }: BeginOptions = {}): SqlStatement[] => [
  sql`begin isolation level read committed ${raw(readOnly ? 'read only' : 'read write')}`,
  ...(relaxed ? [sql`set local synchronous_commit = off`] : []),
  ...settings(given ?? {}),
];

const TABLE =
  'create table if not exists migration (version int primary key, name text not null, checksum text not null, ' +
  'applied_at timestamptz not null default now())';

const setPath = (schema: string): string => `set local search_path = ${quoteName(schema)}`;

/** Names, SQL and error texts come in any characters; one that the server has not got would fail the statement that writes it down. */
async function refuseEncoding(session: Session, { connection }: Database): Promise<void> {
  const { rows } = await session.query<{ encoding: string }>(
    sql`select current_setting('server_encoding') as encoding`,
  );
  const encoding = rows[0]!.encoding;
  if (encoding === 'UTF8') return;
  throw new ConfigurationError(
    `the database of connection ${connection} has the encoding ${encoding}, and a warehouse takes UTF8`,
    {
      where: `connection ${connection}`,
      next: "create the database with encoding 'UTF8' template template0; one of another encoding may be a source",
    },
  );
}

async function open(session: Session, controlSchema: string): Promise<void> {
  // By a key that no batch has.
  await session.query(sql`select pg_advisory_xact_lock(hashtextextended(${`migrate:${controlSchema}`}, 0))`);
  // Asked first: "if not exists" needs the right to create them all the same, and a DBA may have run the script.
  const { rows } = await session.query(sql`select 1 from pg_namespace where nspname = ${controlSchema}`);
  if (rows.length === 0) await session.query(sql`create schema ${raw(quoteName(controlSchema))}`);
  await session.query(sql`${raw(setPath(controlSchema))}`);
  const { rows: there } = await session.query<{ oid: number | null }>(sql`select to_regclass('migration') as oid`);
  if (!there[0]?.oid) await session.query(sql`${raw(TABLE)}`);
}

/** By a tag that does not stand in the text, which may have such quotes itself. */
function dollarQuoted(text: string): string {
  let tag = '$waybill$';
  for (let n = 1; text.includes(tag); n += 1) tag = `$waybill${n}$`;
  return `${tag}\n${text}\n${tag}`;
}

export const migration: MigrationWords = {
  run: (database, work) =>
    database.transaction(async (session) => {
      await refuseEncoding(session, database);
      await open(session, database.controlSchema);
      return work(session);
    }),
  apply: async (session, text) => {
    await session.query({ strings: [text], values: [] });
  },
  unlessApplied: (version, statements) =>
    `do ${dollarQuoted(`begin
if not exists (select from migration where version = ${version}) then
execute ${dollarQuoted(statements)};
end if;
end`)}`,
  script: ({ controlSchema }, statements) =>
    [
      'begin',
      `create schema if not exists ${quoteName(controlSchema)}`,
      setPath(controlSchema),
      TABLE,
      ...statements,
      'commit',
    ]
      .map((statement) => `${statement};\n`)
      .join(''),
};

/** Publish and retract of one output never overlap, whichever loads they belong to. */
export async function lockOutput(session: Session, { controlSchema }: Database, table: string): Promise<void> {
  await session.query(sql`select pg_advisory_xact_lock(hashtextextended(${`${controlSchema}:output:${table}`}, 0))`);
}
