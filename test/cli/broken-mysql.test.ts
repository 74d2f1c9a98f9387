/** Mistakes in projects whose warehouse is MySQL or MariaDB, through the real command line; the source is a PostgreSQL. */
import { afterEach, expect, test } from 'vitest';
import { BASE_PROJECT, type ProjectFiles } from '../config/project-folder.ts';
import { World } from '../engine/world.ts';
import { inTurns } from '../every-server.ts';
import { describeOn, mysqlServers } from '../mysql-servers.ts';
import { servers } from '../servers.ts';
import { document, spawnWaybill, waybill } from './command-line.ts';

interface Broken {
  title: string;
  /** What differs from the warehouse that is right. */
  warehouse?: string;
  files?: ProjectFiles;
  /** Its message, and the place that is said. */
  message: RegExp;
  where: string;
  next?: string;
}

const SOURCE = `create table flight (id bigint primary key, origin varchar(20));
  insert into flight select g, 'LAS' from generate_series(1, 10) g;`;
const WAREHOUSE = `create schema acq; create schema core;
  create table acq.flight (id bigint, origin varchar(20), batch_id bigint, ngdw_id bigint auto_increment primary key);
  create table core.flight (id bigint, batch_id bigint not null);
  create index flight_batch on core.flight (batch_id);
  insert into acq.flight (id, origin, batch_id) values (1, 'LAS', 1), (2, 'LAS', 1);`;
const core = (sql: string): ProjectFiles => ({ 'loads/core/flights.sql': sql });

const keyed = (key: string): ProjectFiles => ({
  'loads/core/flight.yaml': BASE_PROJECT['loads/core/flight.yaml']!.replace(
    'input: acq.flight }',
    `input: acq.flight, key: ${key} }`,
  ),
});

const BROKEN: Broken[] = [
  {
    title: 'a column that a statement names wrongly',
    files: core('insert into core.flight (id, batch_id)\nselect f.idd, :batch_id\nfrom {{ acq.flight }} f\n'),
    message: /^Unknown column 'f\.idd' in '.+': did you mean `id`\?$/,
    where: 'loads/core/flights.sql:2:8',
  },
  {
    title: 'a word that SQL does not know',
    files: core('insert into core.flight (id, batch_id)\nselect f.id, :batch_id\nfrmo {{ acq.flight }} f\n'),
    message: /^You have an error in your SQL syntax/,
    where: 'loads/core/flights.sql:3:6',
  },
  {
    title: 'a statement that commits by itself',
    files: core(
      'insert into core.flight (id, batch_id) select f.id, :batch_id from {{ acq.flight }} f;\ntruncate table core.seen\n',
    ),
    message: /truncate/i,
    where: 'loads/core/flights.sql:2:1',
  },
  {
    title: 'an output that no roll back empties',
    warehouse: 'alter table core.flight engine = MyISAM',
    message:
      /^`core\.flight` is a MyISAM table, and only a plain table can be used here: rows of another engine than InnoDB may stay after a roll back$/,
    where: 'loads/core/flight.yaml:6:11',
    next: 'alter table core.flight engine = InnoDB; or name another table',
  },
  {
    title: 'a statement whose rows no roll back takes out again',
    warehouse: 'create table core.seen (id bigint) engine = MyISAM',
    files: core(
      'insert into core.flight (id, batch_id) select f.id, :batch_id from {{ acq.flight }} f;\ninsert into core.seen select f.id from {{ acq.flight }} f\n',
    ),
    message:
      /^`core\.seen` is a table of MyISAM, which keeps what a chunk that is rolled back has written: the next attempt writes it again$/,
    where: 'loads/core/flights.sql:2:13',
  },
  {
    title: 'rows that nothing numbers',
    warehouse: 'alter table acq.flight modify ngdw_id bigint not null',
    message: /^`ngdw_id` of `acq\.flight` has no default: nothing would number the rows$/,
    where: 'loads/acquisition/flight.yaml:4:14',
  },
  {
    title: 'a landing table that nothing cuts',
    warehouse: 'alter table acq.flight modify ngdw_id bigint default 1, drop primary key',
    message: /^`acq\.flight` has no primary key and no unique index by which it could be cut into chunks$/,
    where: 'loads/core/flight.yaml:5:47',
  },
  {
    title: 'a chunk key whose values have no order',
    warehouse: 'alter table acq.flight add spots geometrycollection',
    files: keyed('[id, spots]'),
    message: /^acq\.flight\.spots is geom(?:etry)?collection: its values have no order, so no chunks can be cut by it$/,
    where: 'loads/core/flight.yaml:5:83', // behind a table's name, which a test's prefix makes longer
  },
  {
    title: 'a range over texts',
    files: {
      'loads/task/flight.yaml': `kind: task
connection: warehouse
range: { of: acq.flight.origin, step: 10 }
sql: update core.flight set id = id + 1 where id >= :from and id < :to
`,
    },
    message: /^acq\.flight\.origin is varchar\(20\): no ranges can be made of it$/,
    where: 'loads/task/flight.yaml:3:14',
  },
];

const BROKEN_MARIADB: Broken[] = [
  {
    title: 'an output of Aria, which outlives crashes, and no roll back empties it',
    warehouse: 'alter table core.flight engine = Aria',
    message:
      /^`core\.flight` is an Aria table, and only a plain table can be used here: rows of another engine than InnoDB may stay after a roll back$/,
    where: 'loads/core/flight.yaml:6:11',
    next: 'alter table core.flight engine = InnoDB; or name another table',
  },
  {
    title: 'an output that keeps a history',
    warehouse: 'alter table core.flight add system versioning',
    message:
      /^`core\.flight` is a system-versioned table, and only a plain table can be used here: its history would keep what a roll back deletes$/,
    where: 'loads/core/flight.yaml:6:11',
    next: 'name another table',
  },
];

const FINGERPRINT = `
  select table_schema as s, table_name as t, column_name as c, column_type as d from information_schema.columns
  where left(table_schema, 10) = left(database(), 10) order by 1, 2, ordinal_position`;

const those = await mysqlServers();

describeOn(those, 'a broken project with a warehouse on $name', (server) => {
  const it = inTurns(import.meta.url, server, those);
  let world: World;
  afterEach(() => world.close());

  const body =
    ({ warehouse, files, message, where, next }: Broken) =>
    async () => {
      const project = Object.entries({ ...BASE_PROJECT, ...files }).map(([file, text]) => [file, text!]);
      const options = {
        files: Object.fromEntries(project) as Record<string, string>,
        source: SOURCE,
        warehouse: WAREHOUSE,
      };
      world = await World.create(server, options, servers[0]);
      if (warehouse !== undefined) await world.warehouse.query(warehouse);
      const found = () =>
        Promise.all([FINGERPRINT, 'checksum table acq.flight, core.flight'].map((text) => world.rows(text)));
      const before = await found();
      const answer = await waybill(world, 'validate', '--json');
      expect(answer.exitCode, answer.stderr).toBe(2);
      expect(answer.stdout.trimEnd().split('\n')).toHaveLength(1);
      const { error } = document(answer) as { error: Record<string, string> };
      expect(error).toMatchObject({ type: 'Configuration', message: expect.stringMatching(message) as string, where });
      if (next !== undefined) expect(error['next']).toBe(next);
      expect(await found()).toEqual(before);
    };
  for (const broken of BROKEN) it(broken.title, body(broken));
  if (server.flavour === 'MariaDB') for (const broken of BROKEN_MARIADB) test(broken.title, body(broken));

  test('a step that writes to such a table is warned of: it runs once, unless it is cut off', async () => {
    const steps = 'before: [ insert into core.seen values (1) ]';
    const yaml = `${BASE_PROJECT['loads/core/flight.yaml']}${steps}\n`;
    const files = { ...BASE_PROJECT, 'loads/core/flight.yaml': yaml } as Record<string, string>;
    world = await World.create(server, { files, source: SOURCE, warehouse: WAREHOUSE }, servers[0]);
    await world.warehouse.query('create table core.seen (id bigint) engine = MyISAM');
    const answer = await waybill(world, 'validate', '--json');
    expect(answer.exitCode, answer.stderr).toBe(0);
    expect(document(answer)).toMatchObject({
      warnings: [
        {
          file: 'loads/core/flight.yaml',
          message:
            '`core.seen` is a table of MyISAM, which keeps what a step that is cut off or fails has written: the next attempt writes it again',
          next: 'alter table core.seen engine = InnoDB; or write to another table',
        },
      ],
    });
  });

  test('is broken by nothing else: without the mistake it is right', { timeout: 60_000 }, async () => {
    const files = BASE_PROJECT as Record<string, string>;
    world = await World.create(server, { files, source: SOURCE, warehouse: WAREHOUSE }, servers[0]);
    expect(await spawnWaybill(world, ['validate', '--json']).answer).toMatchObject({ exitCode: 0, stderr: '' });
  });
});
