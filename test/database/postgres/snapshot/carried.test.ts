import { afterEach, describe, expect, test } from 'vitest';
import { dropSnapshot } from '../../../../src/database/postgres/snapshot/drop.ts';
import { expressionRefusals } from '../../../../src/database/postgres/snapshot/refuse/expressions.ts';
import { snapshotRefusals } from '../../../../src/database/postgres/snapshot/refusals.ts';
import { inTurns } from '../../../every-server.ts';
import { servers } from '../../../servers.ts';
import { PROPERTIES, type Property } from './properties.ts';
import { describeTable } from './describe-table.ts';
import { FLIGHT, inTransaction, Scene, SNAPSHOT } from './scene.ts';

describe.each(servers)('what the twin has on $name', (server) => {
  let scene: Scene;
  afterEach(() => scene.close());

  const turn = inTurns(import.meta.url, server, servers);
  const version = (name: string) => Number(/\d+/.exec(name)![0]);
  const here = PROPERTIES.filter(({ since = 0 }) => version(server.name) >= since);

  for (const { title, since = 0, alone, setUp, role } of PROPERTIES) {
    const everywhere = servers.every(({ name }) => version(name) >= since);
    // One that only some of them have is no turn.
    if (everywhere) turn(title, () => carries({ alone, setUp, role }));
    else if (version(server.name) >= since) test(title, () => carries({ alone, setUp, role }));
  }

  async function carries({ alone, setUp, role }: Pick<Property, 'alone' | 'setUp' | 'role'>): Promise<void> {
    scene = await Scene.open(server);
    const { client } = scene;
    const bare = await describeTable(client, 'acq.flight');
    await client.query(`insert into acq.flight values (1, 'a', 'b')`);
    await scene.setUp([...(alone ?? []), setUp]);
    const before = await describeTable(client, 'acq.flight');
    expect(before, 'the description sees this property').not.toEqual(bare);
    const rows = await client.query('select count(*) from acq.flight');

    if (role) await client.query(`set session authorization ${role}`);
    expect(await snapshotRefusals(client, FLIGHT)).toEqual([]);
    expect(await inTransaction(client, () => expressionRefusals(client, FLIGHT))).toEqual([]);
    const { oid } = await scene.swap();
    await client.query('reset session authorization');
    expect(await describeTable(client, 'acq.flight')).toEqual(before);
    expect((await client.query('select from only acq.flight')).rowCount).toBe(0);
    expect((await client.query('select count(*) from acq.flight_processing')).rows).toEqual(rows.rows);

    if (role) await client.query(`set session authorization ${role}`);
    expect(await inTransaction(client, () => dropSnapshot(client, SNAPSHOT, oid))).toBe('dropped');
    await client.query('reset session authorization');
    expect(await describeTable(client, 'acq.flight')).toEqual(before);
  }

  turn('no storage parameters of a TOAST table where no column fills one any more, and all others', async () => {
    scene = await Scene.open(server);
    const { client } = scene;
    await client.query(`alter table acq.flight set (fillfactor = 70, toast.autovacuum_enabled = off);
      alter table acq.flight drop v, drop note, add short varchar(5)`);
    await scene.swap();
    const { rows } = await client.query(
      `select reltoastrelid = 0 as bare, reloptions from pg_class where oid = 'acq.flight'::regclass`,
    );
    expect(rows).toEqual([{ bare: true, reloptions: ['fillfactor=70'] }]);
  });

  turn('all of them at once, three times over', async () => {
    scene = await Scene.open(server);
    const { client } = scene;
    for (const { alone, setUp, together } of here) if (together !== false) await scene.setUp([...(alone ?? []), setUp]);
    const before = await describeTable(client, 'acq.flight');
    for (let round = 0; round < 3; round += 1) {
      const { oid } = await scene.swap();
      expect(await describeTable(client, 'acq.flight')).toEqual(before);
      expect(await inTransaction(client, () => dropSnapshot(client, SNAPSHOT, oid))).toBe('dropped');
    }
    expect(await describeTable(client, 'acq.flight')).toEqual(before);
  });
});
