/** A column of another table counts as the key of the chunks only where `=` tells apart what the key tells apart. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { waybill } from '../cli/command-line.ts';
import { everyServer } from '../every-server.ts';
import { World } from './world.ts';

vi.setConfig({ testTimeout: 180_000 });

const DIM = {
  mysql: `
    create table core.dim (id bigint unsigned, price decimal(20, 2), same varchar(20) collate utf8mb4_bin, loose varchar(10) collate utf8mb4_general_ci, d double) charset utf8mb4;
    insert into core.dim values (1, 1, 'a', 'a', 1), (2, 2, 'A', 'b', 2);`,
  postgres: `
    create table core.dim (id bigint, price numeric(20, 2), same numeric(30, 25), loose double precision, d real);
    insert into core.dim values (1, 1, 0.1, 0.1, 1), (2, 2, 0.10000000000000000001, 0.2, 2);`,
};

/** `k` are two values, one of them twice, which `loose` takes for one, and `same` does not. */
const items = {
  mysql: (table: string): string => `
    create table ${table} (rid bigint auto_increment primary key, id int, k varchar(10) collate utf8mb4_bin) charset utf8mb4;
    insert into ${table} (id, k) values (1, 'a'), (1, 'A'), (2, 'a');`,
  postgres: (table: string): string => `
    create table ${table} (rid bigint generated always as identity primary key, id int, k numeric);
    insert into ${table} (id, k) values (1, 0.1), (1, 0.10000000000000000001), (2, 0.1);`,
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
    key: 'id',
    sql: 'select max(c.price), count(*), :batch_id from {{ o }} o join core.dim c on o.id = c.d group by c.d',
    refused: '`c.d`',
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
  of_a_query: {
    key: 'k',
    sql: 'with d as (select loose, price from core.dim) select max(d.price), count(*), :batch_id from {{ o }} o join d on d.loose = o.k group by d.loose',
  },
};

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
    for (const name of ['grouped', 'by_number']) {
      expect(await world.run(name)).toMatchObject({ ok: true });
      const found = await world.rows<object>(`select price, n from core.${name} order by price`);
      expect(found.map((row) => Object.values(row).map(Number))).toEqual([
        [1, 2],
        [2, 1],
      ]);
    }
  });

  test('is doubtful where nobody can describe it, of a key of texts', async () => {
    await create(['of_a_query']);
    const { exitCode, stdout, stderr } = await waybill(world, 'validate');
    expect(exitCode).toBe(0);
    const isText = world.words.family === 'mysql';
    expect(`${stdout}${stderr}`.includes('nobody can tell by the text whether they are compared as the key is')).toBe(
      isText,
    );
  });
});
