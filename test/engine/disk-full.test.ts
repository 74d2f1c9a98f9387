/**
 * The disk is full in the middle of a load: core.orders lies on a file system of one megabyte. Where the machine lets nobody mount
 * one, the server is made to say what it would say then, and the title of the test says so. MySQL 9.7 aborts on such a disk ("Out of
 * tablespace during rollback" when it undoes the insert): what is left of it there is server-faults.test.ts.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { serverUser } from '../../src/dev/server-user.ts';
import { inTurns, oneOfEachFamily } from '../every-server.ts';
import type { TestServer } from '../servers.ts';
import { expectWhole, ORDERS, World } from './orders.ts';
import { wordsAt, type ServerWords } from './server-words.ts';
import { openTestClient } from './test-client.ts';
import { AS_THEY_ARE } from './table-names.ts';
import { ended, until } from './world.ts';

type Family = ServerWords['family'];

/** What stays for the load on the small disk once it has been filled up: not enough for its rows. */
const LEFT_KB = 80;
const SIZE_KB = 1024;

/** What a server says then: whole, and how its messages are known anywhere. */
const SAYS: Record<Family, { text: RegExp; code: string }> = {
  postgres: { text: /No space left on device.*\(SQLSTATE 53100\)/s, code: 'SQLSTATE 53100' },
  mysql: { text: /The table 'orders' is full \(error 1114\)/, code: 'error 1114' },
};

/** What makes the rows of core.orders meet a full disk, until `free`. */
interface FullDisk {
  fill(world: World): Promise<void>;
  free(world: World): Promise<void>;
  /** Once nobody works there any more. */
  remove(world: World): Promise<void>;
}

const INJECTED: FullDisk = {
  fill: async (world) => {
    await world.warehouse.query(
      {
        postgres: `
      create function core.full() returns trigger language plpgsql as $$ begin
        if new.id > 700 then
          raise 'could not extend file: No space left on device' using errcode = 'disk_full';
        end if; return null; end $$;
      create trigger full_disk after insert on core.orders for each row execute function core.full()`,
        mysql: `
      create trigger core.full_disk after insert on core.orders for each row if new.id > 700 then
        signal sqlstate 'HY000' set mysql_errno = 1114, message_text = 'The table ''orders'' is full';
      end if`,
      }[world.words.family],
    );
  },
  free: async (world) => {
    await world.warehouse.query(
      world.words.family === 'postgres' ? 'drop trigger full_disk on core.orders' : 'drop trigger core.full_disk',
    );
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

/** Whether a disk can be given to this server, and it lives on when that is full. Else why not. */
async function whyInjected({ name, url }: TestServer): Promise<string | undefined> {
  if (name.startsWith('MySQL')) return 'AN INJECTED ERROR: IT ABORTS ON A REAL ONE';
  if (!mountable) return 'NO DISK COULD BE MOUNTED HERE: AN INJECTED ERROR';
  if (wordsAt(url).family === 'postgres') return undefined;
  const client = await openTestClient(url, AS_THEY_ARE);
  const { rows } = await client.query<{ host: string; data: string }>('select @@hostname as host, @@datadir as data');
  await client.end();
  if (rows[0]!.host === hostname() && existsSync(rows[0]!.data)) return undefined;
  return 'ITS FILES ARE NOT HERE: AN INJECTED ERROR';
}

/** How core.orders gets to a disk that is mounted at a directory, and is taken from there. */
interface WayToDisk {
  put(world: World, mountAt: (directory: string) => void): Promise<void>;
  take(world: World): Promise<void>;
}

const ON_DISK: Record<Family, WayToDisk> = {
  /** A tablespace. */
  postgres: {
    put: async ({ warehouse }, mountAt) => {
      const directory = mkdtempSync(join(tmpdir(), 'waybill-small-disk-'));
      mountAt(directory);
      chmodSync(directory, 0o755);
      const user = serverUser()!;
      chownSync(directory, user.uid, user.gid);
      const name = `small_${process.pid}_${Date.now()}`;
      await warehouse.query(`create tablespace ${name} location '${directory}'`);
      await warehouse.query(`alter table core.orders set tablespace ${name}`);
      await warehouse.query(`alter index core.orders_by_batch set tablespace ${name}`);
    },
    take: async ({ warehouse }) => {
      const { rows } = await warehouse.query<{ name: string }>(`
        select spcname as name from pg_class c join pg_tablespace t on t.oid = c.reltablespace
        where c.oid = 'core.orders'::regclass`);
      await warehouse.query('drop table core.orders');
      await warehouse.query(`drop tablespace ${rows[0]!.name}`);
    },
  },
  /** The directory of the schema: each table is a file in it. */
  mysql: {
    put: async (world, mountAt) => {
      await world.warehouse.query('create table kept.empty like core.orders; drop table core.orders');
      mountAt(join(String(await world.value('select @@datadir')), `${world.names.prefix}core`));
      await world.warehouse.query('create table core.orders like kept.empty');
    },
    take: async ({ warehouse }) => {
      await warehouse.query('drop table core.orders');
    },
  },
};

class SmallDisk implements FullDisk {
  private directory: string | undefined;

  async fill(world: World): Promise<void> {
    await ON_DISK[world.words.family].put(world, (directory) => {
      if (!mount(directory)) throw new Error(`cannot mount a small disk at ${directory}`);
      this.directory = directory;
    });
    const { bavail, bsize } = statfsSync(this.directory!);
    writeFileSync(join(this.directory!, 'full'), Buffer.alloc(bavail * bsize - LEFT_KB * 1024));
  }

  free(): Promise<void> {
    rmSync(join(this.directory!, 'full'), { force: true });
    return Promise.resolve();
  }

  async remove(world: World): Promise<void> {
    const { directory } = this;
    if (directory === undefined) return;
    await this.free(); // MariaDB purges deleted rows only then, and lets nobody drop the table before
    await ON_DISK[world.words.family].take(world);
    await until(() => Promise.resolve(unmount(directory)), 10);
    if (world.words.family === 'postgres') rmSync(directory, { recursive: true });
  }
}

const mountable = canMount();
const cases = await Promise.all(
  oneOfEachFamily(import.meta.url).map(async (server) => {
    const why = await whyInjected(server);
    return { server, name: server.name, real: why === undefined, how: why ?? 'a disk of 1 MB' };
  }),
);

describe.each(cases)('a full disk under $name ($how)', { timeout: 180_000 }, ({ server, real }) => {
  const it = inTurns(import.meta.url, server, cases);
  const says = SAYS[wordsAt(server.url).family];

  async function withFullDisk(work: (world: World, disk: FullDisk) => Promise<void>): Promise<void> {
    const world = await World.create(server, ORDERS(2000, { byKey: true, yaml: 'max_attempts: 50' }));
    const disk = real ? new SmallDisk() : INJECTED;
    try {
      await disk.fill(world);
      await work(world, disk);
    } finally {
      await Promise.allSettled(world.workers.map((worker) => worker.stop()));
      await disk.remove(world);
      await world.close();
    }
  }

  const pending = (world: World) =>
    world.rows<{ error: string; wait: number | string }>(`
      select error, extract(epoch from not_before - clock_timestamp())::float8 as wait from waybill.chunk
      where state = 'pending' and attempts > 0 and error is not null`);

  it('gives a chunk a long time before its next attempt', () =>
    withFullDisk(async (world) => {
      await world.worker();
      const handle = await world.start('core.order');
      const [first] = await until(async () => {
        const rows = await pending(world);
        return rows.length > 0 && rows;
      });
      expect(first!.error).toMatch(says.text);
      expect(Number(first!.wait)).toBeGreaterThan(15);
      expect(Number(first!.wait)).toBeLessThan(31);
      await handle.cancel(); // a roll back needs no room
      expect(await ended(handle)).toMatchObject({ ok: false, type: 'Canceled' });
      expect(await world.value('select count(*) from core.orders')).toBe('0');
      expect(await world.states('core.order')).toEqual(['cancelled']);
    }));

  it('holds a load up until there is room: it goes on, and every row is there once', () =>
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

  it('that stays full fails the load when its attempts are used up: rolled back, and the next start has every row', () =>
    withFullDisk(async (world, disk) => {
      await world.write(
        'loads/core/order.yaml',
        ORDERS(2000, { byKey: true, yaml: 'max_attempts: 2' }).files['loads/core/order.yaml']!,
      );
      await world.worker({ longestBackoffMs: 100 });
      const failed = await world.run('core.order');
      expect(failed).toMatchObject({ ok: false, type: 'Database' });
      expect(!failed.ok && failed.message).toMatch(
        new RegExp(`chunk \\d+ of 20: .*\\(${says.code}\\) \\(2 attempts\\)`),
      );
      expect(await world.value('select count(*) from core.orders')).toBe('0');
      await disk.free(world);
      expect(await world.run('core.order')).toMatchObject({ ok: true, result: { rowsWritten: 2000 } });
      await expectWhole(world);
      expect(await world.states('core.order')).toEqual(['failed', 'published']);
    }));
});
