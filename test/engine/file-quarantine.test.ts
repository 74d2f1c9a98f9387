import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { waybill } from '../cli/command-line.ts';
import { someServers } from '../every-server.ts';
import { brought, FILE, fileWorld, item, LOAD, put } from './csv-files.ts';
import { lanesWait } from './latch.ts';
import { ended, type World } from './world.ts';

const quarantine = (more = '', from?: string): string => item(from, undefined, `on_bad_row: quarantine\n${more}`);
const TABLES = `alter table acq.item add check (name <> 'bad'); create unique index item_id on acq.item (id);`;

describe.each(someServers(import.meta.url))('bad rows of files, on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  interface Rejected {
    key: { file: string; line: number };
    data: unknown;
    error: string;
  }
  const rejected = async (): Promise<Rejected[]> => {
    const rows = await world.rows<{ row_key: string; row_data: string; error: string }>(
      'select row_key, row_data, error from waybill.rejected_row order by batch_id, stage, chunk, n',
    );
    return rows.map((row) => ({
      key: JSON.parse(row.row_key) as Rejected['key'],
      data: JSON.parse(row.row_data) as unknown,
      error: row.error,
    }));
  };
  const ids = async (): Promise<string[]> =>
    (await world.rows<{ id: string }>('select id from acq.item order by id')).map(({ id }) => id);

  test('stand in the ledger with line, values and error; every other row is there', async () => {
    const bad = Buffer.from('6,M\u00fcller,1\n', 'latin1');
    world = await fileWorld(
      server,
      {
        'data/a.csv': Buffer.concat([
          Buffer.from('id,name,amount\n1,one,1\n2,"two\nlines",\nthree,"tab\tback\\slash",3\n4,bad,\n\n5\n'),
          bad,
          Buffer.from('7,seven,1.239\n8,eight,8,8\n1,again,\n9,nine,9'),
        ]),
        'data/b.csv': 'id,name\n10,ten\n',
      },
      quarantine(),
      TABLES,
    );
    expect(await world.run(LOAD)).toMatchObject(brought(4, 2));
    expect(await ids()).toEqual(['1', '2', '9', '10']);
    const rows = await rejected();
    expect(rows.map(({ key }) => key)).toEqual([5, 6, 8, 9, 10, 11, 12].map((line) => ({ file: 'data/a.csv', line })));
    expect(rows.map(({ data }) => data)).toEqual([
      { id: 'three', name: 'tab\tback\\slash', amount: '3' },
      { id: '4', name: 'bad', amount: null },
      ['5'],
      { id: '6', name: 'M\ufffdller', amount: '1' },
      { id: '7', name: 'seven', amount: '1.239' },
      ['8', 'eight', '8', '8'],
      { id: '1', name: 'again', amount: null },
    ]);
    expect(rows[1]!.error).toMatch(/check constraint|item_chk|CONSTRAINT/i);
    expect(rows[2]!.error).toBe('1 value where the header has 3');
    expect(rows[3]!.error).toBe('name holds bytes that are not UTF-8');
    expect(rows[6]!.error).toMatch(/duplicate/i);
    expect(await world.rows('select rows_read, rows_written, rows_rejected from waybill.batch')).toEqual([
      { rows_read: '11', rows_written: '4', rows_rejected: '7' },
    ]);
    expect((await waybill(world, 'show', '1')).stdout).toMatch(
      /copy, row \{"file":"data\/a.csv","line":5\} rejected\n {2}\S/,
    );
    expect(await world.run(LOAD)).toMatchObject({ ok: true, result: { status: 'nothing' } });
  });

  test('a large file is read once, and a few bad rows in it cost no good one', async () => {
    const lines = Array.from({ length: 100_000 }, (_, i) =>
      i % 30_000 === 7 ? `${i},bad` : `${i},"name ${i}, quoted"`,
    );
    world = await fileWorld(server, { 'data/a.csv': `id,name\n${lines.join('\n')}\n` }, quarantine(), TABLES);
    expect(await world.run(LOAD)).toMatchObject(brought(99_996, 1));
    expect((await rejected()).map(({ key }) => key.line)).toEqual([9, 30_009, 60_009, 90_009]);
    expect(await world.value('select count(distinct id) from acq.item')).toBe('99996');
  });

  test('more than may be fail the batch, which keeps what it found; a held one writes each once', async () => {
    const texts = {
      'data/a.csv': 'id,name\n1,one\n2,bad\n3,three\n4,bad\n5,bad\n6,bad\n',
    };
    world = await fileWorld(server, texts, quarantine('max_rejected: 2\non_failure: hold\n'), TABLES);
    const message =
      /^chunk 1 of 1: data\/a\.csv: 3 rows were rejected, more than max_rejected \(2\); the last, in line 6: /;
    const end = await world.run(LOAD);
    expect(!end.ok && end.message).toMatch(message);
    expect(await ids()).toEqual([]);
    expect((await rejected()).map(({ key }) => key.line)).toEqual([3, 5, 6]);
    const again = await world.run({ load: LOAD, resume: true });
    expect(!again.ok && again.message).toMatch(message);
    expect((await rejected()).map(({ key }) => key.line)).toEqual([3, 5, 6]);
    await put(world, { 'data/a.csv': 'id,name\n1,one\n2,bad\n3,three\n' });
    expect(await world.run({ load: LOAD, resume: true })).toMatchObject(brought(2, 1));
    expect((await rejected()).map(({ key }) => key.line)).toEqual([3]);
  });

  test('lanes do not see what others are about to reject: at its end the batch counts them', async () => {
    const texts = { 'data/a.csv': 'id,name\n1,one\n2,bad\n3,bad\n', 'data/b.csv': 'id,name\n11,one\n12,bad\n13,bad\n' };
    world = await fileWorld(server, texts, quarantine('max_rejected: 3\n'), TABLES);
    const [ids, marks] = [await world.another('warehouse'), await world.another('warehouse')];
    // The first row of each waits for one of its id; then what marks a file as read, the last thing before the commit, waits.
    await ids.query(`begin; insert into acq.item (id, name, batch_id) values (1, 'held', 0), (11, 'held', 0)`);
    const handle = await world.start(LOAD);
    await lanesWait(world, 2);
    await marks.query('begin; select name from waybill.source_file for update');
    await ids.query('rollback');
    await sleep(1_000);
    await lanesWait(world, 2);
    await marks.query('rollback');
    // On MySQL and MariaDB one of them may wait for the other, and see its rows.
    expect(await ended(handle)).toMatchObject({
      ok: false,
      message: expect.stringContaining('4 rows were rejected, more than max_rejected (3)') as string,
    });
    expect(await rejected()).toHaveLength(4);
    expect(await world.value('select count(*) from acq.item')).toBe('0');
  });

  test('a share is of all rows that were read', async () => {
    const lines = Array.from({ length: 400 }, (_, i) => (i < 3 ? `${i},bad` : `${i},x`));
    world = await fileWorld(
      server,
      { 'data/a.csv': `id,name\n${lines.join('\n')}\n` },
      quarantine('max_rejected: 0.5%\n'),
      TABLES,
    );
    const end = await world.run(LOAD);
    expect(!end.ok && end.message).toContain('3 rows were rejected of 400, more than max_rejected (0.5%)');
    await world.write(FILE, quarantine('max_rejected: 0.75%\n'));
    expect(await world.run(LOAD)).toMatchObject(brought(397, 1));
  });

  const good = (from: number, to: number): string =>
    Array.from({ length: to - from }, (_, i) => `${from + i},name of ${from + i}\n`).join('');
  const bad = (from: number, to: number): string =>
    Array.from({ length: to - from }, (_, i) => `${from + i}\n`).join('');
  const oneLane = (more: string): string => quarantine(more).replace('lanes: 3', 'lanes: 1');

  test('a share is not exceeded by bad rows at the head of a long file, packed or not, nor in a file before others', async () => {
    const long = `id,name\n${bad(0, 300)}${good(300, 60_000)}`;
    world = await fileWorld(server, { 'data/a.csv': long }, oneLane('max_rejected: 1%\n'), TABLES);
    expect(await world.run(LOAD)).toMatchObject(brought(59_700, 1));
    await put(world, { 'data/b.csv.gz': gzipSync(`id,name\n${bad(60_000, 60_300)}${good(60_300, 120_000)}`) });
    expect(await world.run(LOAD)).toMatchObject(brought(59_700, 1));
    const packed = gzipSync(`id,name\n${good(120_300, 180_000)}`);
    await put(world, { 'data/c.csv': `id,name\n${'7,bad\n'.repeat(300)}`, 'data/d.csv.gz': packed });
    expect(await world.run(LOAD)).toMatchObject(brought(59_700, 2));
    expect(await rejected()).toHaveLength(900);
  });

  test('a share is exceeded long before the end of a file all of whose rows are bad', async () => {
    world = await fileWorld(
      server,
      { 'data/a.csv': `id,name\n${bad(1_000_000, 1_300_000)}`, 'data/b.csv': `id,name\n${good(0, 2_000)}` },
      oneLane('max_rejected: 1%\n'),
      TABLES,
    );
    const end = await world.run(LOAD);
    const [, of] = /rows were rejected of (\d+), more than max_rejected \(1%\); the last, in line /.exec(
      end.ok ? '' : end.message,
    )!;
    expect(Number(of)).toBeLessThan(100_000);
  });

  test('a file whose quotes say no more where rows begin fails as a whole, and so does one with a wrong header', async () => {
    world = await fileWorld(server, { 'data/a.csv': 'id,name\n1,bad\n2,"two\n3,three\n' }, quarantine(), TABLES);
    const end = await world.run(LOAD);
    expect(!end.ok && end.message).toBe('chunk 1 of 1: data/a.csv:3: a quote opens here and is never closed');
    expect(await rejected()).toEqual([]);
    expect(await ids()).toEqual([]);
    await put(world, { 'data/a.csv': 'id,nam\n1,one\n' });
    expect(await world.run(LOAD)).toMatchObject({ ok: false, type: 'LoadFailed' });
  });
});
