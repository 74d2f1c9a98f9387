import { describe, expect, test } from 'vitest';
import { mariadbSql, mysqlSql } from '../../src/sql/mysql.ts';
import { tablesOfView, temporaryTable, writtenTables } from '../../src/sql/written-tables.ts';
import { parseOne } from './parse.ts';

/** Each with the column that it must have, where the statement says no table before it. */
function written(text: string, dialect = mysqlSql): string[] {
  return writtenTables(parseOne(text, dialect, 'step')).map(({ table, ifHas }) => table + (ifHas ? ` (${ifHas})` : ''));
}

describe('tables that a statement of MySQL writes to', () => {
  const cases: [string, string, string[]][] = [
    ['an insert', 'insert into core.a (x) select x from b join c using (x)', ['core.a']],
    ['an insert without into', 'insert low_priority ignore `A b` values (1)', ['`A b`']],
    ['an insert that updates', 'insert into a set x = 1 on duplicate key update y = 2', ['a']],
    ['a replace', 'replace delayed into a table b', ['a']],
    ['an update', 'update low_priority ignore a partition (p) as t set t.x = 1, y = (select max(y) from b)', ['a']],
    ['an update after a with', 'with n as (select 1 as x) update a join n using (x) set a.x = 2', ['a']],
    [
      'several tables by their aliases',
      'update core.a p, (b as q join c on q.x = c.x) set p.x = 1, c.y = 2',
      ['core.a', 'c'],
    ],
    [
      'several tables by their own names',
      'update core.a join core.b using (x) set core.b.x = a.x, a.y = 1',
      ['core.b', 'core.a'],
    ],
    [
      'a column of which the text says no table',
      'update a join b using (id) set total = b.y',
      ['a (total)', 'b (total)'],
    ],
    ['what is joined to a query', 'update a join (select x from b) n on n.x = a.x set y = 1', ['a (y)']],
    ['a delete', 'delete quick from core.a where x in (select x from b)', ['core.a']],
    ['a delete by an alias', 'delete from core.a as t where t.x = 1 order by x limit 1', ['core.a']],
    [
      'a delete of several',
      'delete ignore p, b.* from core.a p join b using (x) left join c using (x)',
      ['core.a', 'b'],
    ],
    ['a delete by using', 'delete from p, core.b using core.a as p, core.b where p.x = b.x', ['core.a', 'core.b']],
    [
      'data that the server loads',
      "load data low_priority infile 'x' ignore into table core.a fields terminated by ','",
      ['core.a'],
    ],
    ['a query', "select replace(x, 'a', 'b'), insert(x, 1, 1, '') from a for update", []],
    ['a query after a with', 'with a as (select 1) select * from a', []],
    ['a plan', 'explain update a set x = 1', []],
    ['a table that is made', 'create temporary table a as select * from b', []],
    ['a name that no server takes', `delete from ${'x'.repeat(65)}`, []],
  ];
  test.each(cases)('in %s', (_what, text, expected) => {
    expect(written(text)).toEqual(expected);
  });

  test('in a statement that MariaDB runs to measure it', () => {
    expect(written('analyze format = json delete from a returning x', mariadbSql)).toEqual(['a']);
  });
});

test('tables of which a view shows rows are those that it reads itself', () => {
  const view =
    'select `s`.`x`.`id` AS `id`,(select max(`s`.`m`.`y`) from `s`.`m`) AS `from` from (`s`.`a b` `x` join `s`.`c` on((`x`.`id` = `s`.`c`.`id`))) where (`x`.`id` in (select `s`.`d`.`id` from `s`.`d`))';
  expect(tablesOfView(parseOne(view, mysqlSql))).toEqual(['s.`a b`', 's.c']);
});

test('temporary tables are known by the name under which they are made', () => {
  const made = (text: string) => temporaryTable(parseOne(text, mariadbSql, 'step'));
  expect(made('create or replace temporary table if not exists core.Found (id int)')).toBe('core.found');
  expect(made('create table found (id int)')).toBeUndefined();
  expect(made('insert into found values (1)')).toBeUndefined();
});
