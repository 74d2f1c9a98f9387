/** What a Temporal server knows under the names of our search attributes may be of another type: somebody has mistyped one. */
import { Writable } from 'node:stream';
import pino from 'pino';
import { afterEach, expect, test } from 'vitest';
import { oneOf } from '../seed.ts';
import { servers } from '../servers.ts';
import { expectWhole, ORDERS, World } from './orders.ts';
import { until } from './world.ts';

/** `IndexedValueType` of Temporal's API. */
const KEYWORD = 2;

let world: World;
afterEach(() => world.close());

test.each(oneOf(servers, import.meta.url))(
  'a search attribute of another type is left out, and named: loads run all the same, on $name',
  async (server) => {
    world = await World.create(server, ORDERS(100));
    const { operatorService } = world.client.connection;
    const { namespace } = world;
    await operatorService.removeSearchAttributes({ namespace, searchAttributes: ['WaybillBatchId'] });
    await operatorService.addSearchAttributes({ namespace, searchAttributes: { WaybillBatchId: KEYWORD } });
    await until(async () => {
      const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
      return Number(customAttributes?.['WaybillBatchId']) === KEYWORD;
    });

    const said: string[] = [];
    const log = pino({}, new Writable({ write: (line: Buffer, _, done) => (said.push(String(line)), done()) }));
    await world.worker({ log });
    const handle = await world.start('core.order');
    await until(async () => (await handle.describe()).status.name === 'COMPLETED', 30);
    await expectWhole(world);
    expect(said.join('')).toContain('WaybillBatchId is Keyword, and should be Int');
    const { typedSearchAttributes } = await handle.describe();
    expect(JSON.stringify(typedSearchAttributes)).toContain('published');
  },
);
