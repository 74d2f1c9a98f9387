import { afterEach, describe, expect, test } from 'vitest';
import { someServers } from '../every-server.ts';
import { runSession, type SessionEnd } from './session-run.ts';
import { World, type WorldOptions } from './world.ts';

/** acq.<name> → core.<name>, with what the load saw as its window; it fails while `core.tempo` says that it is broken. */
const core = (name: string): string => `
kind: core
connection: warehouse
inputs: [ { table: acq.${name}, external: true } ]
stages:
  - name: rows
    sql: |
      insert into core.${name} (id, last_at, load_at, batch_id)
      select i.id, :last_load_at, :load_at, :batch_id from {{ acq.${name} }} i
outputs: [ core.${name} ]
checks: [ { name: whole, sql: "select broken from core.tempo where name = '${name}'", expect: 0 } ]
`;

function PROJECT(session: string): WorldOptions {
  return {
    files: {
      'waybill.yaml': `
name: test
connections:
  source: { url: "\${SOURCE_URL}" }
  warehouse: { url: "\${WAREHOUSE_URL}", max_connections: 10 }
sessions:
  nightly: ${session}
`,
      'loads/core/one.yaml': core('one'),
      'loads/core/two.yaml': core('two'),
    },
    warehouse: `
      create schema acq; create schema core;
      create table core.tempo (name varchar(20) primary key, broken int not null default 0);
      insert into core.tempo (name) values ('one'), ('two');
      ${['one', 'two']
        .map(
          (name) => `
      create table acq.${name} (id bigint primary key); insert into acq.${name} values (1);
      create table core.${name} (id bigint primary key, last_at timestamp(3), load_at timestamp(3), batch_id bigint not null);`,
        )
        .join('\n')}`,
  };
}

describe.each(someServers(import.meta.url))('the window of a session on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  const run = (): Promise<SessionEnd> => runSession(world);

  const arrive = async (id: number): Promise<void> => {
    for (const name of ['one', 'two']) await world.warehouse.query(`insert into acq.${name} values (${id})`);
  };

  /** What each row was loaded with, as milliseconds since 1970. */
  const seen = async (name: string): Promise<{ id: number; last: number | null; at: number }[]> => {
    const rows = await world.rows<{ id: string; last_at: unknown; load_at: unknown }>(
      `select id, last_at, load_at from core.${name} order by id`,
    );
    const ms = (value: unknown): number => new Date(value as string).getTime();
    return rows.map((row) => ({
      id: Number(row.id),
      last: row.last_at === null ? null : ms(row.last_at),
      at: ms(row.load_at),
    }));
  };

  test('is one for all its loads, and begins where the one before ended', async () => {
    world = await World.create(server, PROJECT('{ loads: ["core.*"], window: shared }'));
    await world.worker();
    expect(await run()).toMatchObject({ ok: true });
    await arrive(2);
    expect(await run()).toMatchObject({ ok: true });
    const [one, two] = [await seen('one'), await seen('two')];
    expect(one).toEqual(two);
    expect(one).toHaveLength(2);
    expect(one[0]!.last).toBeNull();
    expect(one[1]!.last).toBe(one[0]!.at);
    expect(one[1]!.at).toBeGreaterThan(one[0]!.at);
  });

  test('stays where it is when a load fails; the next run goes on in it, then does what is new', async () => {
    world = await World.create(server, PROJECT('{ loads: ["core.*"], window: shared, sequential: true }'));
    await world.worker();
    await world.warehouse.query(`update core.tempo set broken = 1 where name = 'two'`);
    expect(await run()).toMatchObject({
      ok: false,
      message: 'core.two failed: check failed: "whole" found 1, expected 0',
      next: expect.stringMatching(/; then waybill run nightly, which does not do again what was done$/) as string,
    });
    const [{ at } = { at: 0 }] = await seen('one');
    await arrive(2);
    await world.warehouse.query(`update core.tempo set broken = 0`);
    expect(await run()).toMatchObject({ ok: true });
    const two = await seen('two');
    expect(two.map(({ last }) => last)).toEqual([null, at]); // row 2 came to the second part of the run
    expect(two[0]!.at).toBe(at);
    expect(two[1]!.at).toBeGreaterThan(at);
    await arrive(3);
    expect(await run()).toMatchObject({ ok: true });
    const [last, before] = [(await seen('one')).at(-1)!, two[1]!];
    expect(last.last).toBe(before.at);
    expect(await seen('two')).toMatchObject([{ id: 1 }, { id: 2 }, last]);
  });

  test('a sequential session stops at the first load that fails, without any tie between them', async () => {
    world = await World.create(server, PROJECT('{ loads: ["*.two", "*.one"], sequential: true }'));
    await world.worker();
    await world.warehouse.query(`update core.tempo set broken = 1 where name = 'two'`);
    expect(await run()).toMatchObject({
      ok: false,
      message: 'core.two failed, and 1 that needs it skipped: check failed: "whole" found 1, expected 0',
    });
    expect(await seen('one')).toEqual([]);
    await world.warehouse.query(`update core.tempo set broken = 0`);
    expect(await run()).toMatchObject({ ok: true, result: { loads: [{ load: 'core.two' }, { load: 'core.one' }] } });
    const [one, two] = [await seen('one'), await seen('two')];
    expect(one[0]!.at).toBeGreaterThan(two[0]!.at); // each its own window, one after the other
  });
});
