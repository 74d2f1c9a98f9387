/** The end of a run: what the ledger counts, and what the oracle finds. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestClient } from '../test/engine/test-client.ts';
import { OWN, QUERIES } from './oracle.ts';
import type { Scene } from './faults.ts';
import type { Writer } from './writers.ts';

/** How many of the wrong rows are shown; all of them stand in the folder. */
const SHOWN = 5;
/** A connection that was closed may stand in the server's list for a moment. */
const GONE_WITHIN_MS = 15_000;
const CONTROL = ['batch', 'stage', 'chunk', 'step', 'snapshot', 'lane', 'landing', 'batch_input', 'event'];

/** What is to be seen of a table that a swap might lose. */
export const landingTables = (client: TestClient): Promise<string[]> =>
  client.texts(`
    select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns
    where table_schema = 'acq' union all
    select table_name, constraint_type, null, null, null from information_schema.table_constraints
    where table_schema = 'acq' and constraint_type in ('PRIMARY KEY', 'UNIQUE', 'FOREIGN KEY') order by 1, 2`);

/** Compares every table; what is wrong becomes a problem. */
export async function compare(scene: Scene, writers: Writer[], landingBefore: string[]): Promise<void> {
  const { site, diary } = scene;
  const client = await site.connect();
  const report = async (what: string, rows: unknown[]): Promise<void> => {
    if (rows.length === 0) return;
    diary.problem(`${what}: ${rows.length} rows, as ${JSON.stringify(rows.slice(0, SHOWN))}`);
    await appendFile(join(site.folder, 'wrong.log'), `${what}\n${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
  };
  try {
    for (const [what, query] of Object.entries({ ...QUERIES, ...OWN[site.words.family] })) {
      await report(what, (await client.query(query)).rows);
    }
    const { rows } = await client.query<{ tx: string }>('select distinct tx from src.written');
    const there = new Set(rows.map(({ tx }) => Number(tx)));
    const lost = writers.flatMap(({ written }) => written.committed.filter((tx) => !there.has(tx)));
    await report('transactions of writers that were committed, and are gone', lost);
    const landing = await landingTables(client);
    await report(
      'landing tables that are not what they were',
      landing.filter((line) => !landingBefore.includes(line)),
    );
    await report(
      'what landing tables have lost',
      landingBefore.filter((line) => !landing.includes(line)),
    );
    await report('connections of Waybill that nobody has closed', await left(client, site.words.ours));
  } finally {
    if (diary.problems.length > 0) await keepLedger(client, site.folder);
    await client.end();
  }
}

/** Those that are there for good. */
async function left(client: TestClient, connections: string): Promise<unknown[]> {
  const deadline = Date.now() + GONE_WITHIN_MS;
  for (;;) {
    const { rows } = await client.query(connections);
    if (rows.length === 0 || Date.now() > deadline) return rows;
    await sleep(500);
  }
}

async function keepLedger(client: TestClient, folder: string): Promise<void> {
  for (const table of CONTROL) {
    const { rows } = await client.query(`select * from waybill.${table}`);
    await appendFile(join(folder, `ledger.${table}.jsonl`), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  }
}

/** What the run was about: loads by their ends, faults by their kinds, rows by their tables. */
export async function summary({ site, diary }: Scene, writers: Writer[]): Promise<string> {
  const client = await site.connect();
  try {
    const states = await client.query<{ state: string; n: string }>(
      'select state, count(*) as n from waybill.batch group by state order by state',
    );
    const counted = [
      'core.event',
      'core.reading',
      'core.note',
      'core.tag',
      'core.region',
      'services.event',
      'services.remark',
    ];
    const rows: [string, string][] = [];
    for (const table of counted) {
      rows.push([table, (await client.query<{ n: string }>(`select count(*) as n from ${table}`)).rows[0]!.n]);
    }
    const sum = (of: (writer: Writer) => number): string => String(writers.reduce((all, one) => all + of(one), 0));
    return [
      block(
        'batches',
        states.rows.map(({ state, n }) => [state, n]),
      ),
      block(
        'answers of the command line, by exit code',
        [...diary.commands].sort().map(([code, n]) => [code, String(n)]),
      ),
      block(
        'faults',
        [...diary.faults].sort().map(([kind, n]) => [kind, String(n)]),
      ),
      block('transactions of writers', [
        ['committed', sum(({ written }) => written.committed.length)],
        ['lost with their connection', sum(({ written }) => written.failed - written.deadlocks)],
        ['deadlocks over two landing tables', sum(({ written }) => written.deadlocks)],
      ]),
      block('rows compared', rows),
    ].join('\n');
  } finally {
    await client.end();
  }
}

function block(title: string, lines: [string, string][]): string {
  const wide = Math.max(0, ...lines.map(([name]) => name.length));
  return [title, ...lines.map(([name, n]) => `  ${name.padEnd(wide)}  ${n.padStart(7)}`)].join('\n');
}
