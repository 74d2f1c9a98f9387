import { mkdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { document, waybill } from '../cli/command-line.ts';
import type { LoadInput } from '../../src/workflows/messages.ts';
import { someServers } from '../every-server.ts';
import { retract } from './items.ts';
import { brought, FILE, fileWorld, item, LOAD, put } from './csv-files.ts';
import type { World } from './world.ts';

const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

describe.each(someServers(import.meta.url))('an acquisition of files, on $name', { timeout: 120_000 }, (server) => {
  let world: World;
  afterEach(() => world.close());

  async function files(texts: Record<string, string | Buffer>, yaml = item()): Promise<void> {
    world = await fileWorld(server, texts, yaml);
  }
  const run = (asked: Omit<LoadInput, 'load'> = {}) => world.run({ load: LOAD, ...asked });
  const rows = (): Promise<string[]> =>
    world.warehouse.texts('select id, name, amount from acq.item order by id, name, ngdw_id');
  const expected = (values: (string | null)[][]): string[] => values.map((row) => JSON.stringify(row));
  const read = () =>
    world.rows<{ name: string }>(`select batch_id, name, size, sha256 from waybill.source_file order by batch_id, n`);

  test('each is a chunk, many at once, packed ones too, and each is read once; the ledger knows them', async () => {
    const a = 'id,name,amount\n1,one,1.50\n2,,\n3,"",0\n';
    const b = Buffer.from('\ufeffamount,id,name\r\n7.25,4,"two\r\nlines, ""quoted"""\r\n,5,tab\tback\\slash\r\n');
    const c = gzipSync('id,name\n6,"packed é"\n');
    const d = gzipSync('id,name\n7,CAPITALS\n');
    await files({
      'data/a.csv': a,
      'data/b.csv': b,
      'data/c.csv.gz': c,
      'data/d.csv.GZ': d,
      'data/empty.csv': '',
      'data/head.csv': 'id,name\n',
    });
    expect(await run()).toMatchObject(brought(7, 6));
    expect(await rows()).toEqual(
      expected([
        ['1', 'one', '1.50'],
        ['2', null, null],
        ['3', '', '0.00'],
        ['4', 'two\r\nlines, "quoted"', '7.25'],
        ['5', 'tab\tback\\slash', null],
        ['6', 'packed é', null],
        ['7', 'CAPITALS', null],
      ]),
    );
    expect(await read()).toEqual(
      [
        ['data/a.csv', a],
        ['data/b.csv', b],
        ['data/c.csv.gz', c],
        ['data/d.csv.GZ', d],
        ['data/empty.csv', ''],
        ['data/head.csv', 'id,name\n'],
      ].map(([name, text]) => ({
        batch_id: '1',
        name,
        size: String(Buffer.from(text!).length),
        sha256: sha256(text!),
      })),
    );
    expect(await run()).toMatchObject({
      ok: true,
      result: { status: 'nothing', reason: 'every file of data/*.csv* has been read' },
    });
    await put(world, { 'data/d.csv': 'id,name\n8,new\n' });
    expect(await run()).toMatchObject(brought(1, 1));
    expect(await world.value('select count(*) from acq.item')).toBe('8');
  });

  test('one that has changed since is refused, until --full reads all of them again; a retracted batch is read again', async () => {
    await files({ 'data/a.csv': 'id,name\n1,one\n', 'data/b.csv': 'id,name\n2,two\n' });
    expect(await run()).toMatchObject(brought(2, 2));
    await put(world, { 'data/b.csv': 'id,name\n2,too\n', 'data/c.csv': 'id,name\n3,three\n' }); // as long as before
    expect(await run()).toMatchObject({
      ok: false,
      type: 'Refused',
      message: 'a file has changed since a published batch read it: data/b.csv (batch 1)',
      next: expect.stringMatching(
        /^put it back as it was, or take it away, .*waybill run acquisition\.item --full/,
      ) as string,
    });
    expect(await world.states(LOAD)).toEqual(['published']);
    expect(await run({ full: true })).toMatchObject(brought(3, 3));
    expect(await run()).toMatchObject({ ok: true, result: { status: 'nothing' } });
    expect(await world.value('select count(*) from acq.item')).toBe('5');
    await retract(world, '2');
    await put(world, { 'data/b.csv': 'id,name\n2,two\n' });
    expect(await run()).toMatchObject(brought(1, 1));
    expect(await run({ since: 3 })).toMatchObject({ ok: false, type: 'Configuration' });
  });

  test('one that has been read is read again only where the file system says that it may be another', async () => {
    await files({ 'data/a.csv': 'id,name\n1,one\n' });
    const file = join(world.directory, 'data/a.csv');
    const written = await stat(file);
    const state = () => world.value('select file_state from waybill.source_file');
    const nothing = { ok: true, result: { status: 'nothing', reason: 'every file of data/*.csv* has been read' } };
    expect(await run()).toMatchObject(brought(1, 1));
    expect(await state()).toMatch(/^\d+ 14 \d+$/); // too young
    const settled = async () => ({ end: await run(), state: await state() });
    await expect
      .poll(settled, { timeout: 30_000, interval: 1_000 })
      .toMatchObject({ end: nothing, state: expect.stringMatching(/^\d+ 14 \d+ \d+$/) as string });
    // Whoever read it now would take it for another one.
    await world.warehouse.query(`update waybill.source_file set sha256 = 'another'`);
    expect(await run()).toMatchObject(nothing);
    await put(world, { 'data/a.csv': 'id,name\n1,two\n' });
    await utimes(file, written.atime, written.mtime);
    expect(await run()).toMatchObject({
      ok: false,
      type: 'Refused',
      message: expect.stringContaining('a file has changed') as string,
    });
  });

  test('one that is moved, or gets another name, is not read again; another one of its content is', async () => {
    await files(
      { 'data/a.csv': 'id,name\n1,one\n', 'data/b.csv': 'id,name\n2,two\n' },
      item().replace('data/*', 'data/**/*'),
    );
    const nothing = { ok: true, result: { status: 'nothing' } };
    const move = (from: string, to: string) => rename(join(world.directory, from), join(world.directory, to));
    expect(await run()).toMatchObject(brought(2, 2));
    await mkdir(join(world.directory, 'data/done'));
    await move('data/a.csv', 'data/done/a.csv');
    expect(await run()).toMatchObject(nothing);
    await move('data/done/a.csv', 'data/z.csv');
    await move('data/b.csv', 'data/y.csv');
    expect(await run()).toMatchObject(nothing);
    expect((await read()).map(({ name }) => name)).toEqual(['data/z.csv', 'data/y.csv']);
    await rm(join(world.directory, 'data/z.csv'));
    await put(world, { 'data/a.csv': 'id,name\n1,one\n' });
    expect(await run()).toMatchObject(brought(1, 1));
    expect(await run({ full: true })).toMatchObject(brought(2, 2));
  });

  test('one that was read several times and is moved leaves its name to another one', async () => {
    await files({ 'data/a.csv': 'id,name\n1,one\n', 'data/b.csv': 'id,name\n2,two\n' });
    const nothing = { ok: true, result: { status: 'nothing' } };
    const move = (from: string, to: string) => rename(join(world.directory, from), join(world.directory, to));
    expect(await run()).toMatchObject(brought(2, 2));
    expect(await run({ full: true })).toMatchObject(brought(2, 2));
    await move('data/a.csv', 'data/z.csv');
    expect(await run()).toMatchObject(nothing);
    await put(world, { 'data/a.csv': 'id,name\n3,three\n' });
    expect(await run()).toMatchObject(brought(1, 1));
    // By the batch that reads it again, too.
    await move('data/b.csv', 'data/y.csv');
    expect(await run({ full: true })).toMatchObject(brought(3, 3));
    await put(world, { 'data/b.csv': 'id,name\n4,four\n' });
    expect(await run()).toMatchObject(brought(1, 1));
    for (const batch of ['4', '2']) await retract(world, batch);
    expect(await run()).toMatchObject(nothing);
    expect((await rows()).map((row) => (JSON.parse(row) as string[])[0])).toEqual(['1', '2', '3', '4']);
  });

  test('a row that is none: nothing of its batch stays, the message has file and line, and the next start reads all', async () => {
    await files({ 'data/a.csv': 'id,name\n1,one\n', 'data/b.csv': 'id,name\n2,"two\nlines"\n3\n' });
    const ragged = await run();
    expect(ragged).toMatchObject({ ok: false, type: 'Database' });
    expect(!ragged.ok && ragged.message).toBe('chunk 2 of 2: data/b.csv:4: 1 value where the header has 2');
    expect(await world.value('select count(*) from acq.item')).toBe('0');
    await put(world, { 'data/b.csv': 'id,name,amount\n2,two,2\n3,three,secret\n' });
    const typed = await run();
    expect(!typed.ok && typed.message).toMatch(/^chunk 2 of 2: data\/b\.csv/);
    expect(!typed.ok && typed.message).not.toContain('secret');
    expect(
      String(await world.value(`select error from waybill.chunk where state = 'failed' and batch_id = 2`)),
    ).toMatch(/^data\/b\.csv.*secret/);
    await put(world, { 'data/b.csv': 'id,name\n2,two\n3,three\n' });
    expect(await run()).toMatchObject(brought(3, 2));
    expect(await world.states(LOAD)).toEqual(['failed', 'failed', 'published']);
  });

  test('headers that do not fit are refused before a batch opens', async () => {
    await files({ 'data/a.csv': 'id,nam\n1,one\n' });
    const refused = async (text: string | Buffer): Promise<string> => {
      await put(world, { 'data/a.csv': text });
      const end = await run();
      expect(end).toMatchObject({ ok: false, type: 'LoadFailed' });
      return end.ok ? '' : end.message;
    };
    expect(await refused('id,nam\n1,one\n')).toBe('data/a.csv:1: acq.item has no column nam; is it name?');
    expect(await refused('id,batch_id\n1,1\n')).toBe(
      'data/a.csv:1: the header names batch_id, which the landing table keeps for itself',
    );
    expect(await refused('id,,name\n')).toBe('data/a.csv:1: column 2 of the header has no name');
    expect(await refused('id,name,id\n')).toBe('data/a.csv:1: the header names id twice');
    expect(await refused(Buffer.from('\ufeffid,name\n', 'utf16le'))).toBe(
      'data/a.csv:1: it begins as a text in UTF-16 does, and only UTF-8 is read',
    );
    // Of two that are read at once the first is named, though it takes longer.
    await put(world, { 'data/0.csv': `id,"${'x'.repeat(8_000_000)}` });
    expect(await refused('id,,name\n')).toMatch(/^data\/0\.csv:1: /);
    await rm(join(world.directory, 'data/0.csv'));
    await world.warehouse.query('alter table acq.item add column needed bigint not null');
    expect(await refused('id,name\n1,one\n')).toBe(
      'data/a.csv:1: acq.item.needed is NOT NULL without a default, and the header has no such column',
    );
    await rm(join(world.directory, 'data'), { recursive: true });
    expect(await run()).toMatchObject({
      ok: true,
      result: { status: 'nothing', reason: expect.stringMatching(/^no file is data\/\*\.csv\*, on worker /) as string },
    });
    expect(await world.states(LOAD)).toEqual([]);
  });

  const made = (onNewColumns: string): string =>
    item(
      `files: [data/a.csv, "data/**/*.txt"], csv: { delimiter: ";", quote: "'", null_text: "NULL" }`,
      `table: acq.note, create: true, on_new_columns: ${onNewColumns}`,
    );

  test('other delimiters, quotes and nulls; a table that is made, with texts; columns that come later', async () => {
    await files({ 'data/a.csv': "id;note\n1;'it''s; here'\n2;NULL\n3;\n4;'NULL'\n" }, made('add'));
    world.names.into('create table acq.note (id bigint)');
    expect(await run()).toMatchObject(brought(4, 1));
    const notes = (columns: string): Promise<unknown> => world.rows(`select ${columns} from acq.note order by id`);
    expect(await notes('id, note')).toEqual([
      { id: '1', note: "it's; here" },
      { id: '2', note: null },
      { id: '3', note: '' },
      { id: '4', note: 'NULL' },
    ]);
    await world.write('data/more/deep/b.txt', 'colour;id\nred;5\n');
    expect(await run()).toMatchObject(brought(1, 1));
    expect(await notes('id, note, colour')).toContainEqual({ id: '5', note: null, colour: 'red' });
    expect(
      await world.rows(`select batch_id, what from waybill.event where what in ('landing_created', 'columns_added')
      order by event_id`),
    ).toEqual([
      { batch_id: '1', what: 'landing_created' },
      { batch_id: '2', what: 'columns_added' },
    ]);

    // A column that was left out comes with the rows that are read again.
    await world.write(FILE, made('ignore'));
    await world.write('data/c.txt', 'id;size\n6;big\n');
    expect(await run()).toMatchObject(brought(1, 1));
    await world.write(FILE, made('add'));
    expect(await run({ full: true })).toMatchObject(brought(6, 3));
    expect(await notes('id, note, size')).toContainEqual({ id: '6', note: null, size: 'big' });
  });

  test('no file yet, and no table that it would make: there is nothing to do; the first one with a header makes it', async () => {
    await files({}, item('files: data/*.csv*, lag: 5m', 'table: acq.note, create: true'));
    world.names.into('create table acq.note (id bigint)');
    await world.warehouse.query(
      `create schema core; create table core.note (id varchar(20), batch_id bigint not null); create index note_by_batch on core.note (batch_id)`,
    );
    await world.write(
      'loads/core/note.yaml',
      `kind: core
connection: warehouse
inputs: [acq.note]
stages: [{ name: notes, sql: "insert into core.note (id, batch_id) select n.id, :batch_id from {{ acq.note }} n" }]
outputs: [core.note]
`,
    );
    const nothing = async (why: RegExp): Promise<void> => {
      expect(await waybill(world, 'validate')).toMatchObject({ exitCode: 0 });
      const because = [expect.stringMatching(why) as string];
      expect(document(await waybill(world, 'plan', LOAD, '--json'))).toMatchObject({ does: 'nothing', because });
      expect(await run()).toMatchObject({ ok: true, result: { status: 'nothing', reason: because[0]! } });
      const unmade = 'acq.note is not there yet: acquisition.item makes it';
      expect(await world.run('core.note')).toMatchObject({ ok: true, result: { status: 'nothing', reason: unmade } });
      expect(document(await waybill(world, 'plan', 'core.note', '--json'))).toMatchObject({ because: [unmade] });
      expect(await world.exists('acq.note')).toBe(false);
    };
    await nothing(/^no file is data\/\*\.csv\*, on /);
    await put(world, { 'data/a.csv': 'id\n1\n' });
    await nothing(/^data\/a\.csv: somebody wrote to it too short a while ago \(from\.lag\)$/);
    await world.write(FILE, item('files: data/*.csv*', 'table: acq.note, create: true'));
    await put(world, { 'data/a.csv': '', 'data/b.csv': '' });
    await nothing(/^no file of data\/\*\.csv\* has a header yet, of which acq\.note could be made$/);
    await put(world, { 'data/b.csv': 'id,name\n1,one\n' });
    expect(await run()).toMatchObject(brought(1, 2));
    expect(await world.run('core.note')).toMatchObject({ ok: true, result: { rowsWritten: 1 } });
    expect(await world.states(LOAD)).toEqual(['published']);
  });

  test('a large file streams through: 100,000 rows', async () => {
    const lines = Array.from({ length: 100_000 }, (_, i) => `${i},"name ${i % 97}, quoted",${i % 1000}.25`);
    const text = `id,name,amount\n${lines.join('\n')}\n`;
    await files({ 'data/a.csv.gz': gzipSync(text, { level: 1 }), 'data/b.csv': text });
    expect(await run()).toMatchObject(brought(200_000, 2));
    expect(
      await world.rows(
        `select count(*) as n, count(distinct id) as ids, sum(amount) as amount, count(distinct name) as names from acq.item`,
      ),
    ).toMatchObject([
      { n: '200000', ids: '100000', amount: expect.stringMatching(/^99950000\.00/) as string, names: '97' },
    ]);
  });
});
