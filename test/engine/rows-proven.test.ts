import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { oneOfEachFamily } from '../every-server.ts';
import { expectAcquired, ITEM, itemFile, ITEMS, PLAIN_SOURCE } from './items.ts';
import { wordsAt } from './server-words.ts';
import { World } from './world.ts';

/** Where the items of an acquisition come from. */
const WAYS = ['another database', 'the same database', 'files'] as const;
type Way = (typeof WAYS)[number];

/** Bytes that no index of MySQL's is too short for. */
const COLUMNS = 'id bigint, name varchar(40), amount numeric(12,2)';

describe.each(oneOfEachFamily(import.meta.url))(
  'rows that do not all arrive, on $name',
  { timeout: 120_000 },
  (server) => {
    let world: World;
    afterEach(() => world.close());

    /** 300 items in chunks of 100, or files of three; `warehouse`: what the landing table does with them. */
    async function items(way: Way, warehouse: string, yaml = ''): Promise<void> {
      const made = ITEMS({ source: PLAIN_SOURCE(300), columns: COLUMNS, yaml: `lanes: 1\n${yaml}` });
      const loads = {
        'another database': made.files['loads/acquisition/item.yaml']!,
        'the same database': itemFile({ yaml: `lanes: 1\n${yaml}` }).replace(
          'connection: source',
          'connection: warehouse',
        ),
        files: itemFile({ yaml })
          .replace(/from: .*/, 'from: { files: data/*.csv }')
          .replace(/chunk_rows: .*/, 'lanes: 1'),
      };
      world = await World.create(server, {
        ...made,
        warehouse: `${made.warehouse} ${way === 'the same database' ? PLAIN_SOURCE(300) : ''}`,
        files: { 'loads/acquisition/item.yaml': loads[way], 'data/.keep': '' },
      });
      await writeFile(join(world.directory, 'data/a.csv'), 'id,name,amount\n148,a,1\n149,b,2\n');
      await writeFile(join(world.directory, 'data/b.csv'), 'id,name,amount\n150,c,3\n151,d,4\n152,e,5\n');
      await world.warehouse.query(warehouse);
      await world.worker();
    }

    async function expectNothing(message: string | RegExp): Promise<void> {
      const end = await world.run(ITEM);
      expect(end).toMatchObject({ ok: false });
      expect(!end.ok && end.message).toMatch(message);
      expect(await world.value('select count(*) from acq.item')).toBe('0');
      expect(await world.states(ITEM)).toEqual(['failed']);
    }

    const { family } = wordsAt(server.url);
    // Neither MySQL nor MariaDB has such triggers.
    test.each(family === 'postgres' ? WAYS : [])(
      'a trigger that drops one of them, from %s: the chunk fails, and nothing of it stays',
      async (way) => {
        await items(
          way,
          `create function drops() returns trigger language plpgsql as
           $$ begin return case when new.id <> 150 then new end; end $$;
         create trigger drops before insert on acq.item for each row execute function drops();`,
        );
        await expectNothing(
          way === 'files'
            ? 'chunk 2 of 2: data/b.csv: the file has 3 rows, 2 were written'
            : 'chunk 2 of 3: the source sent 100 rows, 99 were written',
        );
        await world.warehouse.query('drop trigger drops on acq.item');
        expect(await world.run(ITEM)).toMatchObject({ ok: true });
        if (way === 'another database') await expectAcquired(world);
      },
    );

    // LOAD DATA LOCAL would leave it out with a warning.
    test('a key that is there twice: an error, and nothing of it stays', async () => {
      await items('another database', 'create unique index one_name on acq.item (name)');
      await world.warehouse.query(`insert into acq.item (id, name, batch_id) values (9999, 'item 7', 0)`);
      const end = await world.run(ITEM);
      expect(!end.ok && end.message).toMatch(/^chunk \d of \d: .*duplicate key/);
      expect(await world.value('select count(*) from acq.item')).toBe('1');
    });

    // It drops what is there twice, and does not even warn. (MySQL has no such mode.)
    test.each(server.name.startsWith('MariaDB') ? (['another database', 'files'] as const) : [])(
      'a server that drops them in silence, from %s: the count tells',
      async (way) => {
        await items(
          way,
          'create unique index one_name on acq.item (name)',
          'session_params: { old_mode: NO_DUP_KEY_WARNINGS_WITH_IGNORE }',
        );
        const named = way === 'files' ? 'd' : 'item 7';
        if (way === 'another database') await world.source.query(`update item set name = concat('item ', id)`);
        await world.warehouse.query(`insert into acq.item (id, name, batch_id) values (9999, '${named}', 0)`);
        const end = await world.run(ITEM);
        expect(!end.ok && end.message).toMatch(
          /: (the source sent 100 rows, 99 were|the file has 3 rows, 2 were) written/,
        );
        expect(await world.value('select count(*) from acq.item')).toBe('1');
      },
    );
  },
);
