import type { Client } from 'pg';
import { connect } from './servers.ts';

/** Runs the statements, each a transaction of its own, over so many connections: a load with nothing around it. */
export async function loop(url: string, statements: string[], lanes: number): Promise<void> {
  const clients: Client[] = [];
  try {
    for (let lane = 0; lane < lanes; lane += 1) clients.push(await connect(url));
    let next = 0;
    await Promise.all(
      clients.map(async (client) => {
        while (next < statements.length) await client.query(statements[next++]!);
      }),
    );
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
