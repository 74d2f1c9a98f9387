import { describe, expect, test } from 'vitest';
import { bareInsertTargets, mentionsTable } from '../../src/sql/lint.ts';
import { parseOne } from './parse.ts';

/** `line:column`, with ` target` for insert targets. */
function mentions(text: string, table: string): string[] {
  const found = mentionsTable(parseOne(text), table);
  return found.map(({ line, column, asInsertTarget }) => `${line}:${column}${asInsertTarget ? ' target' : ''}`);
}

describe('mentions of a table with its schema', () => {
  const cases: [string, string, string[]][] = [
    ['a from', 'select * from acq.flight f', ['1:15']],
    ['a join over lines', 'select * from a join\n Acq . "flight" f on true', ['2:2']],
    ['an insert target', 'insert into acq.flight (a) select 1', ['1:13 target']],
    ['a target and a source', 'insert into acq.flight select * from acq.flight', ['1:13 target', '1:38']],
    ['an update', 'update acq.flight set a = 1', ['1:8']],
    ['a truncate', 'truncate acq.flight', ['1:10']],
    ['a comment between the parts', 'select * from acq /* x */ . flight', ['1:15']],
    ['a database before it', 'select * from warehouse.acq.flight', ['1:15']],
    ['a brace', 'select * from {{ acq.flight }} f', []],
    ['strings and comments', "select 'acq.flight', $$acq.flight$$ -- acq.flight\n /* acq.flight */", []],
    ['a column of the table', 'select acq.flight.date from {{ acq.flight }} flight', []],
    ['a column of an alias', 'select x.acq.flight, f.flight from {{ acq.flight }} f', []],
    ['other schemas', 'select * from core.flight, "ACQ".flight, acq."Flight"', []],
    ['names that start alike', 'select * from acq.flight_delay', []],
    ['the bare name', 'select * from flight', []],
  ];
  test.each(cases)('in %s', (_what, text, expected) => {
    expect(mentions(text, 'acq.flight')).toEqual(expected);
  });
});

describe('mentions of a table without a schema', () => {
  const cases: [string, string, string[]][] = [
    ['a from', 'select flight from flight', ['1:20']],
    ['a list', 'select a, flight from x, flight f, lateral flight g', ['1:26', '1:44']],
    ['a list with a join', 'select 1 from x join y on x.flight = y.a, flight', ['1:43']],
    ['a join in parentheses', 'select 1 from (x join (flight cross join y) on true)', ['1:24']],
    ['only', 'select 1 from only (flight)', ['1:21']],
    ['a subquery', 'select (select flight from flight where flight > 1), flight from x', ['1:28']],
    ['an insert target', 'insert into flight (flight) values (1)', ['1:13 target']],
    ['a delete', 'delete from flight using flight f', ['1:13', '1:26']],
    ['a merge', 'merge into flight using flight f on true when matched then delete', ['1:12', '1:25']],
    ['the default schema', 'select * from public.flight', ['1:15']],
    ['another schema', 'select * from core.flight', []],
    ['columns after the tables', 'select 1 from x where a > 1 group by flight, flight order by x, flight', []],
    ['an alias', 'select 1 from x flight', []],
    ['extract', 'select extract(year from flight), trim(both from flight) from x', []],
    ['distinct from', 'select 1 from x where a is distinct from flight', []],
    ['a with name', 'with flight as materialized (select 1) select * from flight', []],
    ['a with name with columns', 'with recursive flight (a) as (select 1) select * from flight', []],
    ['a column with a dot', 'select x.flight from x', []],
    ['if exists', 'drop table if exists x, flight', ['1:25']],
    ['if not exists', 'create table if not exists flight (a int)', ['1:28']],
    ['columns of a join', 'select 1 from x join y using (flight)', []],
    ['rules of a key', 'create table x (a int references y on delete flight on update flight)', []],
  ];
  test.each(cases)('in %s', (_what, text, expected) => {
    expect(mentions(text, 'flight')).toEqual(expected);
  });

  test('a bare name is a table of the default schema', () => {
    expect(mentions('select * from flight', 'public.flight')).toEqual(['1:15']);
  });
});

describe('names without schema into which rows come', () => {
  const cases: [string, string[]][] = [
    ['insert into flight select 1', ['flight']],
    ['with x as (insert into only flight select 1) insert into core.other select 1', ['flight']],
    [
      'merge into flight f using x on true when matched then delete when not matched then insert values (1)',
      ['flight'],
    ],
    ['merge into flight f using x on true when matched then update set a = 1', []],
    [
      'with m as (merge into flight using x on true when matched then delete), n as (insert into y select 1) select 1',
      ['y'],
    ],
    ["copy flight (a, b) from '/tmp/x'", ['flight']],
    ["copy core.flight from '/tmp/x'", []],
    ['update flight set a = 1', []],
  ];
  test.each(cases)('in %s', (text, expected) => {
    const names = bareInsertTargets(parseOne(text)).map(({ name }) => name);
    expect(names.filter((name) => !['into', 'only', 'values'].includes(name))).toEqual(expected);
  });
});
