import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { withDatabase, type DemoDatabase } from '../../examples/flights/demo/database.ts';
import { makeTables } from '../../examples/flights/demo/warehouse.ts';
import { WaybillError } from '../../src/errors.ts';
import { everyServer } from '../every-server.ts';
import { oneOf } from '../seed.ts';
import { freshDatabase, type TestServer } from '../servers.ts';

const isPostgres = ({ url }: TestServer): boolean => url.startsWith('postgres');

const at = (server: TestServer, parts: Partial<Pick<URL, 'username' | 'password' | 'pathname'>>): string =>
  Object.assign(new URL(server.url), parts).href;

async function refusal(work: Promise<unknown>) {
  const error: unknown = await work.then(
    () => expect.unreachable('it was let in'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof WaybillError)) throw error;
  return { message: error.message, next: error.next, exitCode: error.exitCode };
}

const connecting = (url: string) => refusal(withDatabase(url, () => Promise.resolve()));

/** Beside the pattern: which server, without its credentials. */
const cannot = (server: TestServer, database: string, why: RegExp) => {
  const place = `${new URL(server.url).host}${database}`.replaceAll('.', '\\.');
  return expect.stringMatching(new RegExp(`^cannot connect to the database ${place}: ${why.source}`)) as string;
};

describe.each(everyServer)('what a demo says of a $name', (server) => {
  const ownDatabase = new URL(server.url).pathname.replace(/^\/$/, '');

  test('that has no such database', async () => {
    expect(await connecting(at(server, { pathname: '/none_such' }))).toEqual({
      message: cannot(server, '/none_such', isPostgres(server) ? /.*does not exist$/ : /Unknown database 'none_such'$/),
      next: 'create that database, or correct its name in the URL',
      exitCode: 5,
    });
  });

  test.each([
    ['password', { password: 'no-word-of-mine' }],
    ['user', { username: 'nobody', password: 'no-word-of-mine' }],
  ])('of which it has a wrong %s', async (_, credentials) => {
    expect(await connecting(at(server, credentials))).toEqual({
      message: cannot(server, ownDatabase, isPostgres(server) ? /password authentication failed/ : /Access denied/),
      next: 'check user and password in the URL',
      exitCode: 5,
    });
  });

  test('in which it may not make its tables', async () => {
    const { url } = await freshDatabase(server);
    const user = `demo_${process.pid}_${Date.now().toString(36)}`;
    await withDatabase(url, (database) => makeUser(database, user));
    const theirs = Object.assign(new URL(url), { username: user, password: 'x' }).href;
    const { message, next, exitCode } = await refusal(makeTables(theirs));
    expect(message).toMatch(/^cannot make what schema\/warehouse(\.mysql)?\.sql holds in the database .*denied/);
    expect(next).toBe('grant that user the rights, or correct the URL');
    expect(exitCode).toBe(2);
  });

  async function makeUser(database: DemoDatabase, user: string): Promise<void> {
    if (isPostgres(server)) return database.run(`create role ${user} login password 'x'`);
    await database.run(`create user ${user} identified by 'x'`);
    const [current] = await database.ask<{ name: string }>('select database() as name');
    await database.run(`grant select on ${current!.name}.* to ${user}`);
  }
});

test.each(everyServer.filter(isPostgres))('a demo without a password for a $name says so', async (server) => {
  expect(await connecting(at(server, { password: '' }))).toMatchObject({
    message: cannot(server, '/postgres', /the server wants a password, and there is none$/),
    next: 'check user and password in the URL',
  });
});

describe.each(oneOf(everyServer, import.meta.url))('the demo into a $name', (server) => {
  test('that does not let it in says so in three lines, before it starts anything', async () => {
    const url = at(server, { password: 'no-word-of-mine' });
    const args = ['--import', 'tsx', 'examples/flights/demo.ts', '--warehouse', url];
    const cwd = fileURLToPath(new URL('../..', import.meta.url));
    const demo = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [demo.stdout, demo.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()));
    const [exitCode] = (await once(demo, 'close')) as [number];
    expect(exitCode, said).toBe(5);
    expect(said).toMatch(/^ *[\d.]+ s {2}cannot connect to the database .*\n {9}next: {2}check user and password.*\n$/);
    expect(said).not.toContain('no-word-of-mine');
  });
});
