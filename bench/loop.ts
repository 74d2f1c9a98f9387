import type { Client } from 'pg';
import { connect } from './servers.ts';

/**
 * Runs the statements, each a transaction of its own, over so many connections: a load with nothing around it. Its commits wait for
 * the disk as ours do: not each, but once at the end, for all of them.
 */
export async function loop(url: string, statements: string[], lanes: number): Promise<void> {
  const clients: Client[] = [];
  try {
    for (let lane = 0; lane < lanes; lane += 1) {
      const client = await connect(url);
      clients.push(client);
      await client.query('set synchronous_commit = off');
    }
    let next = 0;
    await Promise.all(
      clients.map(async (client) => {
        while (next < statements.length) await client.query(statements[next++]!);
      }),
    );
    await clients[0]!.query('set synchronous_commit = on');
    await clients[0]!.query(`select pg_logical_emit_message(true, 'bench', 'all log before this goes with it')`);
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

/** Conditions that cut a table into page ranges of about `rows` rows. */
export async function pageRanges(client: Client, table: string, rows: number): Promise<string[]> {
  const { rows: size } = await client.query<{ pages: number; rows: number }>(
    `select relpages as pages, reltuples as rows from pg_class where oid = '${table}'::regclass`,
  );
  const { pages, rows: all } = size[0]!;
  const step = Math.max(1, Math.round((rows * pages) / all));
  const ranges: string[] = [];
  for (let page = 0; page < pages; page += step) {
    ranges.push(`ctid >= '(${page},0)'::tid` + (page + step < pages ? ` and ctid < '(${page + step},0)'::tid` : ''));
  }
  return ranges;
}
