/** What MySQL and MariaDB say in their own way in the ledger's statements, and how its tables are made. */
import type { BeginOptions, Database, LedgerWords, MigrationWords, Session } from '../dialect.ts';
import { ConfigurationError } from '../../errors.ts';
import { part, raw, sql, type SqlStatement } from '../sql.ts';
import { LOG_BY_ROWS } from './errors.ts';
import { takeNamedLock } from './named-locks.ts';
import { quoteName, quoteText } from './names.ts';
import type { MysqlSession } from './session.ts';

export const words: LedgerWords = {
  now: raw('current_timestamp(6)'),
  clock: raw('sysdate(6)'),
  secondsFromNow: (seconds) => raw(`current_timestamp(6) + interval ${seconds} second`),
  shared: raw('lock in share mode'), // MariaDB does not know "for share"
  onDuplicate: (key, overwrite) =>
    raw(
      // Of a row that stays, one column is set to what it is: "insert ignore" would hide other errors, too.
      `on duplicate key update ${
        overwrite.length === 0
          ? `${key[0]} = ${key[0]}`
          : overwrite.map((column) => `${column} = values(${column})`).join(', ')
      }`,
    ),
  secondsBetween: (from, to) => raw(`timestampdiff(microsecond, ${from}, ${to}) / 1000000`),
};

/** Of the ledger's times, which the server writes as it reads its clock. Each connection begins in it. */
export const UTC = '+00:00';
/** A name that servers know only once their tables of zones are filled is one of them. */
export const isUtc = (zone: string): boolean => /^(?:utc|[+-]00?:00)$/i.test(zone);

/** `default`: what the server gives to those who ask for none. */
export const inZone = (zone: string): string =>
  `set session time_zone = ${zone.toLowerCase() === 'default' ? '@@global.time_zone' : quoteText(zone)}`;

/**
 * One statement, for it is said before each range of a task. They hold for the session: neither server has settings of a transaction. A
 * time zone holds for the user's statements alone (`MysqlSession.run`).
 */
export const settings = (given: Record<string, string>): SqlStatement[] => {
  const list = Object.entries(given)
    .filter(([name]) => name !== 'time_zone')
    .map(([name, value]) => {
      if (!/^\w+$/.test(name)) throw new Error(`not a server setting: ${name}`);
      return `session ${name} = ${/^-?\d+(\.\d+)?$/.test(value) ? value : quoteText(value)}`;
    });
  return list.length === 0 ? [] : [sql`${raw(`set ${list.join(', ')}`)}`];
};

/** What `settings` makes says the same in every time zone; `system_versioning_asof` (MariaDB) is a time, and read in that of the session. */
export const isOfAnyZone = (text: string): boolean => /^set session (?!.*\bsystem_versioning_asof\b)/is.test(text);

/** A server flushes each commit as it is told to; no transaction can be relaxed by itself. */
export const begin = ({ readOnly, settings: given }: BeginOptions = {}): SqlStatement[] => [
  sql`set transaction isolation level read committed`,
  ...settings(given ?? {}),
  sql`start transaction ${raw(readOnly ? 'read only' : 'read write')}`,
];

const TABLE =
  'create table if not exists migration (version int not null primary key, name varchar(255) not null, ' +
  'checksum varchar(64) not null, applied_at datetime(6) not null default current_timestamp(6)) ' +
  'engine = InnoDB, character set utf8mb4, collate utf8mb4_bin';

/**
 * Said at each table, for the format that a server has by default (innodb_default_row_format) may take no keys as long as ours. Not in the files of the
 * migrations: they would count as others.
 */
const inLongKeys = (statement: string): string =>
  statement.replaceAll(/\) engine = InnoDB(?=,)/g, ') engine = InnoDB, row_format = dynamic');

const createSchema = (schema: string): string =>
  `create database if not exists ${quoteName(schema)} character set utf8mb4 collate utf8mb4_bin`;

/** How long a migration waits for another one on this server. */
const MIGRATION_SECONDS = 600;

export const migration: MigrationWords = {
  async run(database, work) {
    // Not one of the pool's: it is another current database that it comes back with.
    const session = await database.openAside('waybill migrate');
    try {
      await refuseStatementLog(session, database);
      await lockMigration(session, database);
      // Asked first: a DBA may have run the script, and given no right to create a database.
      const { rows } = await session.query(
        sql`select 1 from information_schema.schemata where schema_name = ${database.controlSchema}`,
      );
      const { say } = asMysql(session);
      if (rows.length === 0) await say(createSchema(database.controlSchema));
      await say(`use ${quoteName(database.controlSchema)}`);
      const { rows: there } = await session.query(sql`
        select 1 from information_schema.tables
        where table_schema = ${database.controlSchema} and table_name = 'migration'`);
      if (there.length === 0) await say(TABLE);
      return await work(session);
    } finally {
      await session.close(); // and with it the lock
    }
  },
  async apply(session, text) {
    for (const statement of statementsOf(text)) await asMysql(session).say(inLongKeys(statement));
  },
  // Only a stored program could ask, and a script that makes one is not the same for all clients.
  unlessApplied: (_version, statements) => statements,
  script: ({ controlSchema }, statements) =>
    [createSchema(controlSchema), `use ${quoteName(controlSchema)}`, TABLE, ...statements.map(inLongKeys)]
      .map((statement) => `${statement};\n`)
      .join(''),
};

/** Every write of ours would fail (1665): said here, where the first one is about to be; a source is only read. */
async function refuseStatementLog(session: Session, { connection }: Database): Promise<void> {
  const { rows } = await session.query<{ Variable_name: string; Value: string }>(
    sql`show variables where variable_name in ('log_bin', 'binlog_format')`,
  );
  const is = (name: string, value: string): boolean =>
    rows.some((row) => row.Variable_name === name && row.Value === value);
  if (!is('log_bin', 'ON') || !is('binlog_format', 'STATEMENT')) return;
  throw new ConfigurationError(
    `the server of connection ${connection} has a binary log of statements, which takes no writes at READ COMMITTED`,
    { where: `connection ${connection}`, next: LOG_BY_ROWS },
  );
}

/** GET_LOCK knows names of 64 characters on the whole server: the control database's may be as long alone. */
async function lockMigration(session: Session, { controlSchema }: Database): Promise<void> {
  const name = `concat('waybill migrate ', left(sha2(${quoteText(controlSchema)}, 256), 32))`;
  if (!(await takeNamedLock(session, part`${raw(name)}`, MIGRATION_SECONDS)))
    throw new Error(`another migration of ${controlSchema} takes too long`);
}

/** Our own migrations: a statement ends where a line ends with a semicolon. */
function statementsOf(text: string): string[] {
  return text
    .split(/;[ \t]*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement.replaceAll(/--.*$/gm, '').trim() !== '');
}

const asMysql = (session: Session): { say: (text: string) => Promise<void> } => ({
  say: (text) => (session as MysqlSession).say(text),
});

/**
 * Publish and retract of one output never overlap, whichever loads they belong to: a row of the ledger is locked until the
 * transaction ends (GET_LOCK would outlive it).
 */
export async function lockOutput(session: Session, database: Database, table: string): Promise<void> {
  await session.query(sql`
    insert into ${database.ledger('output_lock')} (table_name) values (${table})
    ${words.onDuplicate(['table_name'], [])}`);
}
