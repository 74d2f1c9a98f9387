import { randomInt } from 'node:crypto';
import { escapeIdentifier } from 'pg';
import { afterEach, describe, expect } from 'vitest';
import { LoadFailedError } from '../../../../src/errors.ts';
import { expressionRefusals } from '../../../../src/database/postgres/snapshot/refuse/expressions.ts';
import { snapshotRefusals } from '../../../../src/database/postgres/snapshot/refusals.ts';
import { swapTable } from '../../../../src/database/postgres/snapshot/swap.ts';
import { inTurns } from '../../../every-server.ts';
import { servers } from '../../../servers.ts';
import { REFUSED_TABLES } from './refused-tables.ts';
import { FLIGHT, inTransaction, Scene } from './scene.ts';

const OBJECTS = `select pg_describe_object('pg_class'::regclass, c.oid, 0) as object, c.oid, relname, relacl from pg_class c order by c.oid`;

describe.each(servers)('what cannot be snapshotted on $name', (server) => {
  const turn = inTurns(import.meta.url, server, servers);
  let scene: Scene;
  afterEach(() => scene.close());

  for (const { title, alone = [], setUp, reason, role, tearDown } of REFUSED_TABLES) {
    turn(title, async () => {
      scene = await Scene.open(server);
      const { client } = scene;
      await scene.setUp([...alone, setUp]);
      if (role) await client.query(`set session authorization ${role}`);
      try {
        const refusals = await snapshotRefusals(client, FLIGHT);
        expect(refusals.map((refusal) => refusal.reason).join('\n')).toMatch(new RegExp(reason.source, 'm'));
        for (const { next } of refusals) expect(next).not.toBe('');

        const before = await client.query(OBJECTS);
        const swap = inTransaction(client, () =>
          swapTable(client, FLIGHT, { processingName: 'flight_processing', controlSchema: 'waybill' }),
        );
        const error = await swap.catch((caught: unknown) => caught);
        expect(error).toBeInstanceOf(LoadFailedError);
        expect((error as Error).message).toMatch(new RegExp(reason.source.replace(/^\^|\$$/g, '')));
        expect((await client.query(OBJECTS)).rows).toEqual(before.rows);
      } finally {
        await client.query('reset session authorization');
        if (tearDown) await scene.setUp(tearDown.split(';'));
      }
    });
  }

  turn('a table that says nothing odd is not refused, and nothing is locked by asking', async () => {
    scene = await Scene.open(server);
    const other = await scene.connect('other');
    await other.query('begin; lock table acq.flight in access exclusive mode');
    await scene.client.query('begin');
    expect(await snapshotRefusals(scene.client, FLIGHT)).toEqual([]);
    const locks = await scene.client.query(
      `select 1 from pg_locks where pid = pg_backend_pid() and relation = 'acq.flight'::regclass`,
    );
    expect(locks.rowCount).toBe(0);
    await scene.client.query('rollback');
  });

  turn('asked about one table after the other on a connection, it is planned once', async () => {
    scene = await Scene.open(server);
    const { client } = scene;
    await client.query('begin');
    for (let i = 0; i < 3; i += 1) expect(await snapshotRefusals(client, FLIGHT)).toEqual([]);
    const { rows } = await client.query(
      `select generic_plans::int as kept, custom_plans::int as anew from pg_prepared_statements where name like 'waybill_refusals_%'`,
    );
    expect(rows).toEqual([{ kept: 3, anew: 0 }]);
    await client.query('rollback');
  });

  turn(
    'a function in SQL that needs a search_path, where an index, a CHECK or a generated column calls it',
    async () => {
      scene = await Scene.open(server);
      const { client } = scene;
      const make = (body: string) => `
      create or replace function acq.f(int) returns int immutable language sql as 'select ${body}';
      create or replace function acq.p(int) returns int immutable language plpgsql as 'begin return ${body}; end'`;
      await client.query(`
      create function acq.g(int) returns int immutable language sql as 'select $1 + 1';
      ${make('acq.g($1)')};
      create index by_f on acq.flight (acq.f(id), lower(v));
      create index by_part on acq.flight (id) where v is not null and acq.f(id) > 0;
      create index by_p on acq.flight (acq.p(id));
      alter table acq.flight add constraint positive check (acq.f(id) > 0), add check (acq.p(id) > 0),
        add twice int generated always as (acq.f(id)) stored, add once int generated always as (acq.p(1)) stored`);
      const asked = () => inTransaction(client, () => expressionRefusals(client, FLIGHT));
      expect(await asked()).toEqual([]);
      await client.query(`set search_path = acq; ${make('g($1)')}; insert into flight values (1); reset search_path`);
      const why = 'of acq.flight calls a function that needs a search_path: function g(integer) does not exist';
      expect((await asked()).map(({ reason }) => reason).sort()).toEqual([
        `constraint positive ${why}`,
        `index acq.by_f ${why}`,
        `index acq.by_part ${why}`,
        `the expression of column once ${why}`,
        `the expression of column twice ${why}`,
      ]);
      await expect(scene.swap()).rejects.toThrow('function g(integer) does not exist');
      await client.query(
        'drop index acq.by_f, acq.by_part; alter table acq.flight drop constraint positive, drop twice',
      );
      await expect(scene.swap()).rejects.toThrow('function g(integer) does not exist'); // of a generated column alone

      const other = await scene.connect('other');
      await other.query('begin; lock table acq.flight in access exclusive mode');
      expect(await asked()).toEqual([]); // it must not wait for long
      await other.query('rollback');
      await client.query(
        'alter function acq.f(int) set search_path = acq, pg_temp; alter function acq.p(int) set search_path = acq, pg_temp',
      );
      expect(await asked()).toEqual([]);
      await scene.swap();
    },
  );

  turn('what expressions name in a schema that the role may not use', async () => {
    scene = await Scene.open(server);
    const { client } = scene;
    await client.query(`
      create schema far; grant usage, create on schema acq to snap_owner;
      create function far.f(int) returns int immutable language sql as 'select $1';
      create sequence far.s; create table far.o (n int)`);
    await client.query(`
      alter table acq.flight add d int default far.f(1), add s bigint default nextval('far.s'), add g int generated always as (far.f(id)) stored,
        add constraint c check (far.f(id) > 0);
      create index i on acq.flight (far.f(id)); create statistics acq.st on far.f(id), v from acq.flight;
      create view acq.v as select f.id from acq.flight f where f.id in (select n from far.o);
      alter table acq.flight owner to snap_owner; alter view acq.v owner to snap_owner; alter statistics acq.st owner to snap_owner;
      grant select on far.o to snap_owner; set session authorization snap_owner`);
    const asked = () => inTransaction(client, () => expressionRefusals(client, FLIGHT));
    try {
      const why = 'names what role snap_owner may not use: permission denied for schema far';
      const all = [
        'constraint c',
        'index acq.i',
        'statistics st',
        'the default of column d',
        'the default of column s',
        'the expression of column g',
      ];
      expect((await asked()).map(({ reason }) => reason).sort()).toEqual([
        ...all.map((one) => `${one} of acq.flight ${why}`),
        `view acq.v ${why}`,
      ]);
      await expect(scene.swap()).rejects.toThrow('permission denied for schema far');
      await client.query(
        'reset session authorization; grant usage on schema far to snap_owner; set session authorization snap_owner',
      );
      expect(await asked()).toEqual([]);
      await scene.swap();
    } finally {
      await client.query('reset session authorization');
    }
  });

  turn('names: 63 bytes with the suffix are the most', async () => {
    scene = await Scene.open(server);
    const name = `${'ü'.repeat(26)}`; // 52 bytes, 63 with _processing
    await scene.client.query(`create table acq."${name}" (id int); create table acq."${name}x" (id int)`);
    expect(await snapshotRefusals(scene.client, { schema: 'acq', name })).toEqual([]);
    const [refusal] = await snapshotRefusals(scene.client, { schema: 'acq', name: `${name}x` });
    expect(refusal?.reason).toContain('longer than 63 bytes');
  });

  turn('nothing for the name of a role: capitals, dots, blanks, digits alone', async () => {
    scene = await Scene.open(server);
    const { client } = scene;
    await client.query('create statistics acq.s on id, v from acq.flight');
    for (const name of [`Jane.Doe ${scene.name}`, String(randomInt(1e9, 2e9))]) {
      const role = escapeIdentifier(name);
      await client.query(`
        create role ${role}; alter table acq.flight owner to ${role}; alter statistics acq.s owner to ${role};
        grant usage, create on schema acq to ${role}; set session authorization ${role}`);
      try {
        expect(await snapshotRefusals(client, FLIGHT)).toEqual([]);
        await scene.swap();
      } finally {
        await client.query(`reset session authorization; drop table if exists acq.flight_processing`);
        await client.query(`reassign owned by ${role} to current_user; drop owned by ${role}; drop role ${role}`);
      }
    }
  });

  turn('a system catalog, a temporary table', async () => {
    scene = await Scene.open(server);
    await scene.client.query('create temporary table scratch (id int)');
    const { rows } = await scene.client.query<{ nspname: string }>(
      `select nspname from pg_namespace where oid = pg_my_temp_schema()`,
    );
    const temporary = await snapshotRefusals(scene.client, { schema: rows[0]!.nspname, name: 'scratch' });
    expect(temporary.map((refusal) => refusal.reason).join()).toMatch(/scratch is temporary/);
    const system = await snapshotRefusals(scene.client, { schema: 'pg_catalog', name: 'pg_class' });
    expect(system.map((refusal) => refusal.reason).join()).toMatch(/belongs to the system schema/);
  });

  turn('a snapshot that still stands stops the swap', async () => {
    scene = await Scene.open(server);
    await scene.client.query('create table acq.flight_processing (id int)');
    expect(await snapshotRefusals(scene.client, FLIGHT)).toEqual([]);
    await expect(scene.swap()).rejects.toThrow('acq.flight_processing exists already');
  });

  turn('a swap without the locks is a mistake of ours', async () => {
    scene = await Scene.open(server);
    const options = { processingName: 'flight_processing', controlSchema: 'waybill' };
    const swap = inTransaction(scene.client, () => swapTable(scene.client, FLIGHT, options));
    await expect(swap).rejects.toThrow('needs the locks');
  });

  turn('what only the server knows: the statement it refused, and nothing has happened', async () => {
    scene = await Scene.open(server);
    await scene.client.query(`create function acq.no() returns event_trigger language plpgsql as $$ begin
      if tg_tag = 'CREATE INDEX' then raise exception 'no indexes today'; end if; end $$`);
    await scene.client.query(
      `create index i on acq.flight (id); create event trigger no_index on ddl_command_end execute function acq.no()`,
    );
    const before = await scene.client.query(OBJECTS);
    const error = await scene.swap().catch((caught: unknown) => caught as LoadFailedError);
    expect(error).toMatchObject({
      message: 'the snapshot could not be taken: no indexes today',
      where: 'CREATE INDEX i ON acq.flight USING btree (id)',
    });
    expect((await scene.client.query(OBJECTS)).rows).toEqual(before.rows);
  });
});
