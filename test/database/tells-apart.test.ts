/** Groups by a column that counts as the key of chunks lie in one chunk each: asked of the server, for each pair of types. */
import { afterEach, describe, expect, test } from 'vitest';
import type { ColumnFacts } from '../../src/database/dialect.ts';
import { MysqlDatabase } from '../../src/database/mysql/database.ts';
import { PostgresDatabase } from '../../src/database/postgres/database.ts';
import { raw, sql } from '../../src/database/sql.ts';
import { everyServer } from '../every-server.ts';
import { freshDatabase } from '../servers.ts';

const TEXTS = ['a', 'A', 'á', 'b', 'a ', '1', '01', '1.0', '¹', '0.1', '9007199254740993', 'ß', 'ss'];
const NUMBERS = ['1', '2', '1.0', '0.1', '0.10000000000000000001', '9007199254740992', '9007199254740993', '-0'];
const TIMES = ['2026-01-31', '2026-01-31 10:00:00', '2026-03-29 00:59:59', '2026-10-25 01:30:00'];

/** Columns by their names: the type, and values, of which some are one to some servers. */
const COLUMNS: Record<'mysql' | 'postgres', Record<string, [type: string, values: string[]]>> = {
  mysql: {
    ci: ['varchar(20) character set utf8mb4 collate utf8mb4_general_ci', TEXTS],
    unicode: ['varchar(20) character set utf8mb4 collate utf8mb4_unicode_ci', TEXTS],
    bin: ['varchar(20) character set utf8mb4 collate utf8mb4_bin', TEXTS],
    short: ['char(20) character set utf8mb4 collate utf8mb4_bin', TEXTS],
    latin: ['varchar(20) character set latin1 collate latin1_swedish_ci', TEXTS],
    latin_bin: ['varchar(20) character set latin1 collate latin1_bin', TEXTS],
    i: ['int', ['0', '1', '2']],
    big: ['bigint', NUMBERS],
    exact: ['decimal(40, 20)', NUMBERS],
    d: ['double', NUMBERS],
    f: ['float', NUMBERS],
    day: ['date', TIMES.map((time) => time.slice(0, 10))],
    at: ['datetime', TIMES],
  },
  postgres: {
    t: ['text', TEXTS],
    c: ['text collate "C"', TEXTS],
    short: ['character(20)', TEXTS],
    v: ['varchar(20)', TEXTS],
    ci: ['text collate loose', TEXTS],
    ci_short: ['character(20) collate loose', TEXTS],
    i: ['int', ['0', '1', '2']],
    big: ['bigint', NUMBERS.filter((number) => !number.includes('.'))],
    exact: ['numeric', NUMBERS],
    d: ['double precision', NUMBERS],
    r: ['real', NUMBERS],
    day: ['date', TIMES],
    at: ['timestamp', TIMES],
    tz: ['timestamptz', TIMES],
  },
};

/** What only one of the family has. */
const OF_MYSQL: typeof COLUMNS.mysql = {
  nopad: ['varchar(20) character set utf8mb4 collate utf8mb4_0900_ai_ci', TEXTS],
  nopad_bin: ['varchar(20) character set utf8mb4 collate utf8mb4_0900_bin', TEXTS],
};
const OF_MARIADB: typeof COLUMNS.mysql = {
  nopad: ['varchar(20) character set utf8mb4 collate utf8mb4_general_nopad_ci', TEXTS],
  nopad_bin: ['varchar(20) character set utf8mb4 collate utf8mb4_nopad_bin', TEXTS],
};

describe.each(everyServer)('what tells apart the key of the chunks on $name', (server) => {
  let close = (): Promise<void> => Promise.resolve();
  afterEach(() => close());

  test('makes no group of rows of two keys', { timeout: 180_000 }, async () => {
    const fresh = await freshDatabase(server);
    const isPostgres = server.url.startsWith('postgres');
    const scheme = isPostgres ? 'postgres' : 'mysql';
    const definition = { name: 'warehouse', url: fresh.url, maxConnections: 1, controlSchema: 'waybill' };
    const database = isPostgres
      ? new PostgresDatabase({ ...definition, scheme })
      : new MysqlDatabase({ ...definition, scheme });
    close = async () => {
      await database.close();
      await fresh.drop();
    };
    const ask = async (text: string): Promise<unknown[]> => (await database.query<object>(sql`${raw(text)}`)).rows;
    const own = server.name.startsWith('MySQL') ? OF_MYSQL : server.name.startsWith('MariaDB') ? OF_MARIADB : {};
    const types = { ...COLUMNS[isPostgres ? 'postgres' : 'mysql'], ...own };
    if (isPostgres) {
      await ask(`set time zone 'Europe/London'`);
      await ask(`create collation loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`);
    } else await ask(`set sql_mode = ''`); // what latin1 has not, what a bigint rounds
    for (const side of ['k', 'x', 'y']) {
      const columns = Object.entries(types).map(([name, [type]]) => `${name} ${type}`);
      await ask(`create table ${side} (${columns.join(', ')})`);
      for (const [name, [, values]] of Object.entries(types)) {
        await ask(`insert into ${side} (${name}) values ${values.map((value) => `('${value}')`).join(', ')}`);
      }
    }
    const table = await database.dialect.describeTable(database, isPostgres ? 'public.k' : `${fresh.name}.k`);
    const facts = new Map<string, ColumnFacts>(table!.columns.map((column) => [column.name, column]));
    const { dialect } = database;
    const tells = (one: string, key: string): boolean =>
      dialect.tellsApart(dialect.comparedAs(facts.get(one)!), facts.get(key)!);

    /** Two keys that one group has, where the key equals a column, and that one perhaps another, by which is grouped. */
    async function torn(key: string, one: string, other?: string): Promise<unknown[]> {
      const [first, second] = ['1', '2'].map((n) =>
        other === undefined
          ? `k k${n} join x y${n} on y${n}.${one} = k${n}.${key}`
          : `k k${n} join x x${n} on x${n}.${one} = k${n}.${key} join y y${n} on y${n}.${other} = x${n}.${one}`,
      );
      const by = other ?? one;
      try {
        return await ask(
          `select k1.${key}, k2.${key} from ${first} join (${second}) on y2.${by} = y1.${by} where k1.${key} <> k2.${key} limit 1`,
        );
      } catch (error) {
        if (isUncomparable(error)) return [];
        throw error;
      }
    }

    const names = Object.keys(types);
    const [wrong, right]: [string[], string[]] = [[], []];
    for (const key of names) {
      const fine = names.filter((one) => tells(one, key));
      for (const one of names) {
        const rows = await torn(key, one);
        if (rows.length > 0) (fine.includes(one) ? wrong : right).push(`${key} = ${one}: ${JSON.stringify(rows)}`);
      }
      for (const one of fine) {
        for (const other of fine) {
          if (one === other) continue;
          const rows = await torn(key, one, other);
          if (rows.length > 0) wrong.push(`${key} = ${one} = ${other}: ${JSON.stringify(rows)}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    // The values are such that what is refused would be wrong.
    expect(right.map((text) => text.split(':')[0])).toEqual(
      expect.arrayContaining(
        isPostgres
          ? ['big = d', 'exact = d', 't = ci', 'v = short']
          : ['big = d', 'exact = d', 'bin = ci', 'nopad = bin', 'i = unicode'],
      ),
    );
  });
});

/** Texts of two collations, a date and a number: nothing is compared. */
const isUncomparable = (error: unknown): boolean =>
  error instanceof Error &&
  /collation|operator does not exist|Illegal mix|Incorrect|could not determine/.test(error.message);
