/** What a landing table of MySQL and MariaDB may be, and its snapshot's twin has to be. */

/** Where foreign keys lead to. */
export const DIM = 'create table dim (id int primary key)';

/** The table `t` of each is the same before and after, on its own and three times over. */
export const PROPERTIES: { what: string; made: string[]; only?: 'MySQL' | 'MariaDB' }[] = [
  {
    what: 'columns of many types, in a table without a key',
    made: [
      `create table t (a bigint unsigned not null, b decimal(30,10) default '1.5', c varchar(20) character set latin1 default 'it''s',
     d datetime(6) not null default current_timestamp(6) on update current_timestamp(6), e enum('x','y') default 'y', f set('p','q'),
     g json, h blob, i timestamp null, j double, k bit(3) default b'101', l year, m time(3), n char(36) default (uuid()))`,
    ],
  },
  {
    what: 'defaults that a strict server would refuse',
    made: [
      "set sql_mode = ''",
      "create table t (a datetime not null default '0000-00-00 00:00:00', b date default '0000-00-00')",
    ],
  },
  {
    what: 'generated columns, stored and virtual',
    made: ["create table t (a int, b int as (a + 1) stored, c varchar(9) as (concat('x', a)) virtual, key (c))"],
  },
  { what: 'invisible columns', made: ['create table t (a int, b int invisible default 1)'] },
  {
    what: 'indexes of all kinds',
    made: [
      `create table t (id int auto_increment primary key, a varchar(99) not null, b int, p point not null, unique key u (a, b),
     key pre (a(5)), key down (b desc), fulltext key ft (a), spatial key sp (p)) comment 'it''s; "a" \`b\` \\\\ AUTO_INCREMENT=5'`,
    ],
  },
  {
    what: 'an index on an expression, and one that is not used',
    only: 'MySQL',
    made: ['create table t (a int, b int, key e ((a + b)), key i (b) invisible)'],
  },
  { what: 'an index that is ignored', only: 'MariaDB', made: ['create table t (a int, key i (a) ignored)'] },
  {
    what: 'CHECKs with and without a name',
    made: [
      `create table t (a int check (a > 0), b int, constraint named check (b < 100), check (a < b), constraint \`odd \`\` name\`
     check (b <> 7))`,
    ],
  },
  {
    what: 'a CHECK that is not enforced',
    only: 'MySQL',
    made: ['create table t (a int, constraint later check (a > 0) not enforced)'],
  },
  {
    what: 'foreign keys with and without a name',
    made: [
      DIM,
      `create table t (id int auto_increment primary key, a int, b int, constraint to_dim foreign key (a) references dim (id),
     foreign key (b) references dim (id) on delete restrict)`,
    ],
  },
  ...(['MySQL', 'MariaDB'] as const).map((only) => ({
    what: 'constraints that are called almost as the server would call them',
    only,
    made: [
      DIM,
      `create table t (a int, b int, c int, constraint T_ibfk_7 foreign key (a) references dim (id), foreign key (a) references dim (id),
         constraint t_ibfk_x foreign key (b) references dim (id), constraint t_ibfk_07 foreign key (c) references dim (id),
         constraint T_chk_1 check (a > 0), constraint t_chk_x check (b > 0), constraint t_chk_07 check (c > 0))`,
    ],
  })),
  {
    what: 'a foreign key into another schema',
    made: [
      'create database :db_other',
      'create table :db_other.dim (id int primary key)',
      'create table t (a int, constraint away foreign key (a) references :db_other.dim (id))',
    ],
  },
  {
    what: 'table options',
    made: [
      `create table t (a int) comment 'mine' row_format = dynamic stats_persistent = 1 stats_sample_pages = 30
     default character set latin1`,
    ],
  },
  { what: 'compressed pages', made: ['create table t (a int primary key) row_format = compressed key_block_size = 8'] },
  {
    what: 'partitions',
    made: [
      `create table t (id int, d date, primary key (id, d)) partition by range columns (d)
     (partition p0 values less than ('2024-01-01'), partition p1 values less than (maxvalue) comment = 'rest')`,
    ],
  },
  {
    what: 'partitions by hash',
    made: ['create table t (id int primary key, a int) partition by hash (id div 10) partitions 4'],
  },
  {
    what: 'partitions by a key, linear',
    made: ['create table t (id int, c varchar(20), primary key (id, c)) partition by linear key (c) partitions 3'],
  },
  {
    what: 'partitions by lists of columns',
    made: [
      `create table t (a int, c varchar(20) character set latin1 collate latin1_general_cs) partition by list columns (c, a)
     (partition p0 values in (('x', 1), ('é', 2)) comment = 'first', partition p1 values in (('X', 1), (null, 3)))`,
    ],
  },
  {
    what: 'subpartitions that have names',
    made: [
      `create table t (id int, d date) partition by range (year(d)) subpartition by hash (id) (
       partition p0 values less than (2024) (subpartition s0 comment = 'mine', subpartition s1),
       partition p1 values less than maxvalue (subpartition s2, subpartition s3))`,
    ],
  },
  {
    what: 'subpartitions of which only the number is said',
    made: [
      `create table t (id int, d date) partition by range (year(d)) subpartition by key (id) subpartitions 2
     (partition p0 values less than (2024), partition p1 values less than (2025))`,
    ],
  },
  {
    what: 'options of which InnoDB makes little or nothing',
    made: [
      `create table t (a int, b varchar(9)) avg_row_length = 70 max_rows = 1000000 min_rows = 7 pack_keys = 1 checksum = 1 delay_key_write = 1
     stats_auto_recalc = 0 stats_sample_pages = 12`,
    ],
  },
  {
    what: 'the reference system of a geometry',
    only: 'MySQL',
    made: [
      'create table t (id int primary key, p point not null srid 4326, q geometry srid 0, r polygon, spatial key (p))',
    ],
  },
  {
    what: 'the reference system of a geometry',
    only: 'MariaDB',
    made: [
      DIM,
      `create table t (id int auto_increment primary key, p point ref_system_id = 4326 not null, q geometry, d int, r polygon ref_system_id = 7,
     spatial key (p), constraint to_dim foreign key (d) references dim (id), check (d > 0))`,
    ],
  },
  {
    what: 'compression of pages',
    only: 'MySQL',
    made: ["create table t (a int primary key, b text) compression = 'zlib'"],
  },
  {
    what: 'compression of pages, and of a column',
    only: 'MariaDB',
    made: [
      'create table t (a int primary key, b text compressed, c varchar(99) compressed=zlib) page_compressed = 1 page_compression_level = 3',
    ],
  },
  {
    what: 'an index on the many values of a document',
    only: 'MySQL',
    made: [
      `create table t (id int primary key, j json, key zips ((cast(j->'$.zip' as unsigned array))),
     unique key names (id, (cast(j->'$.name' as char(20) array))))`,
    ],
  },
  {
    what: 'types that MariaDB alone has',
    only: 'MariaDB',
    made: [
      `create table t (u uuid not null default uuid(), v4 inet4 default '127.0.0.1', v6 inet6 default '::1', primary key (u), key (v6))`,
    ],
  },
  {
    what: 'types and attributes that MySQL alone has',
    only: 'MySQL',
    made: [
      `create table t (v vector(3), a int column_format fixed storage memory, b int column_format dynamic storage disk) encryption = 'n'`,
    ],
  },
  { what: 'names that need quotes', made: ['create table `t` (`a ``b` int, `select` int, key `k ``` (`select`))'] },
  {
    what: 'triggers on every event, several of one, with bodies of all forms',
    made: [
      'create table log (what varchar(200), n int default 1)',
      'create table t (id int auto_increment primary key, a int, b int default 0)',
      'create trigger first before insert on t for each row set new.b = new.b + 1',
      'create trigger second before insert on t for each row begin declare x int default 10; lbl: begin set new.b = new.b * x; end lbl; end',
      'create trigger between_them before insert on t for each row precedes second set new.b = new.b + 2 -- the end',
      "create trigger after_it after insert on t for each row insert into log values ('é 🙂 it''s', 1)",
      'create trigger up before update on t for each row set new.b = old.b',
      "create trigger gone after delete on t for each row if old.a > 0 then insert into log (what) values (concat('gone ', old.id)); end if",
    ],
  },
  {
    what: 'triggers of another sql_mode, character set and definer',
    made: [
      'create table t (a int, b varchar(20))',
      "set sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'",
      `create definer = 'someone''s'@'10.%' trigger "a ""b" before insert on t for each row set new."b" = 'x\\' || new.b`,
      "set sql_mode = '', names latin1",
      "create trigger c after update on t for each row set @x = 'abc'",
    ],
  },
  {
    what: 'a trigger with a question mark, of which MariaDB’s information_schema leaves the character set out',
    only: 'MariaDB',
    made: ['create table t (a int)', "create trigger tr before insert on t for each row set @x = _latin1'a?'"],
  },
  {
    what: 'an application-time period',
    only: 'MariaDB',
    made: ['create table t (a int, f date, u date, period for valid (f, u), unique (a, valid without overlaps))'],
  },
  {
    what: 'a default from a sequence',
    only: 'MariaDB',
    made: ['create sequence s', 'create table t (a int default nextval(s))'],
  },
];
