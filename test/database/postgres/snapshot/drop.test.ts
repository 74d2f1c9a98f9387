import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect } from 'vitest';
import { dropSnapshot } from '../../../../src/database/postgres/snapshot/drop.ts';
import { tableIdentity } from '../../../../src/database/postgres/snapshot/identity.ts';
import { TableBusyError } from '../../../../src/database/postgres/snapshot/table-busy-error.ts';
import { inTurns } from '../../../every-server.ts';
import { servers } from '../../../servers.ts';
import { FLIGHT, inTransaction, Scene, SNAPSHOT } from './scene.ts';

describe.each(servers)('a snapshot on $name', (server) => {
  const turn = inTurns(import.meta.url, server, servers);
  let scene: Scene;
  beforeEach(async () => {
    scene = await Scene.open(server);
  });
  afterEach(() => scene.close());

  const drop = (oid: string, lockTimeoutMs = 2000) =>
    inTransaction(scene.client, () => dropSnapshot(scene.client, SNAPSHOT, oid, { lockTimeoutMs }));

  turn('is the table that it was, by OID and filenode; a rewrite changes the filenode', async () => {
    const before = await tableIdentity(scene.client, FLIGHT);
    const snapshot = await scene.swap();
    expect(snapshot).toEqual(before);
    expect(await tableIdentity(scene.client, SNAPSHOT)).toEqual(before);
    expect((await tableIdentity(scene.client, FLIGHT))!.oid).not.toBe(before!.oid);
    await scene.client.query('vacuum full acq.flight_processing');
    const rewritten = await tableIdentity(scene.client, SNAPSHOT);
    expect(rewritten!.oid).toBe(before!.oid);
    expect(rewritten!.filenode).not.toBe(before!.filenode);
    expect(await tableIdentity(scene.client, { schema: 'acq', name: 'nowhere' })).toBeUndefined();
  });

  for (const statement of [
    `insert into acq.flight_processing values (1)`,
    `update acq.flight_processing set id = 2`,
    `delete from acq.flight_processing`,
    `truncate acq.flight_processing`,
    `copy acq.flight_processing from program 'true'`,
    `merge into acq.flight_processing p using (values (1)) x(id) on p.id = x.id when matched then delete`,
    `set session_replication_role = replica; delete from acq.flight_processing`,
  ]) {
    turn(`refuses: ${statement}`, async () => {
      await scene.client.query(`insert into acq.flight values (1)`);
      await scene.swap();
      await expect(scene.client.query(statement)).rejects.toMatchObject({
        code: '55000',
        message: expect.stringMatching(
          /of acq.flight_processing is refused: it is the snapshot of acq.flight/,
        ) as string,
      });
      await scene.client.query('reset session_replication_role; insert into acq.flight values (2)');
      expect((await scene.client.query('select id from acq.flight_processing')).rows).toEqual([{ id: 1 }]);
    });
  }

  turn('is no longer in the publication that the table is in', async () => {
    await scene.client.query('create publication p for table acq.flight');
    await scene.swap();
    const { rows } = await scene.client.query(`select prrelid::regclass::text as published from pg_publication_rel`);
    expect(rows).toEqual([{ published: 'acq.flight' }]);
  });

  turn('dropped once; then it is gone', async () => {
    const { oid } = await scene.swap();
    expect(await drop(oid)).toBe('dropped');
    expect(await drop(oid)).toBe('gone');
  });

  turn('another table of that name stays', async () => {
    const first = await scene.swap();
    expect(await drop(first.oid)).toBe('dropped');
    const second = await scene.swap();
    expect(await drop(first.oid)).toBe('other');
    expect(await tableIdentity(scene.client, SNAPSHOT)).toEqual(second);
  });

  turn('a drop that slept while the next batch swapped harms nothing', async () => {
    const first = await scene.swap();
    const other = await scene.connect('second attempt');
    // The zombie has looked at the catalog and waits for the lock; the other attempt drops, and the next batch swaps.
    await other.query('begin; lock table acq.flight_processing in access exclusive mode');
    const zombie = drop(first.oid, 5000);
    await sleep(300);
    await other.query(
      'drop table acq.flight_processing; alter table acq.flight rename to flight_processing; create table acq.flight (id int); commit',
    );
    expect(await zombie).toBe('other');
    expect(await tableIdentity(scene.client, SNAPSHOT)).toBeDefined();
  });

  turn('a drop that slept until it was gone', async () => {
    const { oid } = await scene.swap();
    const other = await scene.connect('second attempt');
    await other.query('begin; drop table acq.flight_processing');
    const zombie = drop(oid, 5000);
    await sleep(300);
    await other.query('commit');
    expect(await zombie).toBe('gone');
  });

  turn('a reader is waited for, not for ever, and is named', async () => {
    const { oid } = await scene.swap();
    const reader = await scene.connect('an analyst');
    await reader.query('begin; select * from acq.flight_processing');
    await scene.client.query('begin');
    const error = await dropSnapshot(scene.client, SNAPSHOT, oid, { lockTimeoutMs: 100 }).catch(
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(TableBusyError);
    expect((error as Error).message).toMatch(
      /^acq\.flight_processing is in use by connection \d+ \(postgres, an analyst, query \d+ s\)$/,
    );
    await reader.query('commit');
    expect(await dropSnapshot(scene.client, SNAPSHOT, oid)).toBe('dropped');
    await scene.client.query('commit');
  });

  turn('a temporary view on it is waited for, until its session is gone', async () => {
    const { oid } = await scene.swap();
    const analyst = await scene.connect('an analyst');
    await analyst.query('create temporary view peek as select id from acq.flight_processing');
    const dropped = drop(oid);
    await sleep(300);
    await analyst.end();
    expect(await dropped).toBe('dropped');
  });

  turn('a writer of a table that it refers to is not killed by the drop', async () => {
    await scene.client.query(
      `create table acq.country (id int primary key); alter table acq.flight add c int references acq.country; insert into acq.country values (1), (2); insert into acq.flight (c) values (1)`,
    );
    const { oid } = await scene.swap();
    const writer = await scene.connect('a writer');
    await writer.query('begin; insert into acq.country values (3)');
    const dropped = drop(oid, 1500);
    await sleep(200);
    await writer.query('delete from acq.country where id = 2'); // looks into the snapshot
    await sleep(700);
    await writer.query('commit');
    expect(await dropped).toBe('dropped');
  });

  turn('what was built on it stops the drop, by name', async () => {
    const { oid } = await scene.swap();
    await scene.client.query('create view acq.peek as select * from acq.flight_processing');
    await expect(drop(oid)).rejects.toThrow(/cannot be dropped: view acq\.peek depends on/);
    expect(await tableIdentity(scene.client, SNAPSHOT)).toBeDefined();
  });

  turn('so does a view of somebody whom the role may not lock out', async () => {
    await scene.client
      .query(`grant usage, create on schema acq to snap_owner, snap_loader; alter table acq.flight owner to snap_owner;
      create schema mine authorization snap_stranger; grant usage on schema acq to snap_stranger; grant select on acq.flight to snap_stranger`);
    const { oid } = await scene.swap();
    await scene.client.query(`set role snap_stranger; create view mine.peek as select * from acq.flight_processing;
      reset role; create view acq.sum as select sum(id) from acq.flight_processing; set role snap_loader`);
    await expect(drop(oid)).rejects.toMatchObject({
      message:
        'snapshot acq.flight_processing cannot be dropped: view acq.sum depends on table acq.flight_processing; view mine.peek depends on table acq.flight_processing',
      next: expect.stringContaining('Drop what depends on the snapshot') as string,
    });
    await scene.client.query('reset role');
    expect(await tableIdentity(scene.client, SNAPSHOT)).toBeDefined();
  });
});
