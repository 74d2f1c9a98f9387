import type { BrokenProject } from '../project-folder.ts';

/** What stands in SQL. */
export const sql: BrokenProject[] = [
  {
    title: 'an input without braces',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id
from {{ acq.flight }} f
where f.id not in (select id from acq.flight)
`,
    },
    expected: [
      "loads/core/flights.sql:4:35: the input `acq.flight` stands here without braces: that is the live table, not this batch's snapshot",
    ],
  },
  {
    title: 'an input without braces in a check',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
checks:
  - name: none
    sql: select count(*) from acq.flight
    expect: 0
`,
    },
    expected: [
      "loads/core/flight.yaml:9:31: the input `acq.flight` stands here without braces: that is the live table, not this batch's snapshot",
    ],
  },
  {
    title: 'a chunked stage that does not use its input',
    files: { 'loads/core/flights.sql': `insert into core.flight select 1, :batch_id from {{ core.flight }} f` },
    expected: [
      'loads/core/flight.yaml:5:40: stage `flights` is cut by `acq.flight` but never uses `{{ acq.flight }}`: it would do everything once per chunk',
    ],
  },
  {
    title: 'a chunked stage that uses its input uncut only',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id
from {{ acq.flight | all }} f
`,
    },
    expected: [
      'loads/core/flight.yaml:5:40: stage `flights` is cut by `acq.flight` but never uses `{{ acq.flight }}`: it would do everything once per chunk',
    ],
  },
  {
    title: 'the cut input twice in one statement',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id
from {{ acq.flight }} f
join {{ acq.flight }} g on g.id = f.id + 1
`,
    },
    expected: [
      'loads/core/flights.sql:4:6: `{{ acq.flight }}` stands twice in one statement of a chunked stage: each chunk would join with its own rows only',
    ],
  },
  {
    title: 'group by over a cut',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id
from {{ acq.flight }} f
group by f.id
`,
    },
    expected: [
      'loads/core/flights.sql:4:1: `group by` over `{{ acq.flight }}` in a stage cut without a key: every chunk would see a part of the rows only',
    ],
  },
  {
    title: 'distinct over a cut',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select distinct f.id, :batch_id
from {{ acq.flight }} f
`,
    },
    expected: [
      'loads/core/flights.sql:2:8: `distinct` over `{{ acq.flight }}` in a stage cut without a key: every chunk would see a part of the rows only',
    ],
  },
  {
    title: 'a window over a cut',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select row_number() over (order by f.id), :batch_id
from {{ acq.flight }} f
`,
    },
    expected: [
      'loads/core/flights.sql:2:21: a window function over `{{ acq.flight }}` in a stage cut without a key: every chunk would see a part of the rows only',
    ],
  },
  {
    title: 'a limit over a cut',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id
from {{ acq.flight }} f
limit 10`,
    },
    expected: [
      'loads/core/flights.sql:4:1: `limit` over `{{ acq.flight }}` in a stage cut without a key: every chunk would see a part of the rows only',
    ],
  },
  {
    title: 'an aggregate over a cut',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select max(f.id), :batch_id
from {{ acq.flight }} f
`,
    },
    expected: [
      'loads/core/flights.sql:2:8: an aggregate over `{{ acq.flight }}` in a stage cut without a key: every chunk would see a part of the rows only',
    ],
  },
  {
    title: 'an insert that the cut does not reach',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id
from {{ acq.flight }} f
;
insert into core.flight select 0, :batch_id;
`,
    },
    expected: [
      'loads/core/flights.sql:5:1: this insert does not use `{{ acq.flight }}`: it would insert the same rows once per chunk',
    ],
  },
  {
    title: 'rows that do not come from what a stage made of the cut',
    files: {
      'loads/core/flights.sql': `create temp table mine on commit drop as select f.id, :batch_id as batch_id from {{ acq.flight }} f;
insert into core.flight select * from mine;
insert into core.flight select c.id, :batch_id from core.other c left join mine m on m.id = c.id;
insert into core.flight select max(id), :batch_id from mine;
insert into core.flight select c.id, :batch_id from core.other c;
`,
    },
    expected: [
      'loads/core/flights.sql:3:66: `{{ acq.flight }}` stands on the side of this `left join` that is filled with NULLs: each chunk would give the rows that match none of its own, so that they come once per chunk',
      'loads/core/flights.sql:4:32: an aggregate over `{{ acq.flight }}` in a stage cut without a key: every chunk would see a part of the rows only',
      'loads/core/flights.sql:5:1: this insert does not use `{{ acq.flight }}`: it would insert the same rows once per chunk',
    ],
  },
  {
    title: 'a table that the first chunk makes for all',
    files: {
      'loads/core/flights.sql': `create table if not exists core.mine as select f.id from {{ acq.flight }} f;
insert into core.flight select f.id, :batch_id from {{ acq.flight }} f;
`,
    },
    expected: [
      'loads/core/flights.sql:1:28: the first chunk makes `core.mine`, with its own rows: the others find it there, and theirs are not in it',
    ],
  },
  {
    title: 'a count that each chunk adds to',
    files: {
      'loads/core/flights.sql': `insert into core.flight select f.id, :batch_id from {{ acq.flight }} f;
update core.flight set seen = seen + 1 where batch_id = :batch_id;
insert into core.flight select 0, :batch_id on conflict (id) do update set seen = flight.seen + 1;
`,
    },
    expected: [
      'loads/core/flights.sql:2:1: this update of `seen` does not use `{{ acq.flight }}`: it would change the same rows once per chunk',
      'loads/core/flights.sql:3:1: this insert does not use `{{ acq.flight }}`: it would insert the same rows once per chunk',
    ],
  },
  {
    title: 'rows of other chunks that each chunk deletes',
    files: {
      'loads/core/flights.sql': `delete from core.flight;
insert into core.flight select f.id, :batch_id from {{ acq.flight }} f;
`,
    },
    expected: [
      'loads/core/flights.sql:1:13: this statement does to rows of `core.flight` that chunks before it have inserted (loads/core/flights.sql:2) what is meant for rows that were there before the stage',
    ],
  },
  {
    title: 'a number of rows that each chunk deletes',
    files: {
      'waybill.yaml': `name: flights
connections:
  source: { url: '\${SOURCE_URL}' }
  warehouse: { url: 'mysql://me@localhost/warehouse' }
`,
      'loads/core/flights.sql': `delete from core.flight order by id limit 100;
insert into core.note select id from {{ acq.flight }} f;
delete from core.note order by id limit 100
`,
    },
    expected: [
      'loads/core/flights.sql:1:37: this `delete` with a `limit` does not use `{{ acq.flight }}`: it would do so many rows once per chunk',
    ],
  },
  {
    title: 'rows that the first chunk takes from all others',
    files: {
      'loads/core/flights.sql': `with gone as (delete from core.queue returning *)
insert into core.flight select f.id, :batch_id from {{ acq.flight }} f join gone using (id);
`,
    },
    expected: [
      'loads/core/flights.sql:1:15: this `delete` does not use `{{ acq.flight }}`: the first chunk gets what it gives back, and the others nothing',
    ],
  },
  {
    title: 'a cut that an outer join fills with NULLs',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select c.id, :batch_id
from core.other c
left join {{ acq.flight }} f on f.id = c.id
`,
    },
    expected: [
      'loads/core/flights.sql:4:1: `{{ acq.flight }}` stands on the side of this `left join` that is filled with NULLs: each chunk would give the rows that match none of its own, so that they come once per chunk',
    ],
  },
  {
    title: 'rows that are not in a chunk',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select c.id, :batch_id from core.other c
where not exists (select 1 from {{ acq.flight }} f where f.id = c.id);
delete from core.other where id not in (select id from {{ acq.flight }} f)
`,
    },
    expected: [
      'loads/core/flights.sql:3:11: `{{ acq.flight }}` stands behind `not exists`: each chunk would act on what is not in *it*, though it may be in another chunk',
      'loads/core/flights.sql:4:33: `{{ acq.flight }}` stands behind `not in`: each chunk would act on what is not in *it*, though it may be in another chunk',
    ],
  },
  {
    title: 'a cut that only chooses what is inserted',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select c.id, :batch_id from core.other c
where c.id in (select f.id from {{ acq.flight }} f)
`,
    },
    expected: [
      'loads/core/flights.sql:3:12: `{{ acq.flight }}` stands in `in` only, and not in the `from` of this insert: each of the chunks in which a row is found would insert it',
    ],
  },
  {
    title: 'values of a cut',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select (select f.id from {{ acq.flight }} f where f.id = c.id), :batch_id from core.other c
`,
    },
    expected: [
      'loads/core/flights.sql:2:8: `{{ acq.flight }}` stands in a subquery that gives a value only: each chunk would come to a value of its own, for the same rows',
    ],
  },
  {
    title: 'all rows of a table that the cut stage writes to, counted',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id + (select count(*) from core.flight), :batch_id from {{ acq.flight }} f;
insert into core.flight (id, batch_id)
select f.id + x.top, :batch_id from {{ acq.flight }} f cross join (select max(c.id) as top from {{ core.flight }} c) x
`,
    },
    expected: [
      'loads/core/flights.sql:2:37: `count` goes over all of `core.flight`, to which this stage writes (loads/core/flights.sql:1): each chunk would come to a value of its own, by what other chunks have written until then',
      'loads/core/flights.sql:4:97: `max` goes over all of `core.flight`, to which this stage writes (loads/core/flights.sql:1): each chunk would come to a value of its own, by what other chunks have written until then',
    ],
  },
  {
    title: 'a union of a cut with what is not cut',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id from {{ acq.flight }} f
union all
select 0, :batch_id
`,
    },
    expected: [
      'loads/core/flights.sql:4:1: one side of this `union all` does not use `{{ acq.flight }}`: its rows would come once per chunk',
    ],
  },
  {
    title: 'an insert that the cut of its statement does not reach',
    files: {
      'loads/core/flights.sql': `with gone as (delete from core.other o using {{ acq.flight }} f where f.id = o.id)
insert into core.flight (id, batch_id) select 0, :batch_id
`,
    },
    expected: [
      'loads/core/flights.sql:2:1: what this insert inserts does not come from `{{ acq.flight }}`: it would insert the same rows once per chunk',
    ],
  },
  {
    title: 'a merge of what is in no chunk',
    files: {
      'loads/core/flights.sql': `merge into core.other o using {{ acq.flight }} f on f.id = o.id
when not matched by source then delete
`,
    },
    expected: [
      'loads/core/flights.sql:2:6: `when not matched by source` over `{{ acq.flight }}`: each chunk would act on the rows of all other chunks',
    ],
  },
  {
    title: 'groups, limits and aggregates that reach over the chunks of a key',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight, key: [day, id] } }
outputs: [core.flight]
`,
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id from {{ acq.flight }} f group by f.id;
insert into core.flight (id, batch_id)
select count(*), :batch_id from {{ acq.flight }} f;
insert into core.flight (id, batch_id)
select f.id, :batch_id from {{ acq.flight }} f limit 10
`,
    },
    expected: [
      'loads/core/flights.sql:2:48: `group by` over `{{ acq.flight }}` lacks `day` of `chunk.key`: rows that belong together may lie in several chunks, and each would give its own',
      'loads/core/flights.sql:4:8: an aggregate without `group by` over `{{ acq.flight }}`: each chunk would come to its own, also with the key `day, id`',
      'loads/core/flights.sql:6:48: `limit` over `{{ acq.flight }}`: each chunk would come to its own, also with the key `day, id`',
    ],
  },
  {
    title: 'groups by the side of an outer join that is filled with NULLs, which is the key otherwise',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight, key: [id] } }
outputs: [core.flight]
`,
      'loads/core/flights.sql': `insert into core.flight (id, n, batch_id)
select c.id, count(*), :batch_id from {{ acq.flight }} f left join core.other c on c.id = f.id group by c.id
`,
    },
    expected: [
      'loads/core/flights.sql:2:96: `group by` over `{{ acq.flight }}` lacks `id` of `chunk.key`: `c.id` is that only where the `left join` finds a row, and NULL where it finds none, which may be in several chunks, and each would give its own',
    ],
  },
  {
    title: 'a chunk of a table that is no input',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.fligth } }
outputs: [core.flight]
`,
    },
    expected: [
      'loads/core/flight.yaml:5:56: `acq.fligth` is neither an input nor an output of a consumed load: did you mean `acq.flight`?',
    ],
  },
  {
    title: 'an unknown table in braces',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id
from {{ acq.flight }} f
join {{ core.flihgt }} c on c.id = f.id
`,
    },
    expected: [
      'loads/core/flights.sql:4:6: `{{ core.flihgt }}` is no input, read, consumed or own table of this load: did you mean `{{ core.flight }}`?',
    ],
  },
  {
    title: 'a table in braces that another load writes',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
      'loads/services/delay.yaml': `kind: services
connection: warehouse
consumes: [core.flight]
stages:
  - name: delays
    sql: insert into mart.delay select id, :batch_id from {{ core.flight }} f
outputs: [mart.delay]
`,
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id
from {{ acq.flight }} f
left join {{ mart.delay }} c on c.id = f.id
`,
    },
    expected: ['loads/core/flights.sql:4:11: `{{ mart.delay }}` is no input, read, consumed or own table of this load'],
  },
  {
    title: 'all of a table that is no input',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id
from {{ acq.flight }} f
left join {{ core.flight | all }} c on c.id = f.id
`,
    },
    expected: [
      'loads/core/flights.sql:4:11: `| all` means the uncut snapshot of an input, and `core.flight` is no input',
    ],
  },
  {
    title: 'an input in before and after',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
before: delete from {{ acq.flight }}
after:
  - analyze core.flight
  - select 1 from {{ acq.flight }} f
`,
    },
    expected: [
      'loads/core/flight.yaml:7:21: {{ acq.flight }} stands for rows to read and cannot be written to',
      'loads/core/flight.yaml:10:19: `after` runs when the snapshot is gone: `{{ acq.flight }}` cannot be read in it',
    ],
  },
  {
    title: 'an unknown parameter',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batchid, :batch_id
from {{ acq.flight }} f
`,
    },
    expected: ['loads/core/flights.sql:2:14: unknown parameter `:batchid`: did you mean `:batch_id`?'],
  },
  {
    title: 'an unknown parameter of params',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
params: { region: EU }
`,
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id
from {{ acq.flight }} f
where f.region = :params.regoin
`,
    },
    expected: ['loads/core/flights.sql:4:18: unknown parameter `:params.regoin`: did you mean `:params.region`?'],
  },
  {
    title: 'bounds where there are none',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id
from {{ acq.flight }} f
where f.id >= :from
`,
    },
    expected: [
      'loads/core/flights.sql:4:15: `:from` is a bound of a chunk, and only a stage with `chunk.key` of one column has bounds',
    ],
  },
  {
    title: 'rows kept in a landing table without batch_id',
    files: {
      'loads/core/flights.sql': `insert into acq.flight (id, batch_id)
select f.id, f.batch_id
from {{ acq.flight }} f;
insert into core.flight (id, batch_id) select f.id, :batch_id from {{ acq.flight }} f
`,
    },
    expected: [
      'loads/core/flights.sql:1:13: nothing stamps `batch_id`: this insert into `acq.flight` does not use `:batch_id`',
    ],
  },
  {
    title: 'rows kept in a landing table that others fill',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [{ table: acq.delay, external: true }]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.delay } }
outputs: [core.flight]
`,
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select d.id, :batch_id
from {{ acq.delay }} d;
insert into acq.delay (id, batch_id)
select d.id, :batch_id
from {{ acq.delay }} d
`,
    },
    expected: [
      'loads/core/flights.sql:4:13: rows kept in `acq.delay` could not be told from those that others put there',
    ],
  },
  {
    title: 'a merge that inserts without batch_id',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql }
outputs: [core.flight]
`,
      'loads/core/flights.sql': `merge into only core.flight c using {{ acq.flight }} f on f.id = c.id
when matched then update set tail = f.tail when not matched then insert (id) values (f.id);
with m as (merge into core.flight c using {{ acq.flight }} f on f.id = c.id when not matched then insert (id) values (f.id) returning c.id)
select * from m;
merge into core.flight c using {{ acq.flight }} f on f.id = c.id when matched then delete;
merge into core.flight c using {{ acq.flight }} f on f.id = c.id when not matched then insert values (f.id, :batch_id)
`,
    },
    expected: [
      'loads/core/flights.sql:1:17: nothing stamps `batch_id`: this merge into `core.flight` does not use `:batch_id`',
      'loads/core/flights.sql:3:23: nothing stamps `batch_id`: this merge into `core.flight` does not use `:batch_id`',
    ],
  },
  {
    title: 'a merge into an input',
    files: {
      'loads/core/flights.sql': `merge into acq.flight a using {{ acq.flight }} f on f.id = a.id
when not matched then insert (id) values (f.id);
insert into core.flight (id, batch_id) select f.id, :batch_id from {{ acq.flight }} f
`,
    },
    expected: [
      "loads/core/flights.sql:1:12: the input `acq.flight` stands here without braces: that is the live table, not this batch's snapshot",
    ],
  },
  {
    title: 'a file that is copied into an output',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql }
outputs: [core.flight]
`,
      'loads/core/flights.sql': `create temp table x as select f.id, :batch_id as batch_id from {{ acq.flight }} f;
copy x (id) from '/tmp/x';
insert into core.flight table x;
copy core.flight (id) from '/tmp/x' (format csv)
`,
    },
    expected: [
      'loads/core/flights.sql:4:6: nothing stamps `batch_id`: `copy … from` into `core.flight` binds no values',
    ],
  },
  {
    title: 'a file that is loaded into an output',
    files: {
      'waybill.yaml': `name: flights
connections:
  source: { url: '\${SOURCE_URL}' }
  warehouse: { url: 'mysql://me@localhost/warehouse' }
`,
      'loads/core/flights.sql': `insert into core.flight (id, batch_id) select f.id, :batch_id from {{ acq.flight }} f;
load data infile '/tmp/x' ignore into table core.flight (id);
`,
    },
    expected: [
      'loads/core/flights.sql:2:45: nothing stamps `batch_id`: `load data` into `core.flight` binds no values',
    ],
  },
  {
    title: 'a file that is loaded into an output, and stamped by nothing that the stage has set',
    files: {
      'waybill.yaml': `name: flights
connections:
  source: { url: '\${SOURCE_URL}' }
  warehouse: { url: 'mysql://me@localhost/warehouse' }
`,
      'loads/core/flights.sql': `load data infile '/tmp/x' into table core.flight (id) set batch_id = @b;
insert into core.flight (id, batch_id) select f.id, :batch_id from {{ acq.flight }} f;
set @b = :batch_id;
load data infile '/tmp/x' into table core.flight character set utf8mb4 (id, @tail) set tail = @tail;
load data infile '/tmp/x' into table core.flight character set utf8mb4 (id, @tail) set tail = upper(@tail), \`Batch_id\` = @b;
load data infile '/tmp/x' into table core.flight (id) set batch_id = @typo;
load data infile '/tmp/x' into table core.flight (id) set batch_id = null;
select cast(:batch_id as signed) into @B2;
load data infile '/tmp/x' into table core.flight (id) set batch_id = @b2;
`,
    },
    expected: [
      'loads/core/flights.sql:1:38: nothing stamps `batch_id`: `load data` into `core.flight` binds no values',
      'loads/core/flights.sql:4:38: nothing stamps `batch_id`: `load data` into `core.flight` binds no values',
      'loads/core/flights.sql:6:38: nothing stamps `batch_id`: `load data` into `core.flight` binds no values',
      'loads/core/flights.sql:7:38: nothing stamps `batch_id`: `load data` into `core.flight` binds no values',
    ],
  },
  {
    title: 'an insert without batch_id',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id)
select f.id
from {{ acq.flight }} f
`,
    },
    expected: [
      'loads/core/flights.sql:1:13: nothing stamps `batch_id`: this insert into `core.flight` does not use `:batch_id`',
    ],
  },
  {
    title: 'transaction control',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id
from {{ acq.flight }} f
;
commit;
`,
    },
    expected: [
      'loads/core/flights.sql:5:1: "commit" cannot stand in a load\'s SQL: a chunk is exactly one transaction, and rows and ledger commit together',
    ],
  },
  {
    title: 'a string that never ends',
    files: {
      'loads/core/flights.sql': `select 'abc
`,
    },
    expected: ['loads/core/flights.sql:1:8: this string is never closed'],
  },
  {
    title: 'a file without SQL',
    files: {
      'loads/core/flights.sql': `-- nothing
`,
    },
    expected: ['loads/core/flights.sql:1:1: there is no SQL statement here'],
  },
  {
    title: 'a check of two statements',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
checks:
  - { name: x, sql: select 1; select 2, expect: 0 }
`,
    },
    expected: ['loads/core/flight.yaml:8:31: a check is exactly one query, and this is a second'],
  },
  {
    title: 'a check that writes',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
checks:
  - { name: x, sql: delete from core.flight, expect: 0 }
`,
    },
    expected: ['loads/core/flight.yaml:8:21: a check is a query, and this is `delete`'],
  },
  {
    title: 'inline SQL in a block, with its own lines',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - name: flights
    sql: |
      insert into core.flight (id, batch_id)
      select f.id, :batchid
      from {{ acq.fligth }} f
outputs: [core.flight]
`,
    },
    expected: [
      'loads/core/flight.yaml:8:20: unknown parameter `:batchid`: did you mean `:batch_id`?',
      'loads/core/flight.yaml:9:12: `{{ acq.fligth }}` is no input, read, consumed or own table of this load: did you mean `{{ acq.flight }}`?',
    ],
  },
  {
    title: 'a list of SQL, the second wrong',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: [flights.sql, "update core.flight set x = :paramz.y"] }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:5:69: unknown parameter `:paramz.y`'],
  },
  {
    title: 'a script in braces that is never closed',
    files: {
      'loads/core/flights.sql': `select * from {{ acq.flight
`,
    },
    expected: ['loads/core/flights.sql:1:15: this {{ is never closed by }}'],
  },
  {
    title: 'problems in several files, in order',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
output_s: [core.flight]
`,
      'loads/acquisition/flight.yaml': `kind: aquisition
connection: warehouse
from: { connection: source, table: public.flight, cursor: id }
to: { table: acq.flight }
`,
      'waybill.yaml': `connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: [
      'loads/acquisition/flight.yaml:1:7: unknown kind `aquisition`: did you mean `acquisition`?',
      'loads/core/flight.yaml:6:1: unknown key `output_s`: did you mean `outputs`?',
      'waybill.yaml:1:1: `name` is missing',
    ],
  },
  {
    title: 'union over a cut',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id from {{ acq.flight }} f
union
select 1, :batch_id`,
    },
    expected: [
      'loads/core/flights.sql:3:1: `union` over `{{ acq.flight }}` in a stage cut without a key: every chunk would see a part of the rows only',
    ],
  },
  {
    title: 'except over a cut',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id from {{ acq.flight }} f
except
select o.id, o.batch_id from core.other o`,
    },
    expected: [
      'loads/core/flights.sql:3:1: `except` over `{{ acq.flight }}` in a stage cut without a key: every chunk would see a part of the rows only',
    ],
  },
  {
    title: 'fetch first over a cut',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id from {{ acq.flight }} f
fetch first 10 rows only`,
    },
    expected: [
      'loads/core/flights.sql:3:1: `limit` over `{{ acq.flight }}` in a stage cut without a key: every chunk would see a part of the rows only',
    ],
  },
  {
    title: 'having over a cut',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select 1, :batch_id from {{ acq.flight }} f having count(*) > 1`,
    },
    expected: [
      'loads/core/flights.sql:2:45: `having` over `{{ acq.flight }}` in a stage cut without a key: every chunk would see a part of the rows only',
      'loads/core/flights.sql:2:52: an aggregate over `{{ acq.flight }}` in a stage cut without a key: every chunk would see a part of the rows only',
    ],
  },
  {
    title: 'a filter in braces that does not exist',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id from {{ acq.flight }} f where not exists (select 1 from {{ acq.flight | al }} g)`,
    },
    expected: ['loads/core/flights.sql:2:80: {{ acq.flight | al }}: unknown filter "al"'],
  },
  {
    title: 'what runs in no transaction',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select id, :batch_id from {{ acq.flight }} f;
vacuum core.flight`,
    },
    expected: [
      'loads/core/flights.sql:3:1: "vacuum core" cannot stand in a load\'s SQL: PostgreSQL cannot run it inside a transaction',
    ],
  },
  {
    title: 'another role',
    files: {
      'loads/core/flights.sql': `set role admin;
insert into core.flight (id, batch_id)
select id, :batch_id from {{ acq.flight }} f`,
    },
    expected: [
      'loads/core/flights.sql:1:1: "set role admin" cannot stand in a load\'s SQL: under another role the engine may lose its own ledger in the middle of a chunk',
    ],
  },
  {
    title: 'another isolation level',
    files: {
      'loads/core/flights.sql': `set session characteristics as transaction isolation level serializable;
insert into core.flight (id, batch_id)
select id, :batch_id from {{ acq.flight }} f`,
    },
    expected: [
      'loads/core/flights.sql:1:1: "set session characteristics" cannot stand in a load\'s SQL: the gate rests on READ COMMITTED, which the engine sets',
    ],
  },
  {
    title: 'copy from the client',
    files: {
      'loads/core/flights.sql': `copy core.flight from stdin;
insert into core.flight (id, batch_id)
select id, :batch_id from {{ acq.flight }} f`,
    },
    expected: [
      'loads/core/flights.sql:1:1: "copy core" cannot stand in a load\'s SQL: its data would have to come over the engine\'s own connection, beside the SQL',
    ],
  },
  {
    title: 'an index made concurrently',
    files: {
      'loads/core/flights.sql': `create index concurrently x on core.flight (id);
insert into core.flight (id, batch_id)
select id, :batch_id from {{ acq.flight }} f`,
    },
    expected: [
      'loads/core/flights.sql:1:1: "create index concurrently" cannot stand in a load\'s SQL: PostgreSQL cannot run it inside a transaction, because of "concurrently"',
    ],
  },
  {
    title: 'truncate of the live landing table',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select id, :batch_id from {{ acq.flight }} f;
truncate acq.flight`,
    },
    expected: [
      "loads/core/flights.sql:3:10: the input `acq.flight` stands here without braces: that is the live table, not this batch's snapshot",
    ],
  },
  {
    title: 'delete from the live landing table',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select id, :batch_id from {{ acq.flight }} f;
delete from acq.flight`,
    },
    expected: [
      "loads/core/flights.sql:3:13: the input `acq.flight` stands here without braces: that is the live table, not this batch's snapshot",
    ],
  },
  {
    title: 'truncate of an output',
    files: {
      'loads/core/flights.sql': `truncate core.flight;
insert into core.flight (id, batch_id)
select id, :batch_id from {{ acq.flight }} f`,
    },
    expected: [
      'loads/core/flights.sql:1:10: `truncate` of the output `core.flight`: rows of earlier batches would be gone, whatever becomes of this one',
    ],
  },
  {
    title: 'drop of an output',
    files: {
      'loads/core/flights.sql': `drop table core.flight;
insert into core.flight (id, batch_id)
select id, :batch_id from {{ acq.flight }} f`,
    },
    expected: [
      'loads/core/flights.sql:1:12: `drop` of the output `core.flight`: rows of earlier batches would be gone, whatever becomes of this one',
    ],
  },
  {
    title: 'a command of psql',
    files: {
      'loads/core/flights.sql': `\\set x 1
insert into core.flight (id, batch_id)
select id, :batch_id from {{ acq.flight }} f`,
    },
    expected: ['loads/core/flights.sql:1:1: \\set is a command of psql, not SQL'],
  },
  {
    title: 'braces as dbt writes them',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select id, :batch_id from {{ ref('acq.flight') }} f`,
    },
    expected: [
      "loads/core/flights.sql:2:27: {{ ref('acq.flight') }}: \"ref('acq.flight')\" is not the name of a table",
    ],
  },
  {
    title: 'a positional parameter',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select id, $1 from {{ acq.flight }} f`,
    },
    expected: ['loads/core/flights.sql:2:12: $1: positional parameters cannot be used'],
  },
  {
    title: 'a question mark as a parameter',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select id, ? from {{ acq.flight }} f`,
    },
    expected: [
      'loads/core/flights.sql:1:13: nothing stamps `batch_id`: this insert into `core.flight` does not use `:batch_id`',
    ],
  },
  {
    title: 'a parameter inside a string',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select id, ':batch_id' from {{ acq.flight }} f`,
    },
    expected: [
      'loads/core/flights.sql:1:13: nothing stamps `batch_id`: this insert into `core.flight` does not use `:batch_id`',
    ],
  },
  {
    title: 'braces inside a string',
    files: {
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select id, :batch_id from '{{ acq.flight }}' f`,
    },
    expected: [
      'loads/core/flight.yaml:5:40: stage `flights` is cut by `acq.flight` but never uses `{{ acq.flight }}`: it would do everything once per chunk',
    ],
  },
];
