/** Those who know nothing of Waybill: they write to the source, and to landing tables, before, during and after every swap. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestClient } from '../test/engine/test-client.ts';
import type { Diary } from './diary.ts';
import type { Random } from './random.ts';
import type { Site } from './site.ts';

/** Tables that one transaction writes to, in this order. */
const PLANS: readonly string[][] = [
  ...[['src.event'], ['src.event'], ['src.reading'], ['acq.note'], ['acq.tag']],
  ...[
    ['acq.note', 'acq.tag'],
    ['acq.tag', 'acq.note'],
    ['src.event', 'acq.note', 'src.reading'],
  ],
];
const VALUES: Record<string, { columns: string; value: (row: string, random: Random) => string }> = {
  'src.event': { columns: 'tx, n, amount', value: (row, random) => `${row}, ${random.whole(0, 1000)}` },
};
const PLAIN = { columns: 'tx, n', value: (row: string): string => row };

interface Connection {
  client: TestClient;
  id: string;
  starts: number;
}

/** What became of transactions, by their numbers. */
export interface Written {
  committed: number[];
  failed: number;
  /** Errors that docs/mysql.md tells writers to expect. */
  deadlocks: number;
}

export class Writer {
  readonly written: Written = { committed: [], failed: 0, deadlocks: 0 };
  private stopped = false;

  constructor(
    private readonly site: Site,
    private readonly diary: Diary,
    private readonly random: Random,
    private readonly number: number,
  ) {}

  /** Writes until it is told to stop. */
  async work(): Promise<void> {
    let connection = await this.connect();
    for (let n = 0; !this.stopped; n += 1) {
      const tx = this.number * 1_000_000 + n;
      const plan = this.random.chance(0.02) ? ['src.region'] : this.random.pick(PLANS);
      try {
        await this.transaction(connection.client, tx, plan);
      } catch (error) {
        this.written.failed += 1;
        this.judge(error, plan, connection);
        await connection.client.end().catch(() => undefined);
        connection = await this.connect();
      }
      await sleep(this.random.between(0, 300));
    }
    await connection.client.end().catch(() => undefined);
  }

  stop(): void {
    this.stopped = true;
  }

  private async transaction(client: TestClient, tx: number, plan: string[]): Promise<void> {
    const slowMs = this.random.chance(0.15) ? this.random.between(300, 8_000) : 0;
    await client.query('begin');
    let n = 0;
    for (const table of plan) {
      const rows = Array.from({ length: this.random.whole(1, 20) }, () => `${tx}, ${(n += 1)}`);
      const { columns, value } = VALUES[table] ?? PLAIN;
      const values = rows.map((row) => `(${value(row, this.random)})`).join(', ');
      await client.query(`insert into ${table} (${columns}) values ${values}`);
      const kept = rows.map((row) => `(${row}, '${table}')`).join(', ');
      await client.query(`insert into src.written (tx, n, kind) values ${kept}`);
      await sleep(slowMs);
    }
    if (this.random.chance(0.15)) await client.query('rollback');
    else {
      await client.query('commit');
      this.written.committed.push(tx);
    }
  }

  /** A writer may lose what we have taken from it, and a deadlock where docs/mysql.md says so; nothing else. */
  private judge(error: unknown, plan: string[], connection: Connection): void {
    if (this.site.mayBeGone(connection)) return;
    const { code, errno, message } = error as { code?: string; errno?: number; message: string };
    const landing = plan.filter((table) => table.startsWith('acq.'));
    if (errno === DEADLOCK && landing.length > 1) {
      this.written.deadlocks += 1;
      return;
    }
    this.diary.problem(`a writer to ${plan.join(', ')} got ${code ?? ''} ${message}`);
  }

  private async connect(): Promise<Connection> {
    for (;;) {
      const starts = this.site.serverStarts;
      const client = await this.site.connect(`writer ${this.number}`);
      try {
        const { rows } = await client.query<{ id: number | string }>(this.site.words.self);
        return { client, id: String(rows[0]!.id), starts };
      } catch {
        await client.end().catch(() => undefined); // the server has stopped again
      }
    }
  }
}

const DEADLOCK = 1213;
