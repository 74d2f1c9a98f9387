import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

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

test.each([
  ['MySQL 9.7', 'mysql'],
  ['MariaDB 10.11', 'mariadb'],
])('the example of vehicles on %s: a copy, and what changed a day later', { timeout: 300_000 }, async (_, server) => {
  const { exitCode, said } = await demo('--vehicles', '700', '--seed', '7', '--server', server);
  expect(exitCode, said).toBe(0);
  expect(said.match(/✓ .*, as plain SQL makes them/g), said).toHaveLength(8);
  expect(said).toContain('✓ test: 1,470 rows');
  const kept = said.match(/✓ (\w+): [\d,]+ rows had not changed, and were left alone/g);
  expect(kept, said).toHaveLength(4);
  expect(said).not.toMatch(/✓ \w+: 0 rows had not changed/);
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
