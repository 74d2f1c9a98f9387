import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect } from 'vitest';
import { waybill } from '../cli/command-line.ts';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { ITEM, itemFile, ITEMS, PLAIN_SOURCE } from './items.ts';
import { wordsAt } from './server-words.ts';
import { World } from './world.ts';

/** Settings, an expression that shows them, and what it shows with and without them. The landing table has it in each row. */
const WORDS = {
  postgres: {
    settings: `{ app.who: "it's me", TimeZone: Asia/Tokyo, search_path: "shop, public" }`,
    /** Where only those who have the settings find it. */
    apart: (tables: string) => `create schema shop; set search_path = shop; ${tables} reset search_path;`,
    shown: `concat_ws(' ', current_setting('app.who', true), current_setting('timezone'))`,
    set: `it's me Asia/Tokyo`,
    unset: 'UTC',
    trigger: (shown: string) => `create function notes() returns trigger language plpgsql as
      $$ begin new.written := ${shown}; return new; end $$;
      create trigger notes before insert on acq.item for each row execute function notes();`,
  },
  mysql: {
    apart: (tables: string) => tables,
    settings: `{ lc_time_names: de_DE, group_concat_max_len: 4711 }`,
    shown: `concat_ws(' ', @@session.lc_time_names, @@session.group_concat_max_len)`,
    set: 'de_DE 4711',
    unset: /^en_US \d{4,}$/,
    trigger: (shown: string) =>
      `create trigger acq.notes before insert on acq.item for each row set new.written = ${shown};`,
  },
};

describe.each(oneOfEachFamily(import.meta.url))(
  'session_params of an acquisition, on $name',
  { timeout: 120_000 },
  (server) => {
    const it = inTurns(import.meta.url, server);
    let world: World;
    afterEach(() => world.close());
    const { settings, apart, shown, set, unset, trigger } = WORDS[wordsAt(server.url).family];

    async function items(load: (file: string) => string, warehouse = ''): Promise<void> {
      const file = itemFile({ from: 'sql: item.sql, cursor: id', yaml: `session_params: ${settings}` });
      const made = ITEMS({ source: PLAIN_SOURCE(300), columns: 'id bigint, seen varchar(60), written varchar(60)' });
      world = await World.create(server, {
        ...made,
        warehouse: `${made.warehouse} ${warehouse}`,
        files: {
          'loads/acquisition/item.yaml': load(file),
          'loads/acquisition/item.sql': `select id, ${shown} as seen from item`,
          'data/.keep': '',
        },
      });
      await world.warehouse.query(trigger(shown));
      await world.worker();
    }

    const said = async (): Promise<unknown> =>
      world.rows('select count(*) as n, min(batch_id) as batch, seen, written from acq.item group by seen, written');

    it('hold for each chunk on the connection that is written, and not on the source', async () => {
      await items((file) => file);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 300, chunks: 3 } });
      expect(await said()).toEqual([
        { n: '300', batch: '1', seen: expect.stringMatching(unset) as string, written: set },
      ]);
    });

    it('hold for what is read, too, where it is the same connection', async () => {
      await items((file) => file.replace('connection: source', 'connection: warehouse'), apart(PLAIN_SOURCE(300)));
      expect(await waybill(world, 'validate')).toMatchObject({ exitCode: 0 });
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 300, chunks: 3 } });
      expect(await said()).toEqual([{ n: '300', batch: '1', seen: set, written: set }]);
    });

    it('hold for files', async () => {
      await items((file) => file.replace(/from: .*/, 'from: { files: data/*.csv }').replace(/chunk_rows: .*/, ''));
      await writeFile(join(world.directory, 'data/a.csv'), 'id\n1\n2\n');
      await writeFile(join(world.directory, 'data/b.csv'), 'id\n3\n');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 3, chunks: 2 } });
      expect(await said()).toEqual([{ n: '3', batch: '1', seen: null, written: set }]);
    });
  },
);
