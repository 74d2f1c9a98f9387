import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { withDatabase } from '../../examples/flights/demo/database.ts';
import { fillSource } from '../../examples/mot/fill-source.ts';
import { describeOn, freshMysqlDatabase, mysqlServers, ownServers } from '../mysql-servers.ts';
import { oneOf } from '../seed.ts';

const SCHEMA = fileURLToPath(new URL('../../examples/mot/schema/mot.sql', import.meta.url));
const DEMO = fileURLToPath(new URL('../../examples/mot/demo.ts', import.meta.url));

async function demo(...args: string[]): Promise<{ exitCode: number | null; said: string }> {
  const env = { ...process.env };
  for (const name of ['TEMPORAL_ADDRESS', 'TEMPORAL_DEBUG', 'CI']) delete env[name];
  const child = spawn(process.execPath, ['--import', 'tsx', DEMO, ...args], { env });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()));
  const exitCode = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { exitCode, said };
}

/** How many rows of each table it says this of, the first time that it does. */
const rowsIn = (said: string, what: string): Record<string, number> => {
  const found = said.matchAll(new RegExp(`✓ (\\w+): ([\\d,]+) rows,? ${what}`, 'g'));
  const counts = [...found].map(([, table, rows]) => [table!, Number(rows!.replaceAll(',', ''))] as const);
  return Object.fromEntries(counts.reverse());
};

// It starts a server of its own.
describeOn(oneOf(await ownServers(), import.meta.url), 'the example of vehicles on $name', ({ flavour }) => {
  test('makes a copy, and brings what changed a day later', { timeout: 300_000 }, async () => {
    const { exitCode, said } = await demo('--vehicles', '700', '--seed', '7', '--server', flavour.toLowerCase());
    expect(exitCode, said).toBe(0);
    expect(said.match(/✓ .*, as plain SQL makes them/g), said).toHaveLength(8);
    expect(said).toContain('✓ test: 1,470 rows');
    // A day changes something in each table, and not everything.
    const before = rowsIn(said, 'as plain SQL makes them'); // of the first load
    const kept = rowsIn(said, 'had not changed, and were left alone');
    expect(Object.keys(kept).sort()).toEqual(['maker', 'model', 'test', 'vehicle']);
    for (const [table, rows] of Object.entries(kept)) {
      expect(rows, table).toBeGreaterThan(0);
      expect(rows, table).toBeLessThan(before[table]!);
    }
  });
});

const checksum = (rows: unknown): string => createHash('sha256').update(JSON.stringify(rows)).digest('hex');

const ALL_ROWS = [
  'select id, model_id, plate, first_used_on from vehicle order by id',
  'select id, vehicle_id, tested_on, mileage, passed from test order by id',
  'select test_id, reason_id from rejection order by test_id, reason_id',
];

describeOn(await mysqlServers(), 'vehicles of the example on $name', (server) => {
  async function made(seed: number): Promise<string[]> {
    const { url } = await freshMysqlDatabase(server);
    return withDatabase(url, async (mot) => {
      await mot.run(await readFile(SCHEMA, 'utf8'));
      await fillSource(mot, { vehicles: 200, seed });
      return Promise.all(ALL_ROWS.map(async (sql) => checksum(await mot.ask(sql))));
    });
  }

  test('the same seed makes the same rows, another one others', async () => {
    const [once, again, another] = [await made(7), await made(7), await made(8)];
    expect(again).toEqual(once);
    for (const [n, rows] of another.entries()) expect(rows, ALL_ROWS[n]).not.toBe(once[n]);
  });
});

test.each([
  [['--vehicles', 'many'], '--vehicles must be a whole number'],
  [['--server', 'postgres://x'], '--server must be mysql, mariadb'],
  [['--cars', '7'], "Unknown option '--cars'"],
])('the example of vehicles says what is wrong with %j', async (args, message) => {
  const { exitCode, said } = await demo(...args);
  expect(exitCode).toBe(2);
  expect(said).toContain(message);
  expect(said).not.toContain('    at ');
});
