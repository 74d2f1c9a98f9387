import { describe } from 'vitest';
import { readStage } from '../../src/sql/cut/stage.ts';
import type { SqlDialect } from '../../src/sql/dialect.ts';
import { mysqlSql } from '../../src/sql/mysql.ts';
import { postgresSql } from '../../src/sql/postgres.ts';
import { MY, PG, testing } from './cut-cases.ts';
import { parse } from './parse.ts';

/** `{{ o }}` is the cut. What is read of tables that the stage writes to: `table` with `?` where it may be right, and where that is written. */
function sharedIn(text: string, dialect: SqlDialect, key?: string[]): string[] {
  const faults = readStage(parse(text, dialect), 'o', key).flatMap((read) => read.faults);
  return faults.flatMap(({ what, said, doubtful, counted, line, writer }) =>
    what === 'shared' ? `${line} ${counted ?? ''} ${said}${doubtful ? '?' : ''} ${writer?.split(':')[1]}` : [],
  );
}

const testAll = testing(sharedIn);

/** Of a stage that changes what it inserts: `table` with `?` where it may be right, and where it is inserted. */
function changedIn(text: string, dialect: SqlDialect, key?: string[]): string[] {
  const faults = readStage(parse(text, dialect), 'o', key).flatMap((read) => read.faults);
  return faults.flatMap(({ what, said, doubtful, line, writer }) =>
    what === 'changed' ? `${line} ${said}${doubtful ? '?' : ''} ${writer?.split(':')[1]}` : [],
  );
}

const testChanges = testing(changedIn);

const INSERT = 'insert into t (id, v) select o.k, o.v from {{ o }} o';

describe('a stage that changes rows of a table into which it inserts', () => {
  testChanges([
    [`delete from t;\n${INSERT}`, ['1 t 2']],
    [`delete from t where v > 2;\n${INSERT}`, ['1 t? 2']],
    [`delete from t where id in (select k from {{ o }} o);\n${INSERT}`, ['1 t? 2']],
    [`${INSERT};\ndelete from t where id in (select k from {{ o }} o where o.v = 3)`, ['2 t? 1']],
    [`update t set v = 1;\n${INSERT}`, ['1 t 2']],
    [`update t set v = 1 where id in (select k from {{ o }} o);\n${INSERT}`, ['1 t? 2']],
    [`delete t from t join {{ o }} o on t.id = o.k;\n${INSERT}`, ['1 t? 2'], MY],
    [`delete t from t join dead d on d.id = t.id;\n${INSERT}`, ['1 t? 2'], MY],
    [`update t join dim d on d.id = t.id set t.v = d.v;\n${INSERT}`, ['1 t? 2'], MY],
    [`delete from t order by id limit 3;\n${INSERT}`, ['1 t? 2'], MY],
    [`delete from t using {{ o }} o where t.id = o.k;\n${INSERT}`, ['1 t? 2'], PG],
    [`with d as (delete from t where v > 2 returning id) ${INSERT}`, ['1 t? 1'], PG],
    [`merge into t using {{ o }} o on t.id = o.k when matched then delete;\n${INSERT}`, ['1 t? 2'], PG],
    [`truncate t;\n${INSERT}`, ['1 t 2'], PG],
    [`truncate table only u, only public.t * restart identity;\n${INSERT}`, ['1 public.t 2'], PG],
    [`truncate t, u;\n${INSERT};\ninsert into u select o.k from {{ o }} o`, ['1 t 2', '1 u 3'], PG],
    [
      'delete from core.t where v = 2;\ninsert into core.t (id) select o.k from {{ o }} o;\ninsert into u select o.k from {{ o }} o',
      ['1 core.t? 2'],
    ],
    // All of them are there by then, or it is done to them once more.
    [`${INSERT};\nupdate t set v = 1`, []],
    [`${INSERT};\ndelete from t where v is null`, []],
    [`delete from u;\n${INSERT}`, []],
    [`truncate u;\n${INSERT}`, [], PG],
    [`${INSERT};\ntruncate t`, [], PG],
    [`create temporary table t (id int, v int);\ntruncate t;\n${INSERT}`, [], PG],
    [`update t set v = 1 where id in (select k from {{ o }} o);\ninsert into u select o.k from {{ o }} o`, []],
    [
      'merge into t using {{ o }} o on t.id = o.k when matched then update set v = o.v when not matched then insert (id) values (o.k)',
      [],
      PG,
    ],
    [`create temporary table t (id int, v int);\n${INSERT};\ndelete from t where id in (select v from {{ o }} o)`, []],
  ]);
  testChanges(
    [
      [`delete from t where id in (select k from {{ o }} o);\n${INSERT}`, []],
      [`update t set v = 1 where id in (select k from {{ o }} o);\n${INSERT}`, []],
      [`delete t from t join {{ o }} o on t.id = o.k;\n${INSERT}`, [], MY],
      [`${INSERT};\ndelete from t where id in (select k from {{ o }} o where o.v = 3)`, []],
      [`delete from t where v in (select v from {{ o }} o);\n${INSERT}`, ['1 t? 2']],
      [`update t set id = 1 where id in (select k from {{ o }} o);\n${INSERT}`, ['1 t? 2']],
      [
        `delete from t where id in (select k from {{ o }} o);\ninsert into t (id) select o.v from {{ o }} o`,
        ['1 t? 2'],
      ],
    ],
    ['k'],
  );
});

describe('a stage that reads what it writes', () => {
  testAll([
    ['insert into t select a from {{ o }} o where not exists (select 1 from t x where x.id = o.id)', ['1  t? 1']],
    ['insert into t select a from {{ o }} o where exists (select 1 from {{ t }} x where x.id = o.id)', ['1  t? 1']],
    ['insert into t select a from {{ o }} o where o.id not in (select t.id from t)', ['1  t? 1']],
    ['insert into t select a from {{ o }} o left join t on t.id = o.id where t.id is null', ['1  t? 1']],
    ['insert into t select a from {{ o }} o where o.n > (select max(n) from t where id = o.id)', ['1  t? 1']],
    ['insert into t select a from {{ o }} o join (select id, count(*) from t group by id) s using (id)', ['1  t? 1']],
    ['insert into t with w as (select id from t) select a from {{ o }} o join w using (id)', ['1  t? 1']],
    ['insert into t select a from {{ o }} o where o.id in (table t)', ['1  t? 1'], PG],
    ['insert into t select a + (select count(*) from t) from {{ o }} o', ['1 count t 1']],
    ['insert into t select a + (select count(*) from {{ t }} x) from {{ o }} o', ['1 count t 1']],
    ['insert into t select a + x.n from {{ o }} o cross join (select max(id) n from t) x', ['1 max t 1']],
    ['insert into t select a from {{ o }} o where exists (select count(*) from t)', ['1  t? 1']],
    // Once with all rows, once with those of the chunks so far.
    ['insert into t select a from {{ o }} o;\ninsert into u select 1 from {{ o }} o join t on t.id = o.v', ['2  t? 1']],
    ['insert into u select 1 from {{ o }} o join t on t.id = o.v;\ninsert into t select a from {{ o }} o', ['1  t? 2']],
    ['delete from t where id in (select a from {{ o }} o) and v < (select avg(v) from t y)', ['1 avg t 1'], PG],
    ['update t set v = 1 from {{ o }} o, t y where t.id = o.id and y.id = o.v', ['1  t? 1'], PG],
    [
      'update {{ o }} o join t on t.id = o.id join u on u.id = o.v set t.v = u.v;\ndelete u from u join {{ o }} o using (id)',
      ['1  u? 2'],
      MY,
    ],
    ['merge into t using {{ o }} o on t.id = o.id when not matched then insert (id) values (o.id)', ['1  t? 1'], PG],
    [
      'with g as (delete from t where id in (select a from {{ o }} o) returning *) insert into h select id from g where exists (select 1 from t)',
      ['1  t? 1'],
      PG,
    ],
    [
      'insert into t select a from {{ o }} o on conflict (id) do update set n = (select count(*) from t x)',
      ['1 count t 1'],
      PG,
    ],
    ['update t set n = (select count(*) from t x) from {{ o }} o where t.id = o.id', ['1 count t 1'], PG],
    [
      'update u join {{ o }} o using (id) set u.n = (select v from t where t.id = o.id);\ninsert into t select 1 from {{ o }} o',
      ['1  t? 2'],
      MY,
    ],
    // One table, whatever it is called.
    ['insert into public.t select a from {{ o }} o where exists (select 1 from T)', ['1  T? 1'], PG],
    ['insert into "t" select a from {{ o }} o where exists (select 1 from only t)', ['1  t? 1'], PG],
    ['insert into core.t select a from {{ o }} o where exists (select 1 from "core"."t" x)', ['1  "core"."t"? 1'], PG],
    ['insert into core.t select a from {{ o }} o where exists (select 1 from {{ core.t }} x)', ['1  core.t? 1']],
    ['insert ignore into `Core`.t select a from {{ o }} o where exists (select 1 from core.T x)', ['1  core.T? 1'], MY],
    ['replace t select a from {{ o }} o where exists (select 1 from t x)', ['1  t? 1'], MY],
    ['insert into "T" select a from {{ o }} o where exists (select 1 from t)', [], PG],
  ]);
});

describe('a stage that does not read what it writes', () => {
  testAll([
    ['insert into t select a from {{ o }} o where not exists (select 1 from c where c.id = o.id)'],
    ['insert into t select a + (select count(*) from c) from {{ o }} o'],
    ['insert into t select t.a from {{ o }} t'],
    ['insert into t with t as (select a from {{ o }} o) select a from t', [], [postgresSql, mysqlSql]],
    ['insert into t select a from {{ o }} o on conflict (id) do update set n = t.n + excluded.n', [], PG],
    ['insert ignore into t select a from {{ o }} o', [], MY],
    ['replace into t select a from {{ o }} o', [], MY],
    ['insert into t (id, n) select a, 1 from {{ o }} o on duplicate key update n = t.n + values(n)', [], MY],
    ['update t set v = 1 where id in (select a from {{ o }} o) and t.v > 2'],
    ['update t x set v = o.v from {{ o }} o where x.id = o.id', [], PG],
    ['update t join {{ o }} o on t.id = o.id set t.v = 1', [], MY],
    ['update t join {{ o }} o on t.id = o.id set v = 1', [], MY],
    ['delete from t where id in (select a from {{ o }} o)'],
    ['delete from t x using {{ o }} o where x.id = o.id', [], PG],
    ['delete t from t join {{ o }} o on t.id = o.id', [], MY],
    ['delete from t using t join {{ o }} o on t.id = o.id', [], MY],
    ['merge into t using {{ o }} o on t.id = o.id when matched then update set v = o.v', [], PG],
    // What each chunk makes for itself.
    [
      'create temporary table t as select a from {{ o }} o;\ninsert into t select b from {{ o }} o;\ninsert into u select a from t where exists (select 1 from t x)',
    ],
    ['insert into t select a from {{ o }} o;\ninsert into o select a from {{ o }} o'],
  ]);
});

describe('rows of one key are in one chunk', () => {
  testAll(
    [
      ['insert into t (id) select o.k from {{ o }} o where not exists (select 1 from t where t.id = o.k)'],
      ['insert into t (id) select o.k from {{ o }} o where not exists (select 1 from {{ t }} x where x.id = o.k)'],
      ['insert into t (n, id) select (select max(t.n) from t where t.id = o.k), o.k from {{ o }} o'],
      ['insert into t (id) select o.k from {{ o }} o left join t on t.id = o.k where t.id is null'],
      ['insert into t select o.k as id from {{ o }} o where not exists (select 1 from t where t.id = o.k)'],
      ['insert into t (id) select o.k from {{ o }} o;\ninsert into u select 1 from {{ o }} o join t on t.id = o.k'],
      [
        'update t set v = 1 where t.id in (select k from {{ o }} o);\ninsert into u select 1 from {{ o }} o join t on t.id = o.k',
      ],
      [
        'insert into t (id) select c.id from c where exists (select 1 from {{ o }} o where o.k = c.id) and not exists (select 1 from t where t.id = c.id)',
      ],
      [
        'insert into t (id, v) select o.k, 1 from {{ o }} o where exists (select 1 from t where t.id = o.k) on conflict (id) do update set v = 2',
        [],
        PG,
      ],
      ['merge into t using {{ o }} o on t.id = o.k when not matched then insert (id, v) values (o.k, o.v)', [], PG],
      // It is not the key that is compared, or not in the query that reads it.
      ['insert into t (id) select o.k from {{ o }} o where not exists (select 1 from t where t.id = o.v)', ['1  t? 1']],
      [
        'insert into t (id) select o.k from {{ o }} o where not exists (select 1 from t where t.id = o.k or t.v = 1)',
        ['1  t? 1'],
      ],
      ['insert into t (id) select o.k from {{ o }} o where not exists (select 1 from t where id = k)', ['1  t? 1']],
      ['insert into t (id) select o.k from {{ o }} o where o.k not in (select t.id from t)', ['1  t? 1']],
      [
        'insert into t (id) select o.k from {{ o }} o where not exists (select 1 from t t (id) where t.id = o.k)',
        ['1  t? 1'],
        PG,
      ],
      // It is not the key that is written there.
      ['insert into t (id) select o.v from {{ o }} o where not exists (select 1 from t where t.id = o.k)', ['1  t? 1']],
      [
        'insert into t select o.v as id from {{ o }} o where not exists (select 1 from t where t.id = o.k)',
        ['1  t? 1'],
      ],
      [
        'update t set id = 1 where t.id in (select k from {{ o }} o);\ninsert into u select 1 from {{ o }} o join t on t.id = o.k',
        ['2  t? 1'],
      ],
      [
        'delete from t where t.v in (select v from {{ o }} o);\ninsert into u select 1 from {{ o }} o join t on t.id = o.k',
        ['2  t? 1'],
      ],
      [
        'insert into t (id, v) select o.k, 1 from {{ o }} o where exists (select 1 from t where t.id = o.k) on conflict (v) do update set n = 2',
        ['1  t? 1'],
        PG,
      ],
      ['merge into t using {{ o }} o on t.id = o.k when not matched then insert (id) values (o.v)', ['1  t? 1'], PG],
      ['merge into t using {{ o }} o on t.id = o.k when not matched then insert values (o.k)', ['1  t? 1'], PG],
      ['insert into t (id) select o.k + (select count(*) from t) from {{ o }} o', ['1 count t 1']],
    ],
    ['k'],
  );
  testAll(
    [
      [
        'insert into t (a, b) select a, b from {{ o }} o where not exists (select 1 from t where (t.a, t.b) = (o.a, o.b))',
      ],
      [
        'insert into t (a, b) select a, b from {{ o }} o where not exists (select 1 from t where t.a = o.a)',
        ['1  t? 1'],
      ],
    ],
    ['a', 'b'],
  );
});
