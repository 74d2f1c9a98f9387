import { describe } from 'vitest';
import { readStage } from '../../src/sql/cut/stage.ts';
import type { SqlDialect } from '../../src/sql/dialect.ts';
import { mysqlSql } from '../../src/sql/mysql.ts';
import { postgresSql } from '../../src/sql/postgres.ts';
import { MY, PG, testing } from './cut-cases.ts';
import { parse } from './parse.ts';

/** `{{ o }}` is the cut. As `what said` each, with `?` where it may be right. */
function faultsOf(text: string, dialect: SqlDialect, key?: string[]): string[] {
  const faults = readStage(parse(text, dialect), 'o', key).flatMap((read) => read.faults);
  return faults.map(({ what, said, doubtful }) => `${what} ${said}${doubtful ? '?' : ''}`.trim());
}

const testAll = testing(faultsOf);

describe('does the same once per chunk', () => {
  testAll([
    ['insert into t select a, b from {{ o }} o'],
    ['insert into t (a, b) select o.a, c.b from {{ o }} o join c on c.id = o.c'],
    ['insert into t select 1 from c join {{ o }} o on c.id = o.c where o.x is null'],
    ['insert into t select 1 from c, {{ o }} o where c.id = o.c'],
    ['insert into t select 1 from {{ o }} o left join c on c.id = o.c left outer join d using (id) where c.id is null'],
    ['insert into t select 1 from {{ o }} o natural left join c'],
    ['insert into t select 1 from c right join {{ o }} o on c.id = o.c'],
    ['insert into t select 1 from (c join d on c.id = d.id) join ({{ o }} o left join e on e.id = o.id) on true'],
    ['insert into t select 1 from {{ o }} o left join (c join d on c.id = d.id) on c.id = o.c'],
    [
      'insert into t select 1 from {{ o }} o left join lateral (select 1 from c where c.id = o.c limit 1) l on true',
      [],
      PG,
    ],
    ['insert into t select 1 from c cross join lateral (select * from {{ o }} o where o.c = c.id) l', [], PG],
    ['insert into t select 1 from {{ o }} o straight_join c on c.id = o.c', [], MY],
    ['insert into t select left(o.a, 3), right(o.b, 2) from {{ o }} o join c on left(c.x, 1) = left(o.x, 1)'],
    ['insert into t select (select max(c.x) from c where c.id = o.c) from {{ o }} o'],
    ['insert into t select 1 from {{ o }} o where not exists (select 1 from u x where x.id = o.id)'],
    ['insert into t select 1 from {{ o }} o where o.id not in (select id from c) and o.v > all (select v from d)'],
    ['insert into t select 1 from {{ o }} o left join {{ o | all }} p on p.id = o.parent where p.id is null'],
    ['insert into t with d as (select a from {{ o }} o) select a from d', [], [postgresSql, mysqlSql]],
    ['with d as (select a from {{ o }} o) insert into t select d.a from d left join c on c.a = d.a', [], PG],
    [
      'with d as (select a from {{ o }} o), e as (select a from d) insert into t select a from c join e using (a)',
      [],
      PG,
    ],
    ['with d as (select a, b from {{ o }} o) insert into t select a from d union all select b from d', [], PG],
    [
      'with recursive d as (select a, 1 n from {{ o }} o union all select d.a, n + 1 from d join c on c.a = d.a) insert into t select a from d',
      [],
      PG,
    ],
    [
      'with g as (delete from t where id in (select id from {{ o }} o) returning *) insert into h select * from g',
      [],
      PG,
    ],
    ['with i as (insert into t select a from {{ o }} o returning id) insert into u select id, 1 from i', [], PG],
    ['insert into t select 1 from (select a from {{ o }} o) d (b) where d.b is distinct from 1', [], PG],
    [
      'insert into t select c.id from c where exists (select 1 from {{ o }} o where o.c = c.id) on conflict do nothing',
      [],
      PG,
    ],
    ['insert ignore into t select c.id from c where c.id in (select c from {{ o }} o)', [], MY],
    ['replace into t select c.id from c where c.id in (select c from {{ o }} o)', [], MY],
    [
      'insert into t (id, n) select c.id, 1 as one from c where id in (select c from {{ o }} o) on duplicate key update n = 1',
      [],
      MY,
    ],
    [
      'insert into t (id, n) select c.id, c.n from c where c.id in (select c from {{ o }} o) on conflict (id) do update set n = coalesce(excluded.n, t.n)',
      [],
      PG,
    ],
    ['insert into t select a from {{ o }} o union all select 0 on conflict do nothing', [], PG],
    ['update t set x = 1 where id in (select id from {{ o }} o)'],
    ['update t set x = 1 where not (id not in (select id from {{ o }} o))'],
    [
      'update t set x = 1 where exists (select 1 from {{ o }} o where o.id = t.id) or (x = 2 and id = any (select c from c))',
    ],
    [
      'update t set x = o.x, y = (select max(y) from c) from {{ o }} o left join c on c.id = o.c where o.id = t.id',
      [],
      PG,
    ],
    ['update t join {{ o }} o on o.id = t.id set t.x = o.x where t.x <> o.x', [], MY],
    ['update {{ o }} o left join t on o.id = t.id set t.x = o.x', [], MY],
    ['update t, {{ o }} o set t.x = o.x where o.id = t.id', [], MY],
    [
      'with d as (select id, x from {{ o }} o) update t set x = (select x from d where d.id = t.id) where id in (select id from d)',
      [],
      [postgresSql, mysqlSql],
    ],
    ['delete from t where id in (select id from {{ o }} o)'],
    ['delete from t where exists (select 1 from {{ o }} o where o.id = t.id)'],
    ['delete from t using {{ o }} o where o.id = t.id and not exists (select 1 from c where c.id = o.id)', [], PG],
    ['delete t from t join {{ o }} o using (id) where o.gone', [], MY],
    ['delete from t using t join {{ o }} o on o.id = t.id', [], MY],
    [
      'merge into t using {{ o }} o on t.id = o.id when matched then update set x = o.x when not matched then insert values (o.id)',
      ['shared t?'],
      PG,
    ],
    [
      'merge into t using (select id from {{ o }} o left join c on c.id = o.c) s on t.id = s.id when matched then delete',
      [],
      PG,
    ],
    ['select f(o.id) from {{ o }} o'],
    ['create temporary table x as select a from {{ o }} o'],
  ]);
});

describe('does something else once per chunk', () => {
  testAll([
    ['insert into t select 1 from c left join {{ o }} o on o.c = c.id', ['padded left join']],
    ['insert into t select 1 from c left outer join {{ o }} o on o.c = c.id where o.id is null', ['padded left join']],
    ['insert into t select 1 from c left join {{ o }} o on o.c = c.id where o.v > 3', ['padded left join?']],
    ['insert into t select 1 from c left join {{ o }} o on o.c = c.id join d on d.id = o.d', ['padded left join?']],
    ['insert into t select 1 from c left join {{ o }} o on o.c = c.id where c.v > 3', ['padded left join']],
    ['insert into t select 1 from {{ o }} o right join c on o.c = c.id', ['padded right join']],
    ['insert into t select 1 from {{ o }} o full join c on o.c = c.id', ['padded full join'], PG],
    ['insert into t select 1 from c natural left join {{ o }} o', ['padded left join']],
    ['insert into t select 1 from (c left join {{ o }} o on o.c = c.id)', ['padded left join']],
    ['insert into t select 1 from c left join (d join {{ o }} o on d.id = o.d) on o.c = c.id', ['padded left join']],
    ['insert into t select 1 from c left join d join {{ o }} o on d.id = o.d on o.c = c.id', ['padded left join']],
    ['insert into t select 1 from c straight_join d left join {{ o }} o on o.c = c.id', ['padded left join'], MY],
    ['insert into t select 1 from c left join (select c, v from {{ o }} x) o on o.c = c.id', ['padded left join']],
    [
      'insert into t select 1 from c left outer join lateral (select 1 from {{ o }} o where o.c = c.id) l on true',
      ['padded left join'],
      PG,
    ],
    [
      'with d as (select c from {{ o }} o) insert into t select 1 from c left join d on d.c = c.id',
      ['padded left join'],
      PG,
    ],
    [
      'insert into t with d as (select c from {{ o }} o) select 1 from c left join d on d.c = c.id',
      ['padded left join'],
    ],
    ['insert into t select 1 from (select c.id from c left join {{ o }} o on o.c = c.id) d', ['padded left join']],
    ['insert into t select 1 from c left join d on d.id in (select d from {{ o }} o)', ['value in']],
    ['insert into t select 1 from c where exists (select 1 from {{ o }} o where o.c = c.id)', ['repeated exists']],
    ['insert into t select 1 from c where c.v = 1 and c.id in (select c from {{ o }} o)', ['repeated in']],
    ['insert into t select 1 from c where c.id = any (select c from {{ o }} o)', ['repeated any']],
    ['insert into t select 1 from c join d on d.c = c.id and c.id in (select c from {{ o }} o)', ['repeated in']],
    [
      'with d as (select 1 from c where exists (select 1 from {{ o }} o)) insert into t select * from d',
      ['repeated exists'],
      PG,
    ],
    [
      'insert into t select 1 from c where not exists (select 1 from {{ o }} o where o.c = c.id)',
      ['absent not exists'],
    ],
    ['insert into t select 1 from c where not (c.v = 1 and exists (select 1 from {{ o }} o))', ['absent exists']],
    ['insert into t select 1 from c where c.id not in (select c from {{ o }} o)', ['absent not in']],
    ['delete from t where id in (select id from {{ o }} o) and x = 1 xor x = 2', ['value in'], MY],
    ['delete from t where x = 2 and (exists (select 1 from {{ o }} o) xor x = 1)', ['value exists'], MY],
    ['update t set x = 1 where (id in (select id from {{ o }} o)) <> true', ['value in']],
    ['update t set x = 1 where exists (select 1 from {{ o }} o) < (x = 1)', ['value exists']],
    ['insert into t select 1 from c where not c.id in (select c from {{ o }} o)', ['absent not in']],
    ['insert into t select 1 from c where (c.id, c.a) not in (select c, a from {{ o }} o)', ['absent not in']],
    ['insert into t select 1 from c where c.v > all (select v from {{ o }} o)', ['absent all']],
    [
      'insert into t select 1 from c where case when exists (select 1 from {{ o }} o) then a else b end',
      ['value exists'],
    ],
    [
      'insert into t select case when exists (select 1 from {{ o }} o where o.c = c.id) then 1 end from c',
      ['value exists'],
    ],
    ['insert into t select c.id, (select o.v from {{ o }} o where o.c = c.id) from c', ['value']],
    ['insert into t select (select o.v from {{ o }} o where o.c = c.id) from {{ o | all }} c', ['value']],
    ['insert into t select c.id, array(select o.v from {{ o }} o where o.c = c.id) from c', ['value'], PG],
    ['insert into t values (1, (select v from {{ o }} o))', ['value']],
    ['insert into t select 1 from c where v = (select v from {{ o }} o)', ['value']],
    ['insert into t select a from {{ o }} o union all select 0', ['branch union all']],
    ['insert into t select 0 union all select a from {{ o }} o union all select a from c', ['branch union all']],
    ['insert into t select a from (select a from c union all select a from {{ o }} o) d', ['branch union all']],
    ['with d as (select a from {{ o }} o) insert into t select a from c', ['unreached insert'], PG],
    [
      'with d as (update x set a = o.a from {{ o }} o where o.id = x.id) insert into t select 1',
      ['unreached insert'],
      PG,
    ],
    ['delete from t where not exists (select 1 from {{ o }} o where o.id = t.id)', ['absent not exists']],
    ['delete from t where id not in (select id from {{ o }} o)', ['absent not in']],
    ['delete t from t left join {{ o }} o on o.id = t.id where o.id is null', ['padded left join'], MY],
    ['delete from a using t a left join {{ o }} o on o.id = a.id where o.id is null', ['padded left join'], MY],
    ['update t set x = (select o.x from {{ o }} o where o.id = t.id)', ['value']],
    [
      'update t set x = (select o.x from {{ o }} o where o.id = t.id) where id in (select id from {{ o | all }} p)',
      ['value'],
    ],
    ['update t set gone = true where id not in (select id from {{ o }} o)', ['absent not in']],
    ['update t left join {{ o }} o on o.id = t.id set t.x = o.x', ['padded left join'], MY],
    ['update t left join {{ o }} o on o.id = t.id set t.gone = 1 where o.id is null', ['padded left join'], MY],
    ['update t set x = o.x from c left join {{ o }} o on o.c = c.id where c.id = t.id', ['padded left join'], PG],
    [
      'merge into t using {{ o }} o on t.id = o.id when matched then update set x = o.x when not matched by source then delete',
      ['unmatched when not matched by source'],
      PG,
    ],
    [
      'merge into t using (select 1 id from c left join {{ o }} o on o.c = c.id) s on t.id = s.id when matched then delete',
      ['padded left join'],
      PG,
    ],
    ['create temporary table x as select 1 from c left join {{ o }} o on o.c = c.id', ['padded left join']],
    ['with d as (select * from {{ o }} o) insert into t select 1 from d join d e on e.id = d.p', ['twice join?'], PG],
    [
      'with d as (select * from {{ o }} o) insert into t select 1 from d where not exists (select 1 from d e where e.n > d.n)',
      ['twice exists?'],
      PG,
    ],
  ]);
});

describe('a number of rows that each chunk takes anew', () => {
  testAll([
    ['delete from q order by id limit 100; insert into t select id from {{ o }} o', ['limited delete'], MY],
    ['update q set a = 1 where a is null order by id limit 100', ['limited update?'], MY],
    ['update q set a = 1 order by a limit 100', ['limited update?'], MY],
    // What is gone, or is what it has become, is no other row's turn.
    ['delete from q where id = 7 limit 1; insert into t select id from {{ o }} o', ['limited delete?'], MY],
    ["update q set a = 'x' where id = 7 and a <> 'x' limit 1", ['limited update?'], MY],
    ['insert into q select id from {{ o }} o; delete from q order by id limit 9', ['limited delete?'], MY],
    ['update q set a = 1 where b > 2 order by id limit 100', [], MY],
    ['delete from q where id in (select id from {{ o }} o) limit 5', [], MY],
    ['create temporary table q as select 1 as id; delete from q limit 1', [], MY],
    ['delete from q where id < 9'],
  ]);
  testAll(
    [
      ['delete from q limit 1', ['limited delete'], MY],
      ['update q set a = 1 where a is null order by id limit 100', ['limited update?'], MY],
      ['delete from q where id in (select k from {{ o }} o) limit 5', ['whole limit'], MY],
    ],
    ['k'],
  );
});

describe('what stands before the rows of an insert', () => {
  testAll([
    [
      'insert into t (id) overriding system value select o.id from c left join {{ o }} o on o.id = c.id',
      ['padded left join'],
      PG,
    ],
    ['insert into t overriding system value with d as (select id from {{ o }} o) select id from d', [], PG],
    [
      'insert into t (id) overriding user value select c.id from c where exists (select 1 from {{ o }} o where o.id = c.id) on conflict do nothing',
      [],
      PG,
    ],
    ['insert into t overriding user value values ((select max(id) from {{ o }} o))', ['value'], PG],
    ['insert into w.value (id) select c.id from c left join {{ o }} o on o.id = c.id', ['padded left join']],
    ['insert into value select c.id from c left join {{ o }} o on o.id = c.id', ['padded left join']],
    ['insert into t as value (id) select c.id from c left join {{ o }} o on o.id = c.id', ['padded left join'], PG],
    ['insert into t (value) select c.id from c left join {{ o }} o on o.id = c.id', ['padded left join']],
    ['insert into t value ((select max(id) from {{ o }} o))', ['value'], MY],
    [
      'insert into t partition (p) (id, n) select id, 1 from c where id in (select c from {{ o }} o) on duplicate key update n = 2',
      ['overwritten n?'],
      MY,
    ],
  ]);
  testAll(
    [
      ['insert into t overriding system value select v, count(*) from {{ o }} o group by v', ['grouping group by'], PG],
      ['insert into t overriding system value select k, v from {{ o }} o limit 10', ['whole limit'], PG],
      ['insert into t (a) overriding user value select distinct v from {{ o }} o', ['grouping distinct'], PG],
    ],
    ['k'],
  );
});

describe('what the first chunk takes from all others', () => {
  testAll([
    [
      'with m as (delete from q returning *) insert into t select o.id, m.x from {{ o }} o join m on m.id = o.id',
      ['taken delete'],
      PG,
    ],
    [
      'with m as (update q set done = true where not done returning *) insert into t select o.id, m.x from {{ o }} o join m on m.id = o.id',
      ['taken update?'],
      PG,
    ],
    [
      'with m as (update q set done = true where id in (select id from q where not done limit 9) returning *) insert into t select 1 from {{ o }} o, m',
      ['taken update?', 'shared q?'],
      PG,
    ],
    [
      'with m as (insert into q (k) select k from c on conflict do nothing returning *) insert into t select o.id from {{ o }} o join m on m.k = o.k',
      ['taken insert?'],
      PG,
    ],
    // What is there already may be read beside it.
    [
      "with i as (insert into c (n) values ('a') on conflict (n) do nothing returning id), s as (select id from i union all select id from c where n = 'a') insert into t select o.id, s.id from {{ o }} o cross join s",
      ['taken insert?', 'shared c?'],
      PG,
    ],
    [
      "with i as (insert into c (n) values ('a') on conflict do nothing returning id) insert into t select o.id, coalesce((select id from i), (select id from c where n = 'a')) from {{ o }} o",
      ['taken insert?', 'shared c?'],
      PG,
    ],
    [
      'with m as (delete from q returning id) insert into t select o.id from {{ o }} o left join m on m.id = o.id',
      ['taken delete'],
      PG,
    ],
    [
      'with m as (delete from q returning id) insert into t select o.id from {{ o }} o where o.id not in (select id from m)',
      ['taken delete'],
      PG,
    ],
    [
      'with m as (delete from q returning id), n as (select max(id) as id from m union select 0) insert into t select o.id, (select n.id from n) from {{ o }} o',
      ['taken delete'],
      PG,
    ],
    [
      'with m (a) as (delete from q returning id) insert into t select id from {{ o }} o except select a from m x (b)',
      ['taken delete'],
      PG,
    ],
    [
      'with m as (delete from q returning *) update t set x = m.x from {{ o }} o, m where o.id = t.id and m.id = o.id',
      ['taken delete'],
      PG,
    ],
    [
      'with m as (delete from q returning *) merge into t using (select o.id from {{ o }} o join m using (id)) s on t.id = s.id when matched then delete',
      ['taken delete'],
      PG,
    ],
    [
      'with m as (delete from q returning *), n as (insert into h select * from m on conflict do nothing) insert into t select a from {{ o }} o',
      [],
      PG,
    ],
    [
      'with m as (delete from q using {{ o }} o where o.id = q.id returning q.id, o.v) insert into t select id from m',
      [],
      PG,
    ],
    // The same rows each time.
    [
      'with m as (update q set seen = true where id > 3 returning *) insert into t select o.id from {{ o }} o join m using (id)',
      [],
      PG,
    ],
    [
      'with m as (insert into q (k) select k from c on conflict (k) do update set n = excluded.n returning *) insert into t select 1 from {{ o }} o join m using (k)',
      [],
      PG,
    ],
    // Each chunk takes what it has put there.
    [
      'insert into w select id, a from {{ o }} o; with m as (delete from w returning *) insert into t select o.id, m.a from {{ o }} o join m using (id)',
      ['taken delete?'],
      PG,
    ],
    [
      'merge into public.w using {{ o }} o on w.id = o.id when not matched then insert values (o.id); with m as (delete from w returning *) insert into t select m.id from {{ o }} o join m using (id)',
      ['shared public.w?', 'taken delete?'],
      PG,
    ],
    [
      'with m as (delete from w returning *) insert into t select o.id, m.a from {{ o }} o join m using (id); insert into w select id, a from {{ o }} o',
      ['taken delete', 'changed w'],
      PG,
    ],
    // Each chunk has its own.
    [
      'create temp table q as select 1 as id; with m as (delete from q returning *) insert into t select o.id from {{ o }} o join m using (id)',
      [],
      PG,
    ],
  ]);
  testAll(
    [
      [
        'with m as (delete from q returning *) insert into t select o.k, m.x from {{ o }} o join m on m.id = o.k',
        ['taken delete'],
        PG,
      ],
      [
        'with m as (delete from q returning *), n as (select * from m) insert into t select o.k, count(*) from {{ o }} o join n x on x.id = o.k group by o.k',
        ['taken delete'],
        PG,
      ],
    ],
    ['k'],
  );
});

describe('what a stage makes for itself', () => {
  testAll([
    ['create temporary table x as select a from {{ o }} o; insert into t select a from x'],
    ['create temporary table x as select a from {{ o }} o; insert into t select 1 from c join x on x.a = c.a'],
    [
      'create temp table x (a int) on commit drop; insert into x select a from {{ o }} o; insert into t table x',
      [],
      PG,
    ],
    [
      'create temp table x as select * from c limit 0; insert into x select 1 from {{ o }} o; insert into t table x',
      [],
      PG,
    ],
    ['create temporary table x (a int); insert into t select a from x'],
    ['create temporary table c as select 1 a; insert into t select o.a from {{ o }} o left join c on c.a = o.a'],
    ['create temporary table x as select a from {{ o }} o; delete from x where a in (select a from c)'],
    ['select a into temp x from {{ o }} o; insert into t select a from x', [], PG],
    ['create table w.x as select a from {{ o }} o; insert into t select a from w.x; drop table w.x', [], PG],
    ['create table if not exists w.x (a int); insert into w.x select a from {{ o }} o', [], PG],
    ['create temporary table x as select a from {{ o }} o; create index i on x (a); analyze x', [], PG],
    [
      'create temporary table x as select a from {{ o }} o; insert into t select 1 from c left join x on x.a = c.a',
      ['padded left join'],
    ],
    [
      'create temporary table x as select a from {{ o }} o; delete from t where a not in (select a from x)',
      ['absent not in'],
    ],
    ['create temporary table x as select a from {{ o }} o; update t set v = (select max(a) from x)', ['value']],
    [
      'create temporary table x as select a from {{ o }} o; insert into x select 0; insert into t select a from x',
      ['filled x'],
    ],
    [
      'create temporary table x as select c.a from c where c.a in (select a from {{ o }} o); insert into t select a from x',
      ['filled x'],
    ],
    ['create table w.x as select a from {{ o }} o; insert into t select a from w.x', ['lasting w.x?'], PG],
    ['create table if not exists w.x as select a from {{ o }} o', ['lasting w.x'], PG],
    ['select a into w.x from {{ o }} o', ['lasting w.x?'], PG],
  ]);
  testAll(
    [
      ['create temporary table x as select k, v from {{ o }} o; insert into t select k, max(v) from x group by k'],
      [
        'create temp table x (a, b) as select k, v from {{ o }} o; insert into t select a, max(b) from x group by a',
        [],
        PG,
      ],
      [
        'create temporary table x (a int, b int); insert into x select k, v from {{ o }} o; insert into t select a, max(b) from x group by a',
      ],
      [
        'create temporary table x as select k, v from {{ o }} o; insert into t select v, count(*) from x group by v',
        ['grouping group by'],
      ],
      [
        'create temporary table x as select k, v from {{ o }} o; insert into t select count(*) from x',
        ['whole aggregate'],
      ],
    ],
    ['k'],
  );
});

describe('rows that are merged', () => {
  testAll([
    [
      'with d as (select a from {{ o }} o) merge into t using c on t.id = c.id when not matched then insert values (c.id)',
      ['unreached merge?'],
      PG,
    ],
    [
      'merge into t using (select id from c where id in (select c from {{ o }} o)) s on t.id = s.id when not matched then insert values (s.id)',
      ['repeated in?'],
      PG,
    ],
    [
      'merge into t using (select a from {{ o }} o union all select 1) s on t.id = s.a when matched then update set n = t.n + s.a when not matched then insert values (s.a)',
      ['again n?'],
      PG,
    ],
    [
      'merge into t using (select id from c where id in (select c from {{ o }} o)) s on t.id = s.id when matched then update set n = 1',
      [],
      PG,
    ],
  ]);
});

describe('a value that grows each time', () => {
  testAll([
    ['update t set n = n + 1 where id in (select id from {{ o }} o)', ['again n?']],
    ['update t set n = concat(t.n, 1) where exists (select 1 from {{ o }} o where o.id = t.id)', ['again n?']],
    ['update t set n = n + 1 from {{ o }} o where o.id = t.id', ['again n?'], PG],
    ['update t join {{ o }} o on o.id = t.id set t.n = t.n + 1', ['again n?'], MY],
    ['update t set n = n + 1', ['again n']],
    ['update t set n = n + o.n from {{ o }} o where o.id = t.id', [], PG],
    ['update t join {{ o }} o on o.id = t.id set t.n = t.n + o.n', [], MY],
    ['update t set n = n + 1, seen = true where not seen and id in (select id from {{ o }} o)'],
    ['update t set n = coalesce(n, 0 + 0), m = k + 1, u = lower(u) where id in (select id from {{ o }} o)'],
    ['insert into t select id, 1 from {{ o }} o on conflict (id) do update set n = t.n + excluded.n', [], PG],
    ['insert into t select id, 1 from {{ o }} o on duplicate key update n = n + values(n)', [], MY],
    [
      'insert into t select id from c where id in (select c from {{ o }} o) on conflict (id) do update set n = t.n + 1',
      ['repeated in'],
      PG,
    ],
    [
      'insert into t as x select id from c where id in (select c from {{ o }} o) on conflict (id) do update set n = x.n + 1 where x.n < 1',
      [],
      PG,
    ],
    [
      'insert into t select id from c where id in (select c from {{ o }} o) on duplicate key update n = n + 1',
      ['repeated in'],
      MY,
    ],
    [
      'insert into t select id from c where id in (select c from {{ o }} o) on duplicate key update n = if(values(at) > at, values(n), n)',
      [],
      MY,
    ],
    [
      'insert into t select id from c where id in (select c from {{ o }} o) on duplicate key update n = values(n) + 1',
      ['overwritten n?'],
      MY,
    ],
    [
      'insert into t (id) select id from c where id in (select c from {{ o }} o) on conflict (id) do update set id = excluded.id, seen = true',
      ['overwritten seen?'],
      PG,
    ],
    [
      'insert into t (id, n) select id, 1 from c where id in (select c from {{ o }} o) on duplicate key update n = 2',
      ['overwritten n?'],
      MY,
    ],
    [
      'insert into t (id, n) select id, 1 from c where id in (select c from {{ o }} o) on duplicate key update n = ifnull(n, 0) + 1',
      ['repeated in'],
      MY,
    ],
    [
      'with a as (insert into t select id from c on conflict do nothing) insert into u select 1 from c where id in (select c from {{ o }} o)',
      ['repeated in'],
      PG,
    ],
    ['update t set n = coalesce(t.n, 0) + coalesce(o.n, 0) from {{ o }} o where o.id = t.id', [], PG],
    ['update t set n = n + t.m from {{ o }} o where o.id = t.id', ['again n?'], PG],
    ['update t set n = coalesce(n, 0) + 1 where id in (select id from {{ o }} o)', ['again n?']],
    ['update t join {{ o }} o on o.id = t.id set t.n = t.n + t.m', ['again n?'], MY],
    ['update t set n = greatest(n + 1, 3)', ['again n']],
    ['update t join {{ o }} o on o.id = t.id set t.at = date_add(t.at, interval 1 day)', ['again at?'], MY],
  ]);
  testAll(
    [
      ['update t set n = n + 1 where id in (select k from {{ o }} o)'],
      ['update t set n = n + 1 from {{ o }} o where o.k = t.id', [], PG],
      ['update t set n = n + 1 where id in (select v from {{ o }} o)', ['again n?']],
    ],
    ['k'],
  );
});

describe('under a key does the same once per chunk', () => {
  testAll(
    [
      ['insert into t select o.k, count(*) from {{ o }} o group by o.k'],
      [
        'insert into t select o.k, count(*), sum(v) from {{ o }} o group by o.k having count(distinct v) > 1 order by sum(v)',
      ],
      ['insert into t select a.k x, count(*) from {{ o }} a join c on c.id = a.c group by c.name, x'],
      ['insert into t select o.k, max(v) from {{ o }} o group by 1'],
      ['insert into t select c.id, count(*) from {{ o }} o join c on c.id <=> o.k group by c.id', [], MY],
      [
        'insert into t select c.id, count(*) from {{ o }} o join c on c.id is not distinct from o.k group by c.id',
        [],
        PG,
      ],
      [
        'insert into t select o.k, o.v, count(*) from {{ o }} o group by grouping sets ((o.k), (o.v, o.k), o.k)',
        [],
        PG,
      ],
      ['insert into t select o.k, o.v, count(*) from {{ o }} o group by o.k, rollup (o.v)', [], PG],
      ['insert into t select c.id, count(*) from {{ o }} o join c on c.id = o.k group by c.id'],
      ['insert into t select c.k, count(*) from {{ o }} o join c using (k) group by c.k'],
      ['insert into t select d.x, count(*) from (select o.k as x, o.v from {{ o }} o) d group by d.x'],
      [
        'insert into t select x, count(*) from (select k, v from {{ o }} o) d (x, y) group by (x)',
        [],
        [postgresSql, mysqlSql],
      ],
      ['insert into t select k, count(*) from (select * from {{ o }} o where v > 0) d group by k'],
      ['insert into t select k, count(*) from (select o.*, c.n from {{ o }} o join c on c.id = o.c) d group by k'],
      ['with d as (select k, n from {{ o }} o) insert into t select k, sum(n) from d group by k', [], PG],
      ['with d (a, b) as (select k, n from {{ o }} o) insert into t select a, sum(b) from d group by a', [], PG],
      ['insert into t select k, n from (select o.k, count(*) n from {{ o }} o group by o.k) d where n > 1'],
      ['insert into t (k, offset) select k, offset from {{ o }} o where offset > 2 order by offset', [], MY],
      ['insert into t select distinct o.k, o.v from {{ o }} o'],
      ['insert into t select distinct * from {{ o }} o'],
      ['insert into t select distinct on (o.k) o.k, o.v from {{ o }} o order by o.k, o.at desc', [], PG],
      ['insert into t select row_number() over (partition by o.k order by o.at) from {{ o }} o'],
      ['insert into t select sum(v) over w from {{ o }} o window w as (partition by o.v, o.k)'],
      ['insert into t select sum(v) over (w order by v) from {{ o }} o window w as (partition by k)'],
      [
        'insert into t select 1 from (select k, row_number() over (partition by k order by at desc) n from {{ o }} o) d where n = 1',
      ],
      [
        'insert into t select k, v from {{ o }} o left join (select id, count(*) n from c group by id limit 5) c on c.id = o.c',
      ],
      ['insert into t select (select count(*) from c where c.id = o.k) from {{ o }} o'],
      ['with d as (select k, a, b from {{ o }} o) insert into t select k, a from d union select k, b from d', [], PG],
      ['with d as (select * from {{ o }} o) insert into t select 1 from d join d e on e.k = d.k', [], PG],
      ['insert into t select c.id from c where c.id in (select o.k from {{ o }} o)'],
      ['insert into t select c.id from c where exists (select 1 from {{ o }} o where o.k = c.id)'],
      ['update t set n = d.n from (select k, count(*) n from {{ o }} o group by k) d where d.k = t.id', [], PG],
      ['insert into t select c.id from c where c.v = 1 and (exists (select 1 from {{ o }} o where (o.k = c.id)))'],
      [
        'insert into t select c.id, count(*) from {{ o }} o join c on (c.id = o.k and c.v > 1) left join e on e.id = c.id group by c.id',
      ],
      ['insert into t select c.id, count(*) from {{ o }} o, c where c.v = 1 and c.id = o.k group by c.id'],
      ['insert into t select c.id from c where exists (select 1 from {{ o }} o where o.k = lower(c.id) and o.v > 1)'],
      ['insert into t select c.id from c where exists (select 1 from {{ o }} o where cast(c.id + c.v as char) = o.k)'],
      ['insert into t select c.id from c where lower(c.id) in (select k from {{ o }} o)'],
      ['insert into t select c.id, count(*) from c where c.id in (select k from {{ o }} o) group by c.id'],
      ['insert into t select c.k, count(*) from {{ o }} o natural join c group by c.k'],
      [
        'with d as (select k, v from {{ o }} o) insert into t select a.k from d a left join d b on b.k = a.k and b.v > a.v where b.k is null',
        [],
        PG,
      ],
      [
        'with d as (select k, v from {{ o }} o) insert into t select k from d where not exists (select 1 from d e where e.k = d.k and e.v > d.v)',
        [],
        PG,
      ],
      [
        'with d as (select k, v from {{ o }} o) insert into t select k, (select max(e.v) from d e where e.k = d.k) from d',
        [],
        PG,
      ],
      [
        'with d as (select k, v from {{ o }} o) update t set n = (select count(*) from d where d.k = t.id) where id in (select k from d)',
        [],
        PG,
      ],
      [
        'with recursive d (a, b) as (select k, v from {{ o }} o union all select d.a, c.b from d join c on c.a = d.b) insert into t select a, count(*) from d group by a',
        [],
        PG,
      ],
      [
        'insert into t select c.id from c cross join lateral (select * from {{ o }} o where o.k = c.id order by v limit 3) l',
        [],
        PG,
      ],
      ['delete from t where id in (select distinct v from {{ o }} o)'],
      ['delete from t where exists (select 1 from {{ o }} o where o.v = t.v limit 1)'],
    ],
    ['k'],
  );
  testAll([['insert into t select o.a, o.b, count(*) from {{ o }} o group by o.b, o.a, o.c']], ['a', 'b']);
});

describe('under a key does something else once per chunk', () => {
  testAll(
    [
      ['insert into t select count(*) from {{ o }} o', ['whole aggregate']],
      ['insert into t select max(v) from {{ o }} o having max(v) > 1', ['whole aggregate']],
      ['insert into t select o.v from {{ o }} o order by o.v limit 10', ['whole limit']],
      ['insert into t select o.v from {{ o }} o order by o.v offset 10', ['whole offset'], PG],
      ['insert into t select o.v from {{ o }} o order by o.v offset 10 rows', ['whole offset'], MY],
      ['insert into t select o.v from {{ o }} o fetch first 10 rows only', ['whole fetch'], PG],
      ['insert into t (select o.v from {{ o }} o) limit 10', ['whole limit']],
      ['update t set x = 1 where id in (select k from {{ o }} o) limit 10', ['whole limit'], MY],
      ['insert into t select o.v, count(*) from {{ o }} o group by o.v', ['grouping group by']],
      ['insert into t select date(o.v), count(*) from {{ o }} o group by date(o.v)', ['grouping group by']],
      ['insert into t select lower(o.k), count(*) from {{ o }} o group by lower(o.k)', ['grouping group by?']],
      ['insert into t select k, count(*) from {{ o }} o join c on c.id = o.v group by c.k', ['grouping group by']],
      [
        'insert into t select n, count(*) from (select k, count(*) n from {{ o }} o group by k) d group by n',
        ['grouping group by'],
      ],
      ['insert into t select k, count(*) from {{ o }} o group by rollup (k)', ['whole rollup'], PG],
      ['insert into t select k, count(*) from {{ o }} o group by k with rollup', ['whole rollup'], MY],
      ['insert into t select distinct o.v from {{ o }} o', ['grouping distinct']],
      ['insert into t select distinct on (v) v, k from {{ o }} o', ['grouping distinct on'], PG],
      ['insert into t select row_number() over (order by o.k) from {{ o }} o', ['grouping partition by']],
      ['insert into t select row_number() over () from {{ o }} o', ['grouping partition by']],
      ['insert into t select sum(v) over w from {{ o }} o window w as (partition by v)', ['grouping partition by']],
      [
        'with d as (select k, v from {{ o }} o) insert into t select v from d union select v from d',
        ['grouping union'],
        PG,
      ],
      ['insert into t select k from {{ o }} o union select 0', ['branch union']],
      ['insert into t select 1 from c left join {{ o }} o on o.k = c.id', ['padded left join']],
      ['insert into t select c.id from c where c.id in (select o.v from {{ o }} o)', ['repeated in']],
      [
        'insert into t select c.id from c where not exists (select 1 from {{ o }} o where o.k = c.id)',
        ['absent not exists'],
      ],
      ['insert into t select c.id, (select count(*) from {{ o }} o where o.k = c.id) from c', ['whole aggregate']],
      [
        'insert into t select c.id, count(*) from {{ o }} o left join c on c.id = o.k group by c.id',
        ['grouping group by'],
      ],
      [
        'insert into t select c.id, count(*) from {{ o }} o join c on o.v = c.v is not distinct from o.k group by c.id',
        ['grouping group by'],
        PG,
      ],
      ['insert into t select o.k, count(*) from {{ o }} o group by grouping sets ((o.k), ())', ['whole sets'], PG],
      ['insert into t select o.k, count(*) from {{ o }} o group by o.v, rollup (o.k)', ['whole rollup'], PG],
      [
        'insert into t select c.id, count(*) from {{ o }} o left join c on c.id = o.k where c.v > 1 group by c.id',
        ['grouping group by?'],
      ],
      [
        'insert into t select c.id, count(*) from {{ o }} o join c on c.id = o.k or c.id = o.v group by c.id',
        ['grouping group by'],
      ],
      [
        'insert into t select c.id, count(*) from {{ o }} o join c on c.v between 1 and c.id = o.k group by c.id',
        ['grouping group by'],
      ],
      [
        'insert into t select c.id, count(*) from {{ o }} o join c on c.id = o.k and o.v || c.v = 1 group by c.id',
        ['grouping group by'],
        MY,
      ],
      [
        'insert into t select d.k, count(*) from {{ o }} o join d on d.v = o.v where d.id in (select c.id from c join e using (k)) group by d.k',
        ['grouping group by'],
      ],
      ['insert into t select c.k, count(*) from {{ o }} o left join c using (k) group by c.k', ['grouping group by']],
      [
        'insert into t select c.id from c where exists (select 1 from {{ o }} o join l on l.o = o.k where l.c = c.id)',
        ['repeated exists'],
      ],
      [
        'insert into t select c.id from c where exists (select 1 from {{ o }} o where o.k = c.id or o.v = c.v)',
        ['repeated exists'],
      ],
      ['insert into t select c.id from c where c.id in (select k from {{ o }} o) or c.v = 1', ['repeated in']],
      // How it is compared is said, and so not as the key is.
      [
        'insert into t select c.id from c where exists (select 1 from {{ o }} o where o.k = c.x collate b)',
        ['repeated exists'],
      ],
      ['insert into t select c.id from c where c.x collate b in (select k from {{ o }} o)', ['repeated in']],
      [
        'insert into t select c.id from c where exists (select 1 from {{ o }} o where o.k = o.v + c.id)',
        ['repeated exists'],
      ],
      [
        'insert into t select c.id from c where exists (select 1 from d where exists (select 1 from {{ o }} o where o.k = d.v + 1))',
        ['repeated exists'],
      ],
      [
        'insert into t select 1 from c left join (d join e on e.id in (select k from {{ o }} o)) on c.id = d.id',
        ['value in'],
      ],
      ['insert into t select o.k from {{ o }} o except select c.k from c order by 1 limit 2', ['whole limit'], PG],
      [
        'insert into t select c.id from c where exists (select (select max(o.v) from {{ o }} o where o.k = c.id) from d)',
        ['unreached insert'],
      ],
      ['insert into t select c.id from c where c.id >= any (select k from {{ o }} o)', ['repeated any']],
      [
        'insert into t select c.id from c where c.id in (select k from {{ o }} o union all select k from d)',
        ['repeated in'],
      ],
      [
        'with d as (select k, v from {{ o }} o) insert into t select a.k from d a join d b on b.k = a.v',
        ['twice join?'],
        PG,
      ],
      [
        'with d as (select k, v from {{ o }} o) insert into t select a.k from d a left join d b on b.v = a.v',
        ['twice left?'],
        PG,
      ],
      [
        'with d as (select k, v from {{ o }} o) insert into t select k from d where not exists (select 1 from d e where e.v > d.v)',
        ['twice exists?'],
        PG,
      ],
      ['with d as (select k, v from {{ o }} o) select k, v from d union select v, k from d', ['grouping union'], PG],
      [
        'with recursive d (a, b) as (select k, v from {{ o }} o union all select b, a from d where a < b) select a, count(*) from d group by a',
        ['grouping group by'],
        PG,
      ],
    ],
    ['k'],
  );
  testAll([['insert into t select o.a, count(*) from {{ o }} o group by o.a', ['grouping group by']]], ['a', 'b']);
});
