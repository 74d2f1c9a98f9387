import fc from 'fast-check';
import { createConnection, type Connection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { mariadbSql, mysqlDialect, mysqlSql, type MysqlReading } from '../../src/sql/mysql.ts';
import { formatTableName } from '../../src/sql/names.ts';
import { SqlError } from '../../src/sql/sql-error.ts';
import { mysqlFragments } from './mysql-fragments.ts';
import { describeOn, mysqlServers } from '../mysql-servers.ts';
import { verdictOf } from './mysql-grammar.ts';
import { COMMITTING, HARMLESS } from './mysql-statements.ts';
import { parse, parseOne, render } from './parse.ts';

/** Databases, accounts and servers whose names begin with `waybill_lexer_` are made and dropped there, and tables flushed. */
const servers = (await mysqlServers()).map(({ name, flavour, url }) => ({
  name,
  flavour,
  url,
  dialect: flavour === 'MySQL' ? mysqlSql : mariadbSql,
}));

const STRICT = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION';
/** Texts that are compared in each mode: more of them in `npm run test:all`. */
const RUNS = inject('seed').all ? 4000 : 400;
const SYNTAX = 1064;
/** A letter beyond the Basic Multilingual Plane in a name, to MariaDB. */
const NOT_A_LETTER = 1300;

interface ServerError {
  errno: number;
  message: string;
}

describeOn(servers, 'the lexer on $name', ({ url, dialect, flavour }) => {
  const database = `waybill_lexer_${process.pid}`;
  let connection: Connection;

  async function connect(): Promise<Connection> {
    const opened = await createConnection({
      uri: url,
      charset: 'utf8mb4',
      maxPreparedStatements: 16,
      dateStrings: true,
    });
    await opened.query(`set sql_mode = '${STRICT}', time_zone = '+00:00'`);
    return opened;
  }

  beforeAll(async () => {
    connection = await connect();
    await connection.query(`create database if not exists ${database}`);
    await connection.query(`use ${database}`);
  });
  afterAll(async () => {
    await tables(connection);
    await connection.query(`drop database ${database}`);
    await connection.end();
  });

  /** What the server answers: undefined, or its error. */
  async function ask(text: string): Promise<ServerError | undefined> {
    return connection.query(text).then(
      () => undefined,
      (error: ServerError) => error,
    );
  }

  const readings: MysqlReading[] = [
    {},
    { ansiQuotes: true },
    { noBackslashEscapes: true },
    { ansiQuotes: true, noBackslashEscapes: true },
  ];
  describe.each(readings)('in the mode %j', (reading) => {
    const modes = { ansiQuotes: 'ANSI_QUOTES', noBackslashEscapes: 'NO_BACKSLASH_ESCAPES' };
    const read = mysqlDialect(flavour, reading);

    beforeEach(async () => {
      const on = (Object.keys(reading) as (keyof MysqlReading)[]).map((key) => modes[key]);
      await connection.query(`set sql_mode = '${[STRICT, ...on].join(',')}'`);
    });
    afterAll(() => connection.query(`set sql_mode = '${STRICT}'`));

    /** A syntax error quotes the text from the token on that it stumbled over; what cannot be shown, in another form. */
    async function theirs(text: string): Promise<number | undefined> {
      const error = await ask(text);
      if (error?.errno === NOT_A_LETTER) return undefined;
      const near = /near '(.*)' at line \d+$/s.exec(error?.message ?? '')?.[1];
      const raw = near?.replaceAll('\\0001', '\u0001').replaceAll('\\000B', '\v').replaceAll('?', '🙂');
      if (raw === undefined || !text.endsWith(raw)) throw new Error(`${JSON.stringify(text)}: ${error?.message}`);
      return text.length - raw.length;
    }

    test('sees code, strings, comments, names and numbers where the server sees them, in any text', async () => {
      const pieces = [
        ...`' ' " " \` \` \\ - -- / * /* */ # /*! /*!40101 n N x X b a e 1 1 0x 0b 1e . é 🙂 \u00a0 \u0001 = + | & < ! : := :x @x ) _ _utf8mb4`.split(
          ' ',
        ),
        ...['\n', '\n', '\r', ' ', ' ', '\t', '\v', '-- ', '$a'],
      ];
      const soup = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 12 });
      let compared = 0;
      await fc.assert(
        fc.asyncProperty(soup, async (parts) => {
          const before = 'set @v = ';
          // Where all else is right, the parenthesis is wrong; servers cut white space off the end of what they are sent.
          const text = `${before}${parts.join('')}\n)`;
          fc.pre(!text.includes('/*!40101.')); // where a name ends before a dot is seen by its letters only
          const mine = verdictOf(text, before.length, read);
          if (mine === undefined) return;
          const server = await theirs(text);
          if (server === undefined) return;
          compared++;
          expect(server).toEqual(mine === 'unclosed' ? expect.any(Number) : mine);
        }),
        { numRuns: RUNS },
      );
      expect(compared).toBeGreaterThan(RUNS / 2);
    });
  });

  test('binds parameters and leaves texts alone, so that the server gives back what was meant', async () => {
    const { literal, parameter, gap } = mysqlFragments;
    const items = fc.array(fc.oneof(literal, parameter), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(items, fc.array(gap, { minLength: 1, maxLength: 3 }), async (expressions, gaps) => {
        const list = expressions.map(({ text }, i) => `${gaps[i % gaps.length]!.text} ${text}`).join(',');
        const { text, values } = render(`select${list}`, undefined, dialect);
        const [rows] = await connection.execute({ sql: text, rowsAsArray: true }, values as string[]);
        expect(rows).toEqual([expressions.map(({ value }) => value)]);
      }),
      { numRuns: RUNS / 4 },
    );
  });

  const bound = [
    'select :a',
    '((select :a) union (select 1))',
    'with x as (select :a as a) select * from x',
    'select a from t limit :a offset :a',
    'select a from t limit :a, :a',
    'select ntile(:a) over (order by a), lag(coalesce(a, 1), :a) over (order by a) from t',
    ...(flavour === 'MySQL'
      ? ['select sum(a) over (order by a rows between :a preceding and :a following) from t']
      : []),
    'insert into t values (:a, 1)',
    'insert into t values (9, 1) on duplicate key update b = :a',
    'replace into t values (:a, 1)',
    'update t set b = :a',
    'delete from t where a = :a',
    'explain insert into t values (:a, 1)',
    'do :a',
    'set @a = :a',
    'show tables where :a = 1',
    'create temporary table c as select :a as a',
    'create temporary table c select :a as a',
    'create temporary table c (a int) select :a as a',
    'create temporary table c as (with x as (select :a as a) select a from x)',
    'select @n := @n + :a, -:a, 1--:a, json_extract(json_array(:a), concat("$[", :a, "]"))',
  ];
  const unbound = [
    'create view c as select :a',
    'truncate :a',
    'show tables like :a',
    'create index i on t (b) where b > :a',
    "signal sqlstate '45000' set message_text = :a",
    'grant select on t to :a',
  ];
  /** MariaDB takes values in these too; we need not. */
  const unboundToMysql = [
    'create table c (a int default :a)',
    'alter table t alter b set default :a',
    "load data infile '/x' into table t set b = :a",
    'create procedure p2() select :a',
    'create trigger tg before insert on t for each row set new.b = :a',
  ];
  test.each([...bound, ...unbound, ...(flavour === 'MySQL' ? unboundToMysql : [])])(
    'takes values where the server does: %s',
    async (text) => {
      await tables(connection);
      let accepts = true;
      let sent = text.replaceAll(':a', '?');
      try {
        parse(text, dialect, 'step');
        sent = render(text, 'signed', dialect).text; // as a number of `params`
      } catch (error) {
        if (!(error instanceof SqlError)) throw error;
        accepts = false;
      }
      const answer = await connection.prepare(sent).then(
        (statement) => statement.close().then(() => 'taken'),
        (error: Error) => error.message,
      );
      expect(accepts, answer).toBe(answer === 'taken');
    },
  );

  /** Whether a row that was inserted before the statement outlives a roll back; undefined: the server does not know it. */
  async function outlives(text: string): Promise<boolean | undefined> {
    const own = await connect();
    try {
      await own.query(`use ${database}`);
      await tables(own);
      await own.query('begin');
      await own.query('insert into proof values (1)');
      const error = await own.query(text).then(
        () => undefined,
        (failure: ServerError) => failure,
      );
      if (error?.errno === SYNTAX) return undefined;
      await own.query('rollback');
      const [rows] = await own.query<never[]>(`select * from ${database}.proof`);
      if (rows.length > 0) untouched = false;
      return rows.length > 0;
    } finally {
      await own.end();
    }
  }

  /** They commit on MySQL only. */
  const keyCaches = flavour === 'MariaDB' ? ['cache index t in default', 'load index into cache t'] : [];
  const statements = [...HARMLESS, ...COMMITTING.flatMap(([, texts]) => texts)].filter(
    (text) => !keyCaches.includes(text),
  );
  test.each(statements)('knows whether it commits by itself: %s', async (text) => {
    expect(await outlives(text)).toBe(parseOne(text, dialect, 'step').commitsByItself);
  });

  test('quotes every word that the server reserves', async () => {
    const [rows] = await connection.query<never[]>({
      sql: 'select lower(word) from information_schema.keywords',
      rowsAsArray: true,
    });
    const words = (rows as string[][]).map(([word]) => word!).filter((word) => /^\w+$/.test(word));
    expect(words.length).toBeGreaterThan(500);
    for (const word of words) {
      const error = await ask(`select * from ${formatTableName({ schema: undefined, name: word }, dialect)}`);
      expect(error?.errno, word).not.toBe(SYNTAX); // most are no table
    }
  });

  test('writes names so that the server reads the same', async () => {
    const letters = fc.constantFrom(
      'a',
      'B',
      '1',
      'e',
      '"',
      '`',
      "'",
      '$',
      'é',
      ' ',
      '-',
      '#',
      '\\',
      '?',
      '@',
      '/*',
      '.',
    );
    const names = fc.array(letters, { minLength: 1, maxLength: 6 }).map((parts) => `${parts.join('').trimStart()}x`);
    await fc.assert(
      fc.asyncProperty(names, async (column) => {
        const written = formatTableName({ schema: undefined, name: column }, dialect);
        const [, fields] = await connection.query(
          `select ${written}.${written} from (select 1 as ${written}) ${written}`,
        );
        expect(fields.map((field) => field.name)).toEqual([column]);
      }),
      { numRuns: RUNS / 4 },
    );
  });

  test('writes instants that a strict server takes', async () => {
    await connection.query('create table if not exists instants (at datetime(6))');
    const instant = '2024-03-31T01:30:00.123456Z';
    await connection.execute('insert into instants values (?)', [dialect.instant(instant)]);
    const [rows] = await connection.query({ sql: 'select at from instants', rowsAsArray: true });
    expect(rows).toEqual([['2024-03-31 01:30:00.123456']]);
  });

  /** What the statements are about is as it was made: nothing that committed has been asked of the server since. */
  let untouched = false;

  async function tables(on: Connection): Promise<void> {
    await on.query('create temporary table if not exists temporary_t (a int)');
    if (untouched) return;
    const again = [
      'drop view if exists v, c',
      'drop table if exists t, u, w, c, proof, `lines`, dumpfile',
      'drop procedure if exists p',
      'drop procedure if exists p2',
      'drop function if exists f',
      'drop event if exists ev',
      'drop user if exists waybill_lexer_u, waybill_lexer_u2',
      'drop role if exists waybill_lexer_r',
      'drop database if exists waybill_lexer_d',
      'drop server if exists waybill_lexer_s',
      'create table proof (a int)',
      'create table t (a int primary key, b int)',
      'create table u (a int primary key, b int, index i_b (b))',
      'create table `lines` (line text)',
      'create table dumpfile (a varchar(9) primary key)',
      'create view v as select 1 as a',
      'create procedure p() select 1',
    ];
    for (const text of again) await on.query(text);
    untouched = true;
  }
});
