import { expect, test } from 'vitest';
import { lastsUntilCommit, leavesBehind } from '../../src/sql/lint.ts';
import { parseOne } from './parse.ts';

const cases: [string, 'nothing' | 'until its commit' | 'for good'][] = [
  ['select 1 as temp', 'nothing'],
  ['create table core.kept (id int)', 'nothing'],
  ['create temp table x as select 1', 'for good'],
  ['create temp table x (id int) on commit delete rows', 'for good'],
  ['CREATE LOCAL TEMPORARY TABLE IF NOT EXISTS x (id int)', 'for good'],
  ['create temp view x as select 1', 'for good'],
  ['create or replace temporary view x as select 1', 'for good'],
  ['create or replace local temp recursive view x (a) as select 1', 'for good'],
  ['create or replace view core.x as select 1', 'nothing'],
  ['create temp sequence x', 'for good'],
  ['create temp table x on commit drop as select 1', 'until its commit'],
  ['create temporary table if not exists x (id int) ON COMMIT DROP', 'until its commit'],
  ['create table pg_temp.x as select 1', 'for good'],
  ['create table if not exists "pg_temp" . x (id int)', 'for good'],
  ['select 1 into temp x', 'for good'],
  ["select set_config('a.b', 'c', false)", 'for good'],
];

test.each(cases)('of %s there is %s', (text, expected) => {
  const statement = parseOne(text);
  expect(leavesBehind(statement)).toBe(expected === 'for good');
  expect(lastsUntilCommit(statement)).toBe(expected === 'until its commit');
});
