import { execSync } from 'node:child_process';
import { PostgresDatabase } from '/work/main/src/database/postgres/database.ts';
import { copyRows } from '/work/main/src/copy/copy-rows.ts';
const url = process.argv[2]!;
const mk = (name: string) => new PostgresDatabase({ name, url: url.replace(/postgres$/, name), scheme: 'postgres', maxConnections: 8, controlSchema: 'waybill' } as any);
const a = mk('a'), b = mk('b');
const B='/usr/lib/postgresql/15/bin/psql';
const sel = 'select id,d,delay,distance,o,de,amount, 1::bigint from t';
for (let i = 0; i < 3; i++) {
  await b.query({ strings: ['truncate t'], values: [] });
  let t = Date.now();
  execSync(`${B} "${url.replace(/postgres$/, 'a')}" -c "copy (${sel}) to stdout (format binary)" | ${B} "${url.replace(/postgres$/, 'b')}" -c "copy t(id,d,delay,distance,o,de,amount,batch_id) from stdin (format binary)"`, { shell: '/bin/bash' });
  const ref = Date.now() - t;
  await b.query({ strings: ['truncate t'], values: [] });
  const s = await a.openSession('x'), d = await b.openSession('y');
  await s.begin({ readOnly: true }); await d.begin();
  const cpu = process.cpuUsage(); t = Date.now();
  const r = await copyRows(s, d, { select: sel, table: 't', columns: 'id,d,delay,distance,o,de,amount,batch_id'.split(','), format: 'binary' });
  const wall = Date.now() - t; const c = process.cpuUsage(cpu);
  await s.commit(); await d.commit(); await s.close(); await d.close();
  console.log({ ref, wall, ratio: wall / ref, cpuMs: Math.round((c.user + c.system) / 1000), user: Math.round(c.user/1000), ...r });
}
await a.close(); await b.close();
