import { afterEach, describe, expect, test } from 'vitest';
import { waybill } from '../cli/command-line.ts';
import { oneOfEachFamily } from '../every-server.ts';
import { ORDERS, World } from './orders.ts';

const RULES = ['cascade', 'set null'] as const;

describe.each(oneOfEachFamily(import.meta.url))('an output on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  test('whose rows take others with them: validate warns, and on PostgreSQL the batch is told so; not of its own outputs', async () => {
    const options = ORDERS(20);
    const file = 'loads/core/order.yaml';
    world = await World.create(server, {
      ...options,
      files: {
        ...options.files,
        [file]: options.files[file]!.replace('outputs: [ core.orders ]', 'outputs: [ core.orders, core.line ]'),
      },
      warehouse: `${options.warehouse!}
        alter table core.orders add constraint orders_key primary key (id);
        create table core.line (id bigint primary key, of_order bigint, batch_id bigint not null);
        alter table core.line add constraint line_order foreign key (of_order) references core.orders (id) on delete cascade;
        create table core.plain (id bigint);
        alter table core.plain add constraint plain_order foreign key (id) references core.orders (id);
        ${RULES.map(
          (rule, n) => `
            create table core.note${n} (id bigint);
            alter table core.note${n} add constraint note${n}_order foreign key (id) references core.orders (id) on delete ${rule};`,
        ).join('')}`,
    });
    const tells = world.words.family === 'postgres'; // on MariaDB each start would open all tables for it
    const message =
      'a roll back that deletes rows of core.orders would delete or change the rows that refer to them in ' +
      'core.note0 (foreign key note0_order, on delete cascade), core.note1 (foreign key note1_order, on delete set null)';
    const validated = await waybill(world, 'validate');
    expect(validated).toMatchObject({ exitCode: 0 });
    expect(world.names.outOf(validated.stdout + validated.stderr)).toContain(message);
    await world.worker();
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    const told = `select reason from waybill.event where what = 'others_change'`;
    expect(world.names.outOf(await world.rows(told))).toEqual(tells ? [{ reason: message }] : []);
    for (const n of RULES.keys()) await world.warehouse.query(`drop table core.note${n}`);
    await world.warehouse.query(`insert into acq.orders values (21, 'one', 1)`);
    expect(await world.run('core.order')).toMatchObject({ ok: true });
    expect(await world.rows(told)).toHaveLength(tells ? 1 : 0);
    expect((await waybill(world, 'validate')).stdout).not.toContain('would delete or change');
  });
});
