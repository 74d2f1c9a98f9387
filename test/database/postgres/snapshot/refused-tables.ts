/** A table that cannot be snapshotted: SQL over `acq.flight (id int, v text, note text)`. */
export interface RefusedTable {
  title: string;
  /** Statements before, each by itself: those that no transaction may hold. */
  alone?: string[];
  setUp: string;
  /** What the reason says. */
  reason: RegExp;
  since?: number;
  /** The role that asks. Default: the superuser. */
  role?: string;
  tearDown?: string;
}

const OWNED = `grant create, usage on schema acq to snap_owner; alter table acq.flight owner to snap_owner;`;
const INSTEAD = (create: string) => `drop table acq.flight; ${create}`;

export const REFUSED_TABLES: RefusedTable[] = [
  { title: 'an absent table', setUp: `drop table acq.flight`, reason: /acq\.flight does not exist/ },
  { title: 'a view', setUp: INSTEAD(`create view acq.flight as select 1 as id`), reason: /^acq\.flight is a view$/ },
  {
    title: 'a materialized view',
    setUp: INSTEAD(`create materialized view acq.flight as select 1 as id`),
    reason: /is a materialized view/,
  },
  {
    title: 'a foreign table',
    setUp: INSTEAD(
      `create foreign data wrapper w; create server s foreign data wrapper w; create foreign table acq.flight (id int) server s`,
    ),
    reason: /is a foreign table/,
  },
  { title: 'a sequence', setUp: INSTEAD(`create sequence acq.flight`), reason: /is a sequence/ },
  {
    title: 'a table of another access method than heap',
    setUp: INSTEAD(
      `create function acq.handler(internal) returns table_am_handler language internal as 'heap_tableam_handler';
       create access method columns type table handler acq.handler; create table acq.flight (id int, v text) using columns`,
    ),
    reason: /acq\.flight has the access method columns/,
  },
  { title: 'an unlogged table', setUp: `alter table acq.flight set unlogged`, reason: /is unlogged/ },
  {
    title: 'a partitioned table',
    setUp: INSTEAD(`create table acq.flight (id int) partition by range (id)`),
    reason: /is a partitioned table/,
  },
  {
    title: 'a partition',
    setUp: `create table acq.p (like acq.flight) partition by range (id); alter table acq.p attach partition acq.flight default`,
    reason: /is a partition/,
  },
  {
    title: 'a table that inherits',
    setUp: `create table acq.p (id int); alter table acq.flight inherit acq.p`,
    reason: /acq\.flight inherits from acq\.p/,
  },
  {
    title: 'a table with children',
    setUp: `create table acq.c () inherits (acq.flight)`,
    reason: /acq\.c inherits from acq\.flight/,
  },
  {
    title: 'a typed table',
    setUp: INSTEAD(`create type acq.ft as (id int); create table acq.flight of acq.ft`),
    reason: /is a typed table \(of acq\.ft\)/,
  },
  {
    title: 'row level security without policies',
    setUp: `alter table acq.flight enable row level security`,
    reason: /has row level security$/,
  },
  {
    title: 'row level security with policies',
    setUp: `create policy mine on acq.flight to snap_reader using (true)`,
    reason: /row level security \(policies: mine\)/,
  },
  {
    title: 'a table fed by logical replication',
    setUp: `create subscription s_:db connection 'dbname=nowhere' publication p with (connect = false); set allow_system_table_mods = on;
      insert into pg_subscription_rel (srsubid, srrelid, srsubstate) select oid, 'acq.flight'::regclass, 'r' from pg_subscription where subname = 's_:db'`,
    reason: /is fed by logical replication \(subscription s_t\w+\)/,
    tearDown: `alter subscription s_:db disable; alter subscription s_:db set (slot_name = none); drop subscription s_:db`,
  },
  {
    title: 'a snapshot',
    setUp: `create trigger waybill_refuse_write before insert on acq.flight execute function waybill.refuse_snapshot_write()`,
    reason: /is itself a snapshot/,
  },
  {
    title: 'a foreign key from another table',
    setUp: `alter table acq.flight add primary key (id); create table acq.o (f int references acq.flight)`,
    reason: /foreign key o_f_fkey of acq\.o refers to acq\.flight/,
  },
  {
    title: 'a foreign key from a partitioned table',
    setUp: `alter table acq.flight add primary key (id); create table acq.o (f int references acq.flight) partition by range (f); create table acq.o1 partition of acq.o default`,
    reason: /of acq\.o refers to acq\.flight/,
  },
  {
    title: 'a foreign key to itself',
    setUp: `alter table acq.flight add primary key (id), add parent int references acq.flight`,
    reason: /foreign key flight_parent_fkey of acq\.flight refers to the table itself/,
  },
  {
    title: 'a foreign key that cascades deletes',
    setUp: `create table acq.o (n int primary key); alter table acq.flight add foreign key (id) references acq.o on delete cascade`,
    reason: /changes rows when acq\.o changes \(on delete\)/,
  },
  {
    title: 'a foreign key that sets null on update',
    setUp: `create table acq.o (n int primary key); alter table acq.flight add foreign key (id) references acq.o on update set null`,
    reason: /changes rows when acq\.o changes \(on update\)/,
  },
  {
    title: 'a foreign key that sets the default on delete',
    setUp: `create table acq.o (n int primary key); alter table acq.flight alter id set default 0, add foreign key (id) references acq.o on delete set default`,
    reason: /changes rows when acq\.o changes \(on delete\)/,
  },
  {
    title: 'a foreign key whose triggers are off',
    setUp: `create table acq.o (n int primary key); alter table acq.flight add foreign key (id) references acq.o; alter table acq.flight disable trigger all`,
    reason: /the triggers of foreign key flight_id_fkey/,
  },
  {
    title: 'an index that is not valid',
    setUp: `create index broken on acq.flight (id); update pg_index set indisvalid = false where indexrelid = 'acq.broken'::regclass`,
    reason: /index acq\.broken is not valid/,
  },
  {
    title: 'a materialized view on it',
    setUp: `create materialized view acq.mv as select id from acq.flight`,
    reason: /materialized view acq\.mv reads acq\.flight/,
  },
  {
    title: 'a function with an SQL body',
    setUp: `create function acq.f() returns bigint begin atomic; select count(*) from acq.flight; end`,
    reason: /function acq\.f\(\) depends on table acq\.flight/,
  },
  {
    title: 'a function that takes its rows',
    setUp: `create function acq.f(acq.flight) returns int language sql as 'select $1.id'`,
    reason: /function acq\.f\(acq\.flight\) depends on type acq\.flight/,
  },
  {
    title: 'a function that gives its rows',
    setUp: `create function acq.f() returns setof acq.flight language sql as 'select * from acq.flight'`,
    reason: /function acq\.f\(\) depends on type acq\.flight/,
  },
  {
    title: 'a column of its row type',
    setUp: `create table acq.o (f acq.flight)`,
    reason: /column f of table acq\.o depends on type acq\.flight/,
  },
  {
    title: 'a column of an array of its row type',
    setUp: `create table acq.o (f acq.flight[])`,
    reason: /column f of table acq\.o depends on type acq\.flight\[\]/,
  },
  {
    title: 'a view that gives whole rows',
    setUp: `create view acq.v as select f as whole from acq.flight f`,
    reason: /column whole of view acq\.v depends on type acq\.flight/,
  },
  {
    title: 'a view that casts to its row type',
    setUp: `create view acq.v as select (row(1, 'a', 'b')::acq.flight).id`,
    reason: /depends on type acq\.flight/,
  },
  {
    title: 'a domain over its row type',
    setUp: `create domain acq.d as acq.flight`,
    reason: /type acq\.d depends on type acq\.flight/,
  },
  {
    title: 'a cast from its row type',
    setUp: `create function acq.f(acq.flight) returns int language sql as 'select 1'; create cast (acq.flight as int) with function acq.f(acq.flight)`,
    reason: /cast from acq\.flight to integer/,
  },
  {
    title: 'a rule of another table',
    setUp: `create table acq.o (id int); create rule copy as on insert to acq.o do also insert into acq.flight (id) values (new.id)`,
    reason: /rule copy of acq\.o uses acq\.flight/,
  },
  {
    title: 'a policy of another table',
    setUp: `create table acq.o (id int); create policy p on acq.o using (id in (select id from acq.flight))`,
    reason: /policy p on table acq\.o depends on/,
  },
  {
    title: 'a constraint trigger of another table that refers to it',
    setUp: `create table acq.o (id int); create function acq.t() returns trigger language plpgsql as 'begin return null; end'; create constraint trigger ct after insert on acq.o from acq.flight for each row execute function acq.t()`,
    reason: /constraint trigger ct of acq\.o refers to acq\.flight/,
  },
  {
    title: "another table's default from its identity sequence",
    setUp: `alter table acq.flight add k int generated always as identity; create table acq.o (n int default nextval('acq.flight_k_seq'))`,
    reason: /default value for column n of table acq\.o depends on sequence acq\.flight_k_seq/,
  },
  {
    title: 'a view of its identity sequence',
    setUp: `alter table acq.flight add k int generated always as identity; create view acq.v as select last_value from acq.flight_k_seq`,
    reason: /depends on sequence acq\.flight_k_seq/,
  },
  {
    title: 'an identity sequence that is not permanent',
    setUp: `alter table acq.flight add k int generated always as identity; alter sequence acq.flight_k_seq set unlogged`,
    reason: /^identity sequence acq\.flight_k_seq is not permanent$/,
  },
  {
    title: 'a table of an extension',
    setUp: `alter extension plpgsql add table acq.flight`,
    reason: /table acq\.flight belongs to, or is dropped with, extension plpgsql/,
  },
  {
    title: 'an index that goes with an extension',
    setUp: `create index i on acq.flight (id); alter index acq.i depends on extension plpgsql`,
    reason: /index acq\.i belongs to, or is dropped with, extension plpgsql/,
  },
  {
    title: 'security labels',
    setUp: `set allow_system_table_mods = on; insert into pg_seclabel values ('acq.flight'::regclass, 'pg_class'::regclass, 1, 'fake', 'secret')`,
    reason: /has security labels/,
  },
  {
    title: 'grants on the row type',
    setUp: `revoke usage on type acq.flight from public`,
    reason: /row type of acq\.flight has grants/,
  },
  {
    title: 'a type that took the name of the snapshot',
    setUp: `create type acq.flight_processing as enum ('a')`,
    reason: /flight_processing is taken by type/,
  },
  {
    title: 'an index that took the name of the snapshot',
    setUp: `create index flight_processing on acq.flight (id)`,
    reason: /flight_processing is taken by index/,
  },
  {
    title: 'a table that the role does not own',
    role: 'snap_stranger',
    setUp: `grant usage on schema acq to snap_stranger`,
    reason: /role snap_stranger is not the owner of acq\.flight/,
  },
  {
    title: 'a schema in which the role may create nothing',
    role: 'snap_owner',
    setUp: `${OWNED} revoke create on schema acq from snap_owner`,
    reason: /may not create tables in schema acq/,
  },
  {
    title: 'a tablespace in which the role may create nothing',
    role: 'snap_owner',
    alone: ['set allow_in_place_tablespaces = on', `create tablespace full_:db location ''`],
    setUp: `alter table acq.flight set tablespace full_:db; ${OWNED}`,
    reason: /role snap_owner may not create in tablespace full_t\w+, where table acq\.flight is/,
    tearDown: 'alter table acq.flight set tablespace pg_default; drop tablespace full_:db',
  },
  {
    title: 'a tablespace of an index in which the role may create nothing',
    role: 'snap_owner',
    alone: ['set allow_in_place_tablespaces = on', `create tablespace full_:db location ''`],
    setUp: `create index i on acq.flight (id) tablespace full_:db; ${OWNED}`,
    reason: /role snap_owner may not create in tablespace full_t\w+, where index acq\.i is/,
    tearDown: 'drop index acq.i; drop tablespace full_:db',
  },
  {
    title: 'an owner that the role may not give tables to',
    role: 'snap_loader',
    setUp: `${OWNED} grant create on schema acq to snap_loader; revoke create on schema acq from snap_owner`,
    reason: /cannot give a new table to snap_owner/,
  },
  {
    title: 'an owner who took all rights from himself',
    role: 'snap_loader',
    setUp: `${OWNED} grant create, usage on schema acq to snap_loader; revoke all on acq.flight from snap_owner`,
    reason: /role snap_loader lacks update, trigger on acq\.flight, to lock it and to guard its snapshot/,
  },
  {
    title: 'an owner who may make no triggers',
    role: 'snap_owner',
    setUp: `${OWNED} revoke trigger on acq.flight from snap_owner`,
    reason: /role snap_owner lacks trigger on acq\.flight/,
  },
  {
    title: "somebody else's view",
    role: 'snap_owner',
    setUp: `${OWNED} create view acq.v as select id from acq.flight`,
    reason: /view acq\.v reads acq\.flight and belongs to postgres/,
  },
  {
    title: "somebody else's publication",
    role: 'snap_owner',
    setUp: `${OWNED} create publication p for table acq.flight`,
    reason: /in publication p of postgres/,
  },
  {
    title: "somebody else's statistics",
    role: 'snap_owner',
    setUp: `${OWNED} create statistics acq.s on id, v from acq.flight; alter statistics acq.s owner to postgres`,
    reason: /statistics acq\.s belong to postgres/,
  },
  {
    title: 'a referenced table that the role may not lock',
    role: 'snap_owner',
    setUp: `create table acq.o (n int primary key); alter table acq.flight add foreign key (id) references acq.o; ${OWNED} grant references on acq.o to snap_owner`,
    reason: /foreign key flight_id_fkey of acq\.flight refers to acq\.o, which role snap_owner may not/,
  },
  {
    title: 'a trigger function that the role may not execute',
    role: 'snap_owner',
    setUp: `create function acq.t() returns trigger language plpgsql as 'begin return null; end'; create trigger g after insert on acq.flight execute function acq.t(); ${OWNED} revoke execute on function acq.t() from public`,
    reason: /may not execute acq\.t\(\)/,
  },
  {
    title: 'types, collations, operator classes, operators, functions and tables of schemas that the role may not use',
    role: 'snap_owner',
    setUp: `create schema far; create domain far.code as int; create collation far.mine (provider = icu, locale = 'de');
      create operator class far.by_hash for type int using btree as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 btint4cmp(int, int);
      create function far.t() returns trigger language plpgsql as 'begin return null; end'; create table far.o (n int primary key);
      create function far.same(int, int) returns boolean immutable language sql as 'select $1 = $2';
      create operator far.=== (procedure = far.same, leftarg = int, rightarg = int, commutator = operator(far.===));
      create operator class far.mine for type int using btree as operator 3 far.===, function 1 btint4cmp(int, int);
      alter table acq.flight add c far.code[], alter v type text collate far.mine, add foreign key (id) references far.o,
        add constraint apart exclude using btree (id far.mine with operator(far.===));
      create index by_hash on acq.flight (id far.by_hash, note collate far.mine);
      create trigger g after insert on acq.flight execute function far.t();
      create rule r as on update to acq.flight do also insert into far.o values (new.id);
      ${OWNED} grant references, update on far.o to snap_owner`,
    reason:
      /role snap_owner may not use schema far, of a collation of index by_hash, a table of rule r, an operator class of index apart, an operator class of index by_hash, an operator of constraint apart, the collation of column v, the function of trigger g, the table of foreign key flight_id_fkey, the type of column c of acq\.flight/,
  },
  {
    title: 'a type that the role may not use',
    role: 'snap_owner',
    setUp: `create type acq.mood as enum ('a'); revoke usage on type acq.mood from public; alter table acq.flight add m acq.mood[]; ${OWNED}`,
    reason: /role snap_owner may not use type acq\.mood\[\], of column m of acq\.flight/,
  },
  {
    title: 'a function of a CHECK that the role may not execute',
    role: 'snap_owner',
    setUp: `create function acq.f(int) returns boolean immutable language sql as 'select true'; alter table acq.flight add constraint c check (acq.f(id));
      ${OWNED} revoke execute on function acq.f(int) from public`,
    reason: /role snap_owner may not execute acq\.f\(integer\), which constraint c of acq\.flight calls/,
  },
  {
    title: 'a grant of a role that may not use the schema any more',
    role: 'snap_loader',
    setUp: `${OWNED} grant create, usage on schema acq to snap_loader; grant usage on schema acq to snap_granter; grant select on acq.flight to snap_granter with grant option;
      set role snap_granter; grant select on acq.flight to snap_reader; reset role; revoke usage on schema acq from snap_granter; grant snap_granter to snap_loader`,
    reason: /a grant on acq\.flight was made by snap_granter, which may not use schema acq any more/,
    tearDown: `revoke snap_granter from snap_loader`,
  },
  {
    title: 'a grant of a role that the role cannot become',
    role: 'snap_owner',
    setUp: `${OWNED} grant usage on schema acq to snap_granter; grant select on acq.flight to snap_granter with grant option; set role snap_granter; grant select on acq.flight to snap_reader; reset role`,
    reason: /a grant on acq\.flight was made by snap_granter/,
  },
];
