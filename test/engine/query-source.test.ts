import { afterEach, describe, expect, test } from 'vitest';
import { someWays } from '../every-server.ts';
import { COLUMNS, expectSameRows, ITEM, itemFile, ITEMS, PLAIN_SOURCE, retract, windows } from './items.ts';
import { World } from './world.ts';

const FILE = 'loads/acquisition/item.yaml';
/** Each item with its shop; read from the first column to the last comment. */
const JOINED = `
select i.id, concat(i.name, ' of ', s.name) as name, cast(i.amount * 2 as decimal(12,2)) as amount
from item i join shop s on s.id = i.id % 3 -- every third`;
const SHOPS = `create table shop (id bigint primary key, name varchar(20));
  insert into shop values (0, 'Bath'), (1, 'Leeds'), (2, 'York');`;
const ACQUIRED = 'select id, name, amount from acq.item';

describe.each(someWays(import.meta.url))(
  'a query from $source to $target',
  { timeout: 120_000 },
  ({ from: source, into }) => {
    let world: World;
    afterEach(() => world.close());

    async function items(n: number, from: string, query = `${JOINED};\n`, more: { yaml?: string } = {}): Promise<void> {
      world = await World.create(
        into,
        ITEMS({ source: `${PLAIN_SOURCE(n)} ${SHOPS}`, columns: COLUMNS, from, ...more }),
        source,
      );
      await world.write('loads/acquisition/item.sql', query);
      await world.worker();
    }

    test('reads a .sql file whole, as one chunk, each time; also when it gives nothing', async () => {
      await items(350, 'sql: item.sql');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 350, chunks: 1 } });
      await expectSameRows(world, `${JOINED}\n`, ACQUIRED);
      await world.source.query('delete from item where id > 10');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 10 } });
      await expectSameRows(world, `${JOINED}\n`, `${ACQUIRED} where batch_id = 2`);
      await world.source.query('delete from item');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { status: 'finished', rowsWritten: 0 } });
      expect(await world.states(ITEM)).toEqual(['published', 'published', 'published']);
    });

    test('with a cursor: windows and chunks as of a table, and a retracted window is read again', async () => {
      await items(1050, 'sql: item.sql, cursor: id');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1050, chunks: 11 } });
      await expectSameRows(world, `${JOINED}\n`, ACQUIRED);
      await world.source.query(`insert into item (id, name) select 1050 + g, 'new' from generate_series(1, 7) g`);
      // The numbers were not its own, which it must be told there: a cursor looks at them below a query, too.
      if (source.name.startsWith('PostgreSQL'))
        await world.source.query('alter sequence item_id_seq restart with 1058');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 7 } });
      expect(await world.run(ITEM)).toMatchObject({
        ok: true,
        result: { status: 'nothing', reason: 'nothing new in source from.sql' },
      });
      await retract(world, '1');
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 1050, chunks: 11 } });
      await expectSameRows(world, `${JOINED}\n`, ACQUIRED);
      expect((await windows(world)).map(({ window_from, window_to }) => [window_from, window_to])).toEqual([
        [null, '1051'],
        ['1051', '1058'],
        [null, '1051'],
      ]);
    });

    test('grouped rows with a cursor: each chunk sees whole groups', async () => {
      const grouped = `select id % 400 as id, concat(count(*), ' of them') as name, cast(sum(amount) as decimal(12,2)) as amount from item group by id % 400`;
      await items(1000, 'sql: item.sql, cursor: id', grouped);
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 400, chunks: 4 } });
      await expectSameRows(world, `select id, name, amount from (${grouped}) q`, ACQUIRED);
    });

    test('within one database, too', async () => {
      const options = ITEMS({ source: '', columns: COLUMNS });
      world = await World.create(into, {
        warehouse: `${options.warehouse} ${PLAIN_SOURCE(250)} ${SHOPS}`,
        files: {
          [FILE]: itemFile({ from: `cursor: id, sql: "${JOINED.replace(/ --.*/, '').replaceAll('\n', ' ')}"` }).replace(
            'connection: source',
            'connection: warehouse',
          ),
        },
      });
      await world.worker();
      expect(await world.run(ITEM)).toMatchObject({ ok: true, result: { rowsWritten: 250, chunks: 3 } });
      expect(await world.warehouse.texts(`${ACQUIRED} order by id`)).toEqual(
        await world.warehouse.texts(`select * from (${JOINED}\n) q order by id`),
      );
    });

    test('is refused before anything is read: columns that do not fit, two of one name, rows without the cursor', async () => {
      await items(3, 'sql: item.sql', 'select id, name as nam, amount from item');
      const refused = async (query: string, from = 'sql: item.sql'): Promise<string> => {
        await world.write('loads/acquisition/item.sql', query);
        await world.write(FILE, itemFile({ from }));
        const end = await world.run(ITEM);
        expect(await world.states(ITEM)).toEqual([]);
        return end.ok ? JSON.stringify(end.result) : end.message;
      };
      expect(await refused('select id, name as nam, amount from item')).toMatch(
        /^from\.sql does not fit acq\.item: acq\.item has no column nam \(.*\); is it name\?$/,
      );
      expect(await refused('select id, amount, name, 1.2345 as amount from item')).toMatch(
        /two columns amount|Duplicate column name 'amount'/,
      );
      expect(await refused('select id, name, amount from item', 'sql: item.sql, cursor: ids')).toBe(
        'from.sql has no column ids',
      );
      expect(
        await refused('select case when id > 1 then id end as id, name from item', 'sql: item.sql, cursor: id'),
      ).toBe('from.sql on source has 1 row whose id is NULL: no window would ever read them');
    });
  },
);
