import { PassThrough, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { Cli } from '../../src/cli/cli.ts';
import { follow, type FollowOptions } from '../../src/cli/follow.ts';
import { main } from '../../src/cli/program.ts';
import { Waybill } from '../../src/client/index.ts';
import { UnreachableError } from '../../src/errors.ts';
import { batches, BREAKABLE, done } from '../engine/breakable-orders.ts';
import { CuttableWay } from '../engine/cuttable-way.ts';
import { ORDERS, World } from '../engine/orders.ts';
import { LONG_ROWS, TASK } from '../engine/vehicles.ts';
import { until } from '../engine/world.ts';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import { servers } from '../servers.ts';
import { document, environment, spawnWaybill, waybill, type Answer } from './command-line.ts';

const some = oneOfEachFamily(import.meta.url);

describe.each(some)('the command line as a process of its own on $name', (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  it('Ctrl-C on run leaves the load running and says how to end it, with 0', async () => {
    world = await World.create(server, BREAKABLE(10_000, { broken: 0, pause: 0.4 }));
    await world.worker();
    const { child, answer } = spawnWaybill(world, ['run', 'core.order', '--json']);
    await until(async () => (await done(world).catch(() => 0)) > 1);
    child.kill('SIGINT');
    const ended = await answer;
    expect(ended.exitCode).toBe(0);
    expect(document(ended)).toMatchObject({ load: 'core.order', status: 'running', batch_id: '1' });
    expect(ended.stderr).toContain('waybill cancel core.order');
    expect(await batches(world)).toMatchObject([{ state: 'running' }]);
    expect((await waybill(world, 'cancel', 'core.order')).exitCode).toBe(0);
  });

  it('Ctrl-C twice cancels it, waits until it is rolled back, and ends with 3', async () => {
    world = await World.create(server, BREAKABLE(10_000, { broken: 0, pause: 0.4 }));
    await world.worker();
    const { child, answer, said } = spawnWaybill(world, ['run', 'core.order', '--json']);
    await until(async () => (await done(world).catch(() => 0)) > 1);
    child.kill('SIGINT');
    await until(() => Promise.resolve(said().includes('Ctrl-C again cancels it')));
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill('SIGINT');
    const ended = await answer;
    expect(ended.exitCode).toBe(3);
    expect(document(ended)).toMatchObject({ state: 'cancelled', error: { type: 'Cancelled' } });
    expect(await world.value('select count(*) from core.orders')).toBe('0');
  });

  /** A run, each of whose looks has had an answer so far, and by now none has: the database has fallen silent for it. */
  async function runInSilence() {
    world = await World.create(server, BREAKABLE(10_000, { broken: 0, pause: 0.4 }));
    await world.worker();
    const url = new URL(world.env['WAREHOUSE_URL']!);
    const way = await CuttableWay.to(url.host);
    world.atClose(() => way.close());
    url.host = way.address;
    const env = { ...environment(world), WAREHOUSE_URL: url.href };
    const run = spawnWaybill(world, ['run', 'core.order', '--json'], env);
    await until(() => Promise.resolve(/ chunks?\b/.test(run.said())));
    way.fallSilent();
    await new Promise((resolve) => setTimeout(resolve, 1_500)); // longer than from one look to the next
    const within = (seconds: number) =>
      Promise.race([run.answer, new Promise((resolve) => setTimeout(resolve, seconds * 1000, 'nothing'))]);
    return { ...run, within };
  }

  it('Ctrl-C on run is heard while the database is silent', async () => {
    const { child, within } = await runInSilence();
    child.kill('SIGINT');
    const ended = await within(20);
    expect(ended).toMatchObject({ exitCode: 0 });
    expect(document(ended as Answer)).toMatchObject({ load: 'core.order', status: 'running' });
    expect(await batches(world)).toMatchObject([{ state: 'running' }]);
  });

  it('Ctrl-C twice cancels it while the database is silent', async () => {
    const { child, said, within } = await runInSilence();
    child.kill('SIGINT');
    await until(() => Promise.resolve(said().includes('Ctrl-C again cancels it')));
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill('SIGINT');
    await until(async () => (await batches(world))[0]?.state === 'cancelled', 20);
    expect(await within(30)).toMatchObject({ exitCode: 3 });
  });

  it('a cancel by Ctrl-C that does not come through ends with its error, and does not say that all is well', async () => {
    const { press, said, followed } = await followInside({
      cancel: () => Promise.reject(new UnreachableError('cut off')),
    });
    press();
    await expect(followed).rejects.toThrow('cut off');
    expect(said()).toContain('core.order was not cancelled, and goes on. Later: waybill cancel core.order');
    expect(await batches(world)).toMatchObject([{ state: 'running' }]);
  });

  it('Ctrl-C that was pressed before there was a run to follow cancels it, and the next one is heard meanwhile', async () => {
    let asked = 0;
    let sent: () => void = () => undefined;
    const sending = new Promise<void>((resolve) => (sent = resolve));
    const cancel = (): Promise<void> => {
      asked += 1;
      return sending;
    };
    const { press, followed } = await followInside({ cancel, pressed: true });
    expect(asked).toBe(1);
    press();
    sent();
    expect(await followed).toBe('cancelling');
    expect(asked).toBe(1);
  });

  /** Follows a load that runs, as `dev --run` does; `press`: Ctrl-C. */
  async function followInside(options: Pick<FollowOptions, 'cancel' | 'pressed'>) {
    world = await World.create(server, BREAKABLE(10_000, { broken: 0, pause: 0.4 }));
    await world.worker();
    const env = environment(world);
    const client = await Waybill.open({ project: world.directory, env });
    world.atClose(() => client.close());
    const follower = await client.run('core.order');
    await until(async () => (await done(world).catch(() => 0)) > 0);
    let press: () => void = () => undefined;
    let said = '';
    const stderr = new PassThrough().on('data', (data: Buffer) => (said += data.toString()));
    const onInterrupt = (heard: (signal: string) => void) => {
      press = () => heard('SIGINT');
      return () => undefined;
    };
    const cli = new Cli({ stdout: new PassThrough().resume(), stderr, env, cwd: world.directory, onInterrupt });
    const followed = follow(cli, follower, { interrupt: 'cancel', ...options });
    followed.catch(() => undefined); // whoever wants to know awaits it
    return { press, followed, said: () => said };
  }

  it('run shows the rows of a task at the speed of whoever reads them, and ends well where nobody does any more', async () => {
    world = await World.create(server, LONG_ROWS('method: query'));
    await waybill(world, 'migrate');
    await world.worker();
    let [most, all] = [0, 0];
    const slow = new Writable({
      write(chunk: Buffer, _, done) {
        most = Math.max(most, slow.writableLength);
        all += chunk.length;
        setTimeout(done, 100);
      },
    });
    const io = { stderr: new PassThrough().resume(), env: environment(world), cwd: world.directory };
    expect(await main(['run', TASK], { ...io, stdout: slow, onInterrupt: () => () => undefined })).toBe(0);
    expect(all).toBeGreaterThan(5_400_000);
    expect(most).toBeLessThan(1_100_000); // one piece
    const { child, answer } = spawnWaybill(world, ['run', TASK]);
    child.stdout!.once('data', () => child.stdout!.destroy());
    const { exitCode, stderr } = await answer;
    expect(stderr).toMatch(/task\.vehicle +2 +published +600/);
    expect(stderr).not.toMatch(/EPIPE|waybill:/);
    expect(exitCode).toBe(0);
  });

  it('worker makes the control tables, runs loads, and stops at SIGTERM with 0', async () => {
    world = await World.create(server, ORDERS(500, { byKey: true }));
    const { child, answer, said } = spawnWaybill(world, ['worker']);
    await until(() => Promise.resolve(said().includes('the worker polls')));
    expect((await waybill(world, 'run', 'core.order')).exitCode).toBe(0);
    child.kill('SIGTERM');
    expect(await answer).toMatchObject({ exitCode: 0, stdout: '' });
    const killed = Date.now();
    expect((await waybill(world, 'run', 'core.order')).exitCode).toBe(5);
    // `run` gives a worker that is just starting ten seconds.
    expect(Date.now() - killed).toBeLessThan(20_000);
  });

  it('a force of a load that ends before it hears of it starts the load anew', async () => {
    world = await World.create(server, BREAKABLE(2_000, { broken: 0, pause: 0.4 }));
    const worker = await world.workerProcess();
    const handle = await world.start('core.order');
    await until(async () => (await done(world).catch(() => 0)) > 1);
    worker.kill('SIGSTOP');
    const { answer } = spawnWaybill(world, ['run', 'core.order', '--force', '--json']);
    // The update that asks for it waits for the worker, which sleeps.
    await until(async () => (await handle.describe()).raw.pendingWorkflowTask);
    await handle.terminate();
    worker.kill('SIGCONT');
    const ended = await answer;
    expect(ended).toMatchObject({ exitCode: 0 });
    expect(document(ended)).toMatchObject({ state: 'published', batch_id: '2' });
    expect(await batches(world)).toMatchObject([{ state: 'failed' }, { state: 'published' }]);
  });

  it('a force of a load whose worker has just died, or sleeps, says so within half a minute, with 5', async () => {
    world = await World.create(server, BREAKABLE(2_000, { broken: 0, pause: 0.4 }));
    const worker = await world.workerProcess();
    await world.start('core.order');
    await until(async () => (await done(world).catch(() => 0)) > 1);
    worker.kill('SIGSTOP');
    const forced = await waybill(world, 'run', 'core.order', '--force');
    expect(forced).toMatchObject({ exitCode: 5, stdout: '' });
    expect(forced.stderr).toContain('core.order did not answer');
    worker.kill('SIGCONT');
    expect((await waybill(world, 'run', 'core.order', '--attach')).exitCode).toBe(0);
    expect((await batches(world)).at(-1)).toMatchObject({ state: 'published' });
  });

  it('a worker that loses its database while it starts says which, and ends with 5', async () => {
    world = await World.create(server, ORDERS(500));
    await waybill(world, 'migrate');
    const holder = await world.another('warehouse');
    await holder.query(
      {
        postgres: 'begin; lock table waybill.migration',
        mysql: 'lock tables waybill.migration write',
      }[world.words.family],
    );
    const url = new URL(world.env['WAREHOUSE_URL']!);
    const way = await CuttableWay.to(url.host);
    world.atClose(() => way.close());
    url.host = way.address;
    const { answer } = spawnWaybill(world, ['worker'], { ...environment(world), WAREHOUSE_URL: url.href });
    await until(async () => (await world.count(world.words.waiting)) > 0);
    way.cut();
    const ended = await answer;
    expect(ended).toMatchObject({ exitCode: 5, stdout: '' });
    expect(ended.stderr).toMatch(/^waybill: warehouse: .+\n {2}where: connection warehouse\n$/);
  });

  it('of a worker that was killed, the next run says that none polls', async () => {
    world = await World.create(server, ORDERS(500));
    const { child, answer, said } = spawnWaybill(world, ['worker']);
    await until(() => Promise.resolve(said().includes('the worker polls')));
    child.kill('SIGKILL');
    await answer;
    expect((await waybill(world, 'run', 'core.order')).exitCode).toBe(5);
  });
});

/** Runs a command in this process; `off`: called where it no longer listens to Ctrl-C. */
function pressing(world: World, argv: string[], off: (press: () => void) => void = () => undefined) {
  let press = (): void => undefined;
  const stdout = new PassThrough();
  const said: string[] = [];
  stdout.on('data', (data: Buffer) => said.push(data.toString()));
  const exitCode = main(argv, {
    ...{ stdout, stderr: new PassThrough().resume(), env: environment(world), cwd: world.directory },
    onInterrupt: (heard) => {
      press = () => heard('SIGINT');
      return () => off(press);
    },
  });
  return { press: () => press(), ended: exitCode.then((code) => ({ exitCode: code, stdout: said.join('') })) };
}

describe.each(some)('a cancel on $name', (server) => {
  const it = inTurns(import.meta.url, server);
  let world: World;
  afterEach(() => world.close());

  it('that is not waited for ends with 3, and does not say that the load runs', async () => {
    world = await World.create(server, BREAKABLE(10_000, { broken: 0, pause: 0.4 }));
    await world.worker();
    const { press, ended } = pressing(world, ['run', 'core.order']);
    await until(async () => (await done(world).catch(() => 0)) > 0);
    for (let i = 0; i < 3; i += 1) press();
    const { exitCode, stdout } = await ended;
    expect(exitCode).toBe(3);
    expect(stdout).toMatch(/^core\.order was asked to end/);
    await until(async () => (await batches(world))[0]?.state === 'cancelled');
  });

  it('of dev --run that is not waited for leaves at once, and says what rolls back the rest: the next worker or start', async () => {
    world = await World.create(server, BREAKABLE(10_000, { broken: 0, pause: 0.4, lanes: 1 }));
    const { child, answer } = spawnWaybill(world, ['dev', '--run', 'core.order']);
    await until(async () => (await done(world).catch(() => 0)) > 1);
    // As long as this is, the roll back does not come to its end, nor does a worker that waits for it.
    const holder = await world.another('warehouse');
    await holder.query('begin; delete from core.orders where batch_id = 1 and id < 100');
    child.kill('SIGINT');
    await until(async () => (await batches(world))[0]!.state === 'rolling_back');
    await sleep(300); // no person is faster, and what is faster is the same Ctrl-C
    child.kill('SIGINT');
    const ended = await Promise.race([answer, sleep(10_000)]);
    expect(ended).toMatchObject({ exitCode: 3 });
    expect((ended as Answer).stdout).toMatch(
      /^core\.order was asked to end, but everything here stops now: .*\(which may ask for --force\)$/m,
    );
    await holder.query('rollback');
    expect(await batches(world)).toMatchObject([{ state: 'rolling_back' }]);
    await world.worker();
    await until(async () => (await batches(world))[0]!.state === 'cancelled');
    expect(await world.value('select count(*) from core.orders')).toBe('0');
  });

  it('of dev --run, just as the load starts, ends it', async () => {
    world = await World.create(server, BREAKABLE(2_000, { broken: 0, pause: 0.4 }));
    let pressed = false;
    const { ended } = pressing(world, ['dev', '--run', 'core.order', '--json'], (press) => {
      if (pressed) return;
      pressed = true;
      press();
    });
    const { exitCode, stdout } = await ended;
    expect(stdout).toContain('"type":"Cancelled"');
    expect(exitCode).toBe(3);
  });
});

// No trigger of MySQL's family keeps a row from going without an error.
describe.each(servers.slice(0, 1))('a cancel on $name', (server) => {
  let world: World;
  afterEach(() => world.close());

  test('whose roll back does not come to its end says why and what to do, with 1', async () => {
    world = await World.create(server, BREAKABLE(10_000, { broken: 0, pause: 0.4 }));
    await world.warehouse.query(`
      create function core.keep() returns trigger language plpgsql as 'begin return null; end';
      create trigger keep before delete on core.orders for each row execute function core.keep()`);
    await world.worker();
    expect(await waybill(world, 'run', 'core.order', '--detach')).toMatchObject({ exitCode: 0 });
    await until(async () => (await done(world).catch(() => 0)) > 0);
    const answer = await waybill(world, 'cancel', 'core.order');
    expect(await batches(world)).toMatchObject([{ state: 'rolling_back' }]);
    expect(answer.stderr).toMatch(/the roll back is not finished: .*trigger keep on core\.orders/);
    expect(answer.stderr).toMatch(/next: +drop or disable that/);
    expect(answer.exitCode).toBe(1);
  });
});
