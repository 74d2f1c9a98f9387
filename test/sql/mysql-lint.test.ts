import { describe, expect, test } from 'vitest';
import { groupingConstructs, insertsOnce, mentionsTable } from '../../src/sql/lint.ts';
import { mysqlSql } from '../../src/sql/mysql.ts';
import { parseOne } from './parse.ts';

/** `line:column`, with ` target` for insert targets. */
function mentions(text: string, table: string): string[] {
  const found = mentionsTable(parseOne(text, mysqlSql, 'step'), table);
  return found.map(({ line, column, asInsertTarget }) => `${line}:${column}${asInsertTarget ? ' target' : ''}`);
}

describe("mentions of a table with its database in MySQL's SQL", () => {
  const cases: [string, string, string[]][] = [
    ['a from', 'select * from acq.flight f', ['1:15']],
    ['a join over lines', 'select * from a straight_join\n acq . `flight` f', ['2:2']],
    ['other capitals, which the server may not tell apart', 'select * from ACQ.Flight', ['1:15']],
    ['an insert target', 'insert into acq.flight (a) select 1', ['1:13 target']],
    ['an insert that ignores', 'insert ignore into acq.flight (a) select 1', ['1:20 target']],
    ['an insert without into', 'insert high_priority acq.flight select 1', ['1:22 target']],
    ['a replace', 'replace acq.flight select * from acq.flight', ['1:9 target', '1:34']],
    ['an update', 'update low_priority acq.flight set a = 1', ['1:21']],
    ['a delete of several', 'delete acq.flight, b from acq.flight join b', ['1:8', '1:27']],
    ['a comment that is run', 'select 1 /*! from acq.flight */', ['1:19']],
    ['an index hint', 'select * from acq.flight use index (i)', ['1:15']],
    ['a brace', 'select * from {{ acq.flight }} f', []],
    ['strings and comments', 'select \'acq.flight\', "acq.flight" # acq.flight\n /* acq.flight */', []],
    ['a user variable', 'select @acq.flight from b', []],
    ['a column of the table', 'select acq.flight.date from {{ acq.flight }} flight', []],
    ['other databases', 'select * from core.flight, `acq2`.flight', []],
  ];
  test.each(cases)('in %s', (_what, text, expected) => {
    expect(mentions(text, 'acq.flight')).toEqual(expected);
  });
});

describe("mentions of a bare name in MySQL's SQL", () => {
  const cases: [string, string, string[]][] = [
    ['a list', 'select a, flight from x, flight f', ['1:26']],
    ['an insert target', 'insert ignore flight (flight) values (1)', ['1:15 target']],
    ['a replace', 'replace into flight (flight) values (1)', ['1:14 target']],
    ['a truncate', 'truncate flight', ['1:10']],
    ['several updates', 'update x, flight set x.a = flight.a', ['1:11']],
    ['functions', "select replace(flight, 'a', 'b'), insert(flight, 1, 1, '') from x", []],
    [
      'what happens to duplicates',
      'insert into x (a) select a from y on duplicate key update flight = 1, flight = 2',
      [],
    ],
    ['locks', 'select 1 from x for update', []],
    ['a column with a dot', 'select x.flight from x', []],
    ['a with name', 'with flight as (select 1) select * from flight', []],
    ['a with name in other capitals', 'with FLIGHT as (select 1) select * from flight', ['1:41']],
  ];
  test.each(cases)('in %s', (_what, text, expected) => {
    expect(mentions(text, 'flight')).toEqual(expected);
  });
});

describe("constructs that look across rows in MySQL's SQL", () => {
  const cases: [string, string, string[]][] = [
    ['grouping', 'select a from t GROUP BY a with rollup having true', ['group by', 'having']],
    ['aggregates', 'select count(*), GROUP_CONCAT(a), std(b) from t', ['aggregate', 'aggregate', 'aggregate']],
    ['distinct', 'select distinct a from t union all select DistinctRow b from t', ['distinct', 'distinct']],
    ['window functions', 'select row_number() over w from t window w as (order by a)', ['window function']],
    ['a variable that is carried on', 'select @n := @n + 1 from t', ['variable assignment']],
    ['a variable that is read', 'select @n + 1, @@sql_mode from t', []],
    ['limits', 'select a from t limit 1, 2', ['limit']],
    ['a limit with an offset', 'select a from t limit :params.n offset :params.m', ['limit', 'limit']],
    ['an offset of MariaDB', 'select a from t order by a offset 1 row fetch next 2 rows only', ['limit', 'limit']],
    ['a column called offset', 'insert into t (part, offset) select part, offset from u where offset > 1', []],
    ['an order by a column called offset', 'select a, max offset from t order by offset desc limit 3', ['limit']],
    ['a comment that is run', 'select a from t /*! group by a */', ['group by']],
    ['set operations', 'select 1 union select 2 except select 3', ['union', 'except']],
    ['strings, names, columns', 'select "group by", `limit`, t.count from t # count(*)', []],
    ['functions of users', 'select stats.sum(a), median_of(b), string_agg(c) from t', []],
  ];
  test.each(cases)('%s', (_what, text, expected) => {
    expect(groupingConstructs(parseOne(text, mysqlSql)).map(({ what }) => what)).toEqual(expected);
  });

  test('are reached through a with name in other capitals', () => {
    const statement = parseOne('with D as (select a from {{ t }} t) select count(*) from d', mysqlSql);
    expect(groupingConstructs(statement, statement.braces[0])).toMatchObject([{ what: 'aggregate' }]);
  });
});

describe('inserts that may be repeated', () => {
  const once = [
    'replace into t select 1',
    'insert ignore into t select 1',
    'insert low_priority ignore into t select 1',
    'insert into t select 1 on duplicate key update a = 1',
  ];
  test.each(once)('%s', (text) => {
    expect(insertsOnce(parseOne(text, mysqlSql))).toBe(true);
  });

  const again = ["insert into t select 'on duplicate key' -- on duplicate key", 'insert into t (`ignore`) select 1'];
  test.each(again)('not: %s', (text) => {
    expect(insertsOnce(parseOne(text, mysqlSql))).toBe(false);
  });
});
