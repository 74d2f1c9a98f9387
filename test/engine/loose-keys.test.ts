/** A column of another table counts as the key of the chunks only where `=` tells apart what the key tells apart. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { waybill } from '../cli/command-line.ts';
import { everyServer } from '../every-server.ts';
import { World } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

const DIM = {
  mysql: `
    create table core.dim (id bigint unsigned, price decimal(20, 2), same varchar(20) collate utf8mb4_bin, loose varchar(10) collate utf8mb4_general_ci, d double, code varchar(20) collate utf8mb4_bin) charset utf8mb4;
    insert into core.dim values (1, 1, 'a', 'a', 1, 'x'), (2, 2, 'A', 'b', 2, 'y');`,
  postgres: `
    create table core.dim (id bigint, price numeric(20, 2), same numeric(30, 25), loose double precision, d double precision, code text);
    insert into core.dim values (1, 1, 0.1, 0.1, 1, 'x'), (2, 2, 0.10000000000000000001, 0.2, 2, 'y');`,
};

/** `k` are two values, one of them twice, which `loose` takes for one, and `same` does not. `f` takes more for one than `same` does. */
const items = {
  mysql: (table: string): string => `
    create table ${table} (rid bigint auto_increment primary key, id int, k varchar(10) collate utf8mb4_bin, big bigint, f varchar(10) collate utf8mb4_general_ci, t varchar(10) collate utf8mb4_bin) charset utf8mb4;
    insert into ${table} (id, k, big, f, t) values (1, 'a', 9007199254740992, 'a', 'x'), (1, 'A', 9007199254740993, 'A', 'x'), (2, 'a', 1, 'a', 'y');`,
  postgres: (table: string): string => `
    create table ${table} (rid bigint generated always as identity primary key, id int, k numeric, big bigint, f double precision, t character(4));
    insert into ${table} (id, k, big, f, t) values (1, 0.1, 9007199254740992, 0.1, 'x'), (1, 0.10000000000000000001, 9007199254740993, 0.1, 'x'), (2, 0.1, 1, 0.1, 'y');`,
};

/** Loads by their names: the key, what is inserted (a price and a count), and whether it is refused. */
const LOADS: Record<string, { key: string; sql: string; refused?: string }> = {
  grouped_loosely: {
    key: 'k',
    sql: 'select max(c.price), count(*), :batch_id from {{ o }} o join core.dim c on c.loose = o.k group by c.loose',
    refused: '`c.loose`',
  },
  by_another: {
    key: 'k',
    sql: 'select max(c.price), count(*), :batch_id from {{ o }} o join core.dim s on s.same = o.k join core.dim c on c.loose = s.same group by c.loose',
    refused: '`c.loose`',
  },
  number_loosely: {
    key: 'big',
    sql: 'select max(c.price), count(*), :batch_id from {{ o }} o join core.dim c on o.big = c.d group by c.d',
    refused: '`c.d`',
  },
  of_a_query: {
    key: 'k',
    sql: 'with d as (select loose, price from core.dim) select max(d.price), count(*), :batch_id from {{ o }} o join d on d.loose = o.k group by d.loose',
    refused: '`d.loose`',
  },
  number_of_a_query: {
    key: 'big',
    sql: 'with d (m, n) as (select x.price, x.d from (select * from core.dim) x) select max(d.m), count(*), :batch_id from {{ o }} o join d on d.n = o.big group by d.n',
    refused: '`d.n`',
  },
  of_a_union: {
    key: 'k',
    sql: 'select max(d.price), count(*), :batch_id from {{ o }} o join (select y.loose, y.price from core.dim y union all select loose, price from core.dim) d on d.loose = o.k group by d.loose',
    refused: '`d.loose`',
  },
  chosen_loosely: {
    key: 'k',
    sql: 'select c.price, 1, :batch_id from core.dim c where c.loose in (select o.k from {{ o }} o)',
    refused: '`c.loose`',
  },
  grouped: {
    key: 'k',
    sql: 'select max(c.price), count(*), :batch_id from {{ o }} o join core.dim c on c.same = o.k group by c.same',
  },
  by_number: {
    key: 'id',
    sql: 'select c.price, count(*), :batch_id from {{ o }} o join core.dim c on c.id = o.id and c.price = c.id group by c.price',
  },
  chosen: {
    key: 'id',
    sql: 'select c.price, 1, :batch_id from core.dim c where c.id in (select o.id from {{ o }} o)',
  },
  // What only joins may be compared as it likes.
  beside: {
    key: 'k',
    sql: 'select max(c.price), count(*), :batch_id from {{ o }} o join core.dim c on c.loose = o.k group by o.k',
  },
  // A double has each of these, and these tell apart more than the key.
  by_double: {
    key: 'id',
    sql: 'select max(c.price), count(*), :batch_id from {{ o }} o join core.dim c on o.id = c.d group by c.d',
  },
  finer: {
    key: 'f',
    sql: 'select max(c.price), count(*), :batch_id from {{ o }} o join core.dim c on c.same = o.f group by c.same',
  },
  by_code: {
    key: 't',
    sql: 'select max(c.price), count(*), :batch_id from {{ o }} o join core.dim c on c.code = o.t group by c.code',
  },
  of_an_expression: {
    key: 'k',
    sql: 'with d as (select coalesce(loose, loose) as l, price from core.dim) select max(d.price), count(*), :batch_id from {{ o }} o join d on d.l = o.k group by d.l',
  },
  of_a_small_number: {
    key: 'id',
    sql: 'with d as (select abs(d) as l, price from core.dim) select max(d.price), count(*), :batch_id from {{ o }} o join d on d.l = o.id group by d.l',
  },
};

/** Those that are run, and do in chunks what they do whole. */
const RIGHT = ['grouped', 'by_number', 'by_double', 'finer', 'by_code'];

const yaml = (name: string, { key, sql }: { key: string; sql: string }): string => `
kind: core
connection: warehouse
inputs: [ { table: acq.${name}, external: true } ]
stages:
  - name: items
    chunk: { input: acq.${name}, rows: 1, key: ${key} }
    sql: >-
      insert into core.${name} ${sql.replace('{{ o }}', `{{ acq.${name} }}`)}
outputs: [ core.${name} ]`;

describe.each(everyServer)('what counts as the key of the chunks on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  async function create(names: string[]): Promise<void> {
    const tables = names.map(
      (name) => `create table core.${name} (price numeric(20, 2), n int, batch_id bigint not null);
        create index ${name}_batch on core.${name} (batch_id);`,
    );
    world = await World.create(server, {
      files: Object.fromEntries(names.map((name) => [`loads/${name}.yaml`, yaml(name, LOADS[name]!)])),
      warehouse: `create schema acq; create schema core; ${tables.join('\n')}`,
      own: {
        mysql: names.map((name) => items.mysql(`acq.${name}`)).join('') + DIM.mysql,
        postgres: names.map((name) => items.postgres(`acq.${name}`)).join('') + DIM.postgres,
      },
    });
  }

  test('is not compared more loosely than that: else validate and the start refuse it', async () => {
    const names = Object.keys(LOADS);
    await create(names);
    const { exitCode, stderr } = await waybill(world, 'validate');
    expect(exitCode).toBe(2);
    for (const name of names) {
      const { refused } = LOADS[name]!;
      const said = new RegExp(
        `loads/${name}\\.yaml:\\d+:\\d+: stage \`items\` is cut by [^\\n]*which are not compared`,
      );
      if (refused === undefined) expect(stderr).not.toMatch(said);
      else expect(stderr).toMatch(said);
    }
    await world.worker();
    const refused = await world.run('grouped_loosely');
    expect(refused).toMatchObject({ ok: false, type: 'Refused' });
    expect(!refused.ok && refused.message).toContain('stage items is cut by k, for which c.loose (');
    expect(!refused.ok && refused.next).toContain('Group by the key itself');
    expect(await world.states('grouped_loosely')).toEqual([]);
    for (const name of RIGHT) {
      const whole = LOADS[name]!.sql.replace('{{ o }}', `acq.${name}`).replace(', :batch_id', '');
      const wanted = await world.rows<object>(`${whole} order by 1, 2`);
      expect(await world.run(name)).toMatchObject({ ok: true });
      const found = await world.rows<object>(`select price, n from core.${name} order by 1, 2`);
      const numbers = (rows: object[]): number[][] => rows.map((row) => Object.values(row).map(Number));
      expect(numbers(found)).toEqual(numbers(wanted));
      expect(found.length).toBeGreaterThan(0);
    }
  });

  test('is doubtful where nobody can describe it, of a key that is often compared in another way', async () => {
    await create(['of_an_expression', 'of_a_small_number']);
    const { exitCode, stdout, stderr } = await waybill(world, 'validate');
    expect(exitCode).toBe(0);
    const said = `${stdout}${stderr}`
      .split('\n')
      .filter((line) => line.includes('nobody can tell by the text whether they are compared as the key is'));
    expect(said).toHaveLength(1);
    expect(said[0]).toContain('loads/of_an_expression.yaml');
  });
});
