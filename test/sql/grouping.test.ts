import { describe, expect, test } from 'vitest';
import { groupingConstructs } from '../../src/sql/lint.ts';
import { parseOne } from './parse.ts';

describe('constructs that look across rows', () => {
  const cases: [string, string, string[]][] = [
    ['grouping', 'select a from t group by a having true', ['group by', 'having']],
    ['aggregates', 'select count(*), SUM(a), "max"(b) from t', ['aggregate', 'aggregate', 'aggregate']],
    [
      'ordered-set and filtered aggregates',
      'select mode() within group (order by a), count(*) filter (where b) from t',
      ['aggregate', 'aggregate'],
    ],
    ['distinct', 'select distinct a from t', ['distinct']],
    ['distinct on', 'select distinct on (a) a from t', ['distinct']],
    ['distinct inside an aggregate', 'select count(distinct a) from t', ['aggregate', 'distinct']],
    [
      'window functions',
      'select row_number() over (order by a), sum(b) over w from t window w as (order by a)',
      ['window function', 'window function'],
    ],
    ['a filtered window function', 'select count(*) filter (where a) over () from t', ['window function']],
    [
      'with names like aggregates',
      'with rank (a) as (select 1), max (b) as not materialized (select 2) select * from rank, max',
      [],
    ],
    ['a rank that nobody has', 'select rank(5) within group (order by a) from t', ['aggregate']],
    ['ranks of rows', 'select rank() over (order by a), t.rank from t', ['window function']],
    ['limits', 'select 1 from t limit 1 offset 2', ['limit', 'limit']],
    ['fetch', 'select 1 from t fetch first row only', ['limit']],
    [
      'set operations',
      'select 1 union select 2 intersect all select 3 except select 4',
      ['union', 'intersect', 'except'],
    ],
    ['is distinct from', 'select a is distinct from b, a is not distinct from b from t', []],
    ['union all and limit all', 'select 1 union all select 2 limit all', []],
    ['strings, comments, quoted names', `select 'group by', "limit", $$distinct$$ /* count(*) */ from t -- union`, []],
    ['columns and labels', 'select t.count, x.distinct, 1 as limit, 2 as union from t', []],
    ['columns named like aggregates', 'insert into count (min, max) select min, max from t', []],
    ['functions of users', 'select stats.sum(a), total(b) from t', []],
    ['pg_catalog', 'select pg_catalog.sum(a) from t', ['aggregate']],
  ];
  test.each(cases)('%s', (_what, text, expected) => {
    expect(groupingConstructs(parseOne(text)).map(({ what }) => what)).toEqual(expected);
  });

  test('have a place', () => {
    expect(groupingConstructs(parseOne('select 1\n  from t group by a'))).toEqual([
      { what: 'group by', line: 2, column: 10 },
    ]);
  });
});

describe('constructs that the rows of a brace can reach', () => {
  const cases: [string, string, string[]][] = [
    ['in the same query', 'select count(*) from {{ t }} t', ['aggregate']],
    ['around it', 'select count(*) from (select a from {{ t }} t) d', ['aggregate']],
    ['around a join in parentheses', 'select count(*) from (({{ t }} t join u on true) join v on true)', ['aggregate']],
    ['around an expression in parentheses', 'select ((1 + count(*)) * 2) from {{ t }} t', ['aggregate']],
    ['through a with name', 'with d as (select a from {{ t }} t) select count(*) from d', ['aggregate']],
    [
      'through two with names',
      'with d as (select a from {{ t }} t), e as (select a from d), f as (select count(*) from e) select * from f',
      ['aggregate'],
    ],
    [
      'through a with name in another arm',
      'with d as (select a from {{ t }} t) select 1 union all select count(*) from d',
      ['aggregate'],
    ],
    ['of a union around it', 'select a from {{ t }} t union select b from u', ['union']],
    [
      'of a union around a nested one',
      'select count(*) from ((select b from u) union all (select a from {{ t }} t)) d',
      ['aggregate'],
    ],
    ['a limit on the whole union', 'select b from {{ t }} t union all select a from u limit 5', ['limit']],
    ['not: in a subquery beside it', 'select (select max(b) from u where u.k = t.k) from {{ t }} t', []],
    ['not: in a joined subquery', 'select 1 from {{ t }} t join (select k, min(a) from u group by k) d on true', []],
    [
      'not: in another with query',
      'with d as (select k, min(a) from u group by k) select 1 from {{ t }} t join d on true',
      [],
    ],
    ['not: in another arm', 'select count(*) from u union all select a from {{ t }} t', []],
  ];
  test.each(cases)('%s', (_what, text, expected) => {
    const statement = parseOne(text);
    expect(groupingConstructs(statement, statement.braces[0]).map(({ what }) => what)).toEqual(expected);
  });
});
