/**
 * The disk is full in the middle of a load: a tablespace on a file system of one megabyte. Where the machine lets nobody mount
 * one, the server is made to say what it would say then, and the title of the test says so.
 */
import { spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { serverUser } from '../../src/dev/server-user.ts';
import { servers, type TestServer } from '../servers.ts';
import { expectWhole, ORDERS, World } from './orders.ts';
import { ended, until } from './world.ts';

/** Room on the small disk that is filled up and given back, and what stays for the load: not enough for its rows. */
const LEFT_KB = 80;
const SIZE_KB = 1024;

/** What makes the rows of core.orders meet a full disk, until `free`. */
interface FullDisk {
  fill(world: World): Promise<void>;
  free(world: World): Promise<void>;
  remove(server: TestServer): Promise<void>;
}

const INJECTED: FullDisk = {
  fill: async (world) => {
    await world.warehouse.query(`
      create function core.full() returns trigger language plpgsql as $$ begin
        if (select count(*) from core.orders) > 700 then
          raise 'could not extend file: No space left on device' using errcode = 'disk_full';
        end if; return null; end $$;
      create trigger full_disk after insert on core.orders for each statement execute function core.full()`);
  },
  free: async (world) => {
    await world.warehouse.query('drop trigger full_disk on core.orders');
  },
  remove: () => Promise.resolve(),
};

const mount = (directory: string): boolean =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_KB}k`, 'tmpfs', directory]).status === 0;
const unmount = (directory: string): boolean => spawnSync('umount', [directory]).status === 0;

/** Whether this machine lets us mount one: tried, and taken away again. */
function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const directory = mkdtempSync(join(tmpdir(), 'waybill-mount-'));
  try {
    return mount(directory) && unmount(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

class SmallDisk implements FullDisk {
  private readonly directory = mkdtempSync(join(tmpdir(), 'waybill-small-disk-'));
  private readonly name = `small_${process.pid}_${Date.now()}`;

  async fill(world: World): Promise<void> {
    await chmod(this.directory, 0o755);
    if (!mount(this.directory)) throw new Error(`cannot mount a small disk at ${this.directory}`);
    const user = serverUser()!;
    chownSync(this.directory, user.uid, user.gid);
    await world.warehouse.query(`create tablespace ${this.name} location '${this.directory}'`);
    await world.warehouse.query(`alter table core.orders set tablespace ${this.name}`);
    await world.warehouse.query(`alter index core.orders_by_batch set tablespace ${this.name}`);
    writeFileSync(join(this.directory, 'full'), Buffer.alloc((SIZE_KB - LEFT_KB) * 1024));
  }

  free(): Promise<void> {
    rmSync(join(this.directory, 'full'));
    return Promise.resolve();
  }

  async remove(server: TestServer): Promise<void> {
    const world = await World.create(server, { files: {} });
    await world.warehouse.query(`drop tablespace if exists ${this.name}`).catch(() => undefined);
    await world.close();
    unmount(this.directory);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const real = canMount();
const how = real ? 'a tablespace on a disk of 1 MB' : 'NO DISK COULD BE MOUNTED HERE: AN INJECTED SQLSTATE';

describe.each(servers)(`a full disk under $name (${how})`, { timeout: 180_000 }, (server) => {
  async function withFullDisk(work: (world: World, disk: FullDisk) => Promise<void>): Promise<void> {
    const world = await World.create(server, ORDERS(2000, { byKey: true, yaml: 'max_attempts: 50' }));
    const disk = real ? new SmallDisk() : INJECTED;
    try {
      await disk.fill(world);
      await work(world, disk);
    } finally {
      await world.close();
      await disk.remove(server);
    }
  }

  const pending = (world: World) =>
    world.rows<{ error: string; wait: number }>(`
      select error, extract(epoch from not_before - clock_timestamp())::float8 as wait from waybill.chunk
      where state = 'pending' and attempts > 0 and error is not null`);

  test('gives a chunk a long time before its next attempt', () =>
    withFullDisk(async (world) => {
      await world.worker();
      const handle = await world.start('core.order');
      const [first] = await until(async () => {
        const rows = await pending(world);
        return rows.length > 0 && rows;
      });
      expect(first!.error).toMatch(/No space left on device.*\(SQLSTATE 53100\)/s);
      expect(first!.wait).toBeGreaterThan(15);
      expect(first!.wait).toBeLessThan(31);
      await handle.cancel(); // a roll back needs no room
      expect(await ended(handle)).toMatchObject({ ok: false, type: 'Canceled' });
      expect(await world.value('select count(*) from core.orders')).toBe('0');
      expect(await world.states('core.order')).toEqual(['cancelled']);
    }));

  test('holds a load up until there is room: it goes on, and every row is there once', () =>
    withFullDisk(async (world, disk) => {
      await world.worker({ longestBackoffMs: 1000 });
      const handle = await world.start('core.order');
      await until(async () => (await pending(world)).length > 0);
      const stuck = async (): Promise<unknown> => world.value('select sum(attempts) > 3 from waybill.chunk');
      await until(async () => (await stuck()) === true);
      expect(await world.states('core.order')).toEqual(['running']);
      await disk.free(world);
      expect(await ended(handle)).toMatchObject({ ok: true, result: { rowsWritten: 2000, chunks: 20 } });
      await expectWhole(world);
      expect(await world.states('core.order')).toEqual(['published']);
    }));

  test('that stays full fails the load when its attempts are used up: rolled back, and the next start has every row', () =>
    withFullDisk(async (world, disk) => {
      await world.write(
        'loads/core/order.yaml',
        ORDERS(2000, { byKey: true, yaml: 'max_attempts: 2' }).files['loads/core/order.yaml']!,
      );
      await world.worker({ longestBackoffMs: 100 });
      const failed = await world.run('core.order');
      expect(failed).toMatchObject({ ok: false, type: 'Database' });
      expect(!failed.ok && failed.message).toMatch(/chunk \d+ of 20: .*\(SQLSTATE 53100\) \(2 attempts\)/);
      expect(await world.value('select count(*) from core.orders')).toBe('0');
      await disk.free(world);
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 2000 } });
      await expectWhole(world);
      expect(await world.states('core.order')).toEqual(['failed', 'published']);
    }));
});
