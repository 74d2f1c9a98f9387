/** The life of a batch: which state may follow which, as compare-and-set on every server. Written out here: src/control/states.ts is what is tested. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fence } from '../../src/control/fence.ts';
import { changeState, FencedError } from '../../src/control/gate.ts';
import type { Database } from '../../src/database/dialect.ts';
import { sql } from '../../src/database/sql.ts';
import type { BatchState } from '../../src/workflows/messages.ts';
import { everyServer } from '../every-server.ts';
import { insertBatch, ledgerOn } from './ledger-on.ts';

const MAY_FOLLOW: Record<BatchState, BatchState[]> = {
  running: ['checking', 'held', 'rolling_back'],
  checking: ['published', 'held', 'rolling_back'],
  held: ['running', 'rolling_back'],
  rolling_back: ['failed', 'cancelled'],
  published: ['retracting'],
  retracting: ['retracted'],
  failed: [],
  cancelled: [],
  retracted: [],
};
const STATES = Object.keys(MAY_FOLLOW) as BatchState[];
/** From then on it has an end. */
const ENDS: BatchState[] = ['published', 'failed', 'cancelled', 'retracted'];

describe.each(everyServer)('the state of a batch on $name', (server) => {
  let database: Database;
  let last = 0;
  beforeAll(async () => {
    database = await ledgerOn(server);
  });
  afterAll(() => database.close());

  async function batchIn(state: BatchState): Promise<string> {
    const batchId = String((last += 1));
    await insertBatch(database, batchId, `core.l${batchId}`, state);
    return batchId;
  }
  /** State, whether it has an end, and what the events say of it. */
  async function found(batchId: string): Promise<[state: BatchState, finished: boolean, events: string[]]> {
    const { rows } = await database.query<{ state: BatchState; finished_at: Date | null }>(
      sql`select state, finished_at from ${database.ledger('batch')} where batch_id = ${batchId}`,
    );
    const { rows: events } = await database.query<{ what: string }>(
      sql`select what from ${database.ledger('event')} where batch_id = ${batchId}`,
    );
    return [rows[0]!.state, rows[0]!.finished_at !== null, events.map(({ what }) => what)];
  }

  test.each(STATES)('%s becomes what may follow it, with an event, and nothing else changes it', async (from) => {
    for (const to of STATES) {
      const batchId = await batchIn(from);
      const may = MAY_FOLLOW[from].includes(to);
      expect(await changeState(database, batchId, to), `${from} to ${to}`).toBe(may ? to : from);
      expect(await found(batchId), `${from} to ${to}`).toEqual(may ? [to, ENDS.includes(to), [to]] : [from, false, []]);
    }
  });

  test.each(STATES)('%s is fenced, and held, only while its work is not over', async (from) => {
    for (const to of ['rolling_back', 'held'] as const) {
      const batchId = await batchIn(from);
      const may = MAY_FOLLOW[from].includes(to);
      expect(await fence(database, batchId, to), `${from} to ${to}`).toBe(may ? to : from);
      expect(await found(batchId)).toEqual(may ? [to, false, [to]] : [from, false, []]);
    }
  });

  test("stays when it is another workflow's by now, and there is none of a batch that is not there", async () => {
    const batchId = await batchIn('checking');
    for (const to of ['published', 'rolling_back'] as const) {
      const change = changeState(database, batchId, to, { firstRunId: 'run-of-another' });
      await expect(change).rejects.toThrow(FencedError);
    }
    expect(await found(batchId)).toEqual(['checking', false, []]);
    await expect(changeState(database, '999999', 'published')).rejects.toThrow('batch 999999 is unknown');
    expect(await changeState(database, batchId, 'published', { firstRunId: `run-${batchId}` })).toBe('published');
  });

  test('stays when what must be proven first cannot be', async () => {
    const batchId = await batchIn('checking');
    const prove = () => Promise.reject(new Error('a stage is not done'));
    await expect(changeState(database, batchId, 'published', { prove })).rejects.toThrow('a stage is not done');
    expect(await found(batchId)).toEqual(['checking', false, []]);
  });

  test('is one of two that are wanted at once, and both are told which', async () => {
    const ends = new Set<string>();
    for (let round = 0; round < 30; round += 1) {
      const batchId = await batchIn('checking');
      const wanted =
        round % 2 === 0 ? (['published', 'rolling_back'] as const) : (['rolling_back', 'published'] as const);
      const [one, other] = await Promise.all(wanted.map((to) => changeState(database, batchId, to)));
      expect(one).toBe(other);
      expect(await found(batchId)).toEqual([one, one === 'published', [one]]);
      ends.add(one!);
    }
    expect(ends.size, 'each was faster at times').toBe(2);
  });
});
