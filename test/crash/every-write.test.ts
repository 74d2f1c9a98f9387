/**
 * That no write is forgotten: every place of the code where a worker writes or locks gives a statement that is a crash point of some
 * scenario. Where all is wanted only: it takes a run of each scenario.
 */
import { expect, inject, test } from 'vitest';
import { everyServer } from '../every-server.ts';
import { allScenarios } from './all-scenarios.ts';
import { fewAtOnce, record } from './crash-tests.ts';
import { writeSites, type Family, type WriteSite } from './write-sites.ts';

test('the places that write are found in the code', async () => {
  const [postgres, mysql] = await Promise.all([writeSites('postgres'), writeSites('mysql')]);
  const names = (sites: WriteSite[]): string[] => sites.map(({ name }) => name);
  const ofAll = 'control/snapshots.ts: update … set storage_id = … where batch_id = … and table_name = …';
  const swap = 'database/mysql/snapshot/exchange.ts: rename table …';
  expect(names(postgres)).toContain(ofAll);
  expect(names(mysql)).toEqual(expect.arrayContaining([ofAll, swap]));
  expect(names(postgres)).not.toContain(swap);
  const { sends } = mysql.find(({ name }) => name === ofAll)!;
  const update = (table: string): string => `update ${table} set storage_id = ? where batch_id = ? and table_name = ?`;
  expect(
    ['waybill.snapshot', 't00000000_waybill.snapshot', 'waybill.batch', 'snapshot'].filter((table) =>
      sends.test(` ${update(table)}`),
    ),
  ).toEqual(['waybill.snapshot', 't00000000_waybill.snapshot']);
});

/** What no scenario sends, on this server or on any, and why. */
const NEVER: Record<Family, Record<string, string>> = {
  postgres: {
    'control/migrate.ts: create the control tables': 'advice',
    'control/migrate.ts: insert into migration (version, name, checksum) values (…) …': 'migrate --print',
    'control/migrate.ts: insert into project (name) values (…) …': 'migrate --print',
    'database/postgres/ledger.ts: create schema if not exists …': 'migrate --print',
    'database/postgres/numbering.ts: alter sequence … restart with …': 'advice',
    'database/postgres/snapshot/guard.ts: create or replace function ….refuse_snapshot_write() returns trigger language plpgsql as $function$ ':
      'of the tests: a migration has it',
  },
  mysql: {
    'control/migrate.ts: create the control tables': 'advice',
    'control/migrate.ts: insert into migration (version, name, checksum) values (…) …': 'migrate --print',
    'control/migrate.ts: insert into project (name) values (…) …': 'migrate --print',
    "control/chunks.ts: select range_from, range_to from … where batch_id = … and stage = … and n = … and state = 'pending' ":
      'only a deadlock takes the whole transaction here, and none can be had on purpose at a chunk: engine/deadlock.test.ts',
    'control/snapshots.ts: update … set storage_id = … where batch_id = … and table_name = …':
      'a rewritten snapshot is another table here: a resume is refused',
    'database/mysql/landing.ts: create database …, and let the user of this connection create tables in it': 'advice',
  },
};

const servers = inject('seed').all ? everyServer : [];

test.each(servers)('every place that writes is a crash point on $name', { timeout: 1_500_000 }, async (server) => {
  const family = server.name.startsWith('PostgreSQL') ? 'postgres' : 'mysql';
  const sent: string[] = [];
  await fewAtOnce([...allScenarios.values()], async (scenario) => {
    for (const { writes, whole } of await record(server, scenario)) if (writes) sent.push(whole);
  });
  const sites = await writeSites(family);
  expect(sites.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(NEVER[family])));
  const forgotten = sites.filter(
    ({ name, sends }) => !(name in NEVER[family]) && !sent.some((statement) => sends.test(statement)),
  );
  expect(forgotten).toEqual([]);
});
