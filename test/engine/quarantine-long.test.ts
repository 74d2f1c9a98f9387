/** Bad rows that are long: what is written of them goes to the ledger in packets that its server takes. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { recordRejected } from '../../src/control/bad-rows.ts';
import { insertBatch, ledgerOn } from '../database/ledger-on.ts';
import { describeOn, ownServers } from '../mysql-servers.ts';
import { oneOf } from '../seed.ts';
import { servers } from '../servers.ts';
import { expectSameRows, ITEM, ITEMS } from './items.ts';
import { startOwnServer, type OwnServer } from './own-server.ts';
import { World } from './world.ts';

/** One more server to start. */
const targets = oneOf(await ownServers(), import.meta.url);
const PACKET = 2 * 1024 * 1024;

describeOn(targets, 'long bad rows on $name', (known) => {
  let server: OwnServer;
  beforeAll(async () => {
    server = await startOwnServer(known, { 'max-allowed-packet': String(PACKET), 'local-infile': 'OFF' });
  }, 120_000);
  afterAll(() => server.remove());

  test('are all written down, though they are longer than a packet together, and of one that is longer alone its key', async () => {
    const ledger = await ledgerOn(server);
    onTestFinished(() => ledger.close());
    await insertBatch(ledger, '1', 'acquisition.item');
    const lengths = [...Array.from({ length: 90 }, () => 100_000), PACKET, 10, PACKET - 10_000];
    const rows = lengths.map((length, i) => ({
      key: `{"id": ${i}}`,
      data: JSON.stringify({ id: i, name: 'x'.repeat(length) }),
      error: 'too long',
    }));
    const session = await ledger.openSession('test');
    await recordRejected(session, ledger, { batchId: '1', stage: 1, n: 1 }, [
      ...rows,
      { key: JSON.stringify({ id: 'x'.repeat(70_000) }), data: '{}', error: 'too long' },
    ]);
    await session.close();
    const { rows: kept } = await ledger.query<Record<'n' | 'long' | 'has_key' | 'error', string | number>>({
      strings: [`select n, length(row_data) as \`long\`, row_key is not null as has_key, error from `, ' order by n'],
      values: [ledger.ledger('rejected_row')],
    });
    expect(kept.map(({ n }) => Number(n))).toEqual(Array.from({ length: 94 }, (_, i) => i + 1));
    const expected = rows.map(({ data }) => (data.length > PACKET ? null : data.length));
    expect(kept.map(({ long }) => (long === null ? null : Number(long)))).toEqual([...expected, 2]);
    expect(kept.filter((row) => Number(row.has_key) === 0).map(({ n }) => Number(n))).toEqual([94]);
    expect(kept[90]!.error).toMatch(
      /^too long \(the row has \d+ bytes, more than a statement on the ledger's server\)$/,
    );
  });

  test('a value that its source cannot send is an error, and no NULL', { timeout: 120_000 }, async () => {
    const world = await World.create(
      servers[0]!,
      ITEMS({
        source: {
          postgres: '',
          mysql: `create table item (id bigint primary key, name longtext, amount numeric(12,2));
                  insert into item select g, repeat('x', case when g = 3 then 1500000 else 5 end), g from generate_series(1, 9) g`,
        },
        columns: 'id bigint, name text, amount numeric(12,2)',
        from: 'sql: "select id, concat(name, name) as name, amount from item"',
      }),
      server,
    );
    onTestFinished(() => world.close());
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({
      ok: false,
      message: expect.stringMatching(/Result of concat\(\) was larger than max_allowed_packet/) as string,
      next: expect.stringContaining('raise max_allowed_packet on that server') as string,
    });
    await world.source.query('update item set name = 5 where id = 3');
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 9 } });
  });

  test('one that no INSERT can bring is set aside, and all others arrive', { timeout: 120_000 }, async () => {
    const world = await World.create(
      server,
      ITEMS({
        source: `create table item (id bigint primary key, name text, amount numeric(12,2));
                 insert into item select g, case when g in (7, 130) then repeat('x', ${PACKET}) else 'y' end, g from generate_series(1, 150) g`,
        columns: 'id bigint, name longtext, amount numeric(12,2)',
        from: 'table: public.item',
        yaml: 'on_bad_row: quarantine',
      }),
      servers[0],
    );
    onTestFinished(() => world.close());
    await world.worker();
    expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 148 } });
    await expectSameRows(world, 'select id, name from item where id not in (7, 130)', 'select id, name from acq.item');
    const rejected = await world.rows<{ row_key: string; row_data: string | null; error: string }>(
      'select row_key, row_data, error from waybill.rejected_row',
    );
    const ids = rejected.map(({ row_key: key }) => (JSON.parse(key) as { id: number }).id);
    expect(ids.sort((a, b) => a - b)).toEqual([7, 130]);
    expect(rejected.every(({ row_data: data }) => data === null)).toBe(true);
    expect(rejected[0]!.error).toContain("a row is longer than the server's max_allowed_packet");
  });
});
