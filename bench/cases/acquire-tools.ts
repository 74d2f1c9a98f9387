/** Acquisition against other tools that copy between databases, where those are installed. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measureAcquisition, type Pair, type Reference } from '../acquisition.ts';
import { SkippedError, type Benchmark } from '../benchmark.ts';
import { seconds } from '../rounds.ts';
import { answer, shell, words } from '../tools.ts';

/** Neither tool has a word for a constant: their rows get the batch by default. */
const BATCH = 'alter table bare.landed alter batch_id set default 1';

/** It cannot log in to a MySQL of today, which has no passwords of the old kind any more; to MariaDB it can. */
const pgloader: Reference = async (source, warehouse) => {
  if ((await answer('pgloader', '--version')) === undefined) {
    throw new SkippedError('there is no pgloader here (Debian: apt-get install pgloader)');
  }
  await warehouse.say(BATCH);
  const program = `
    load database from ${source.url.replace(/^mariadb:/, 'mysql:')} into ${warehouse.url}
    with data only, no truncate, reset no sequences, workers = 4, concurrency = 1, multiple readers per thread, rows per range = 50000
    including only table names matching 'flight'
    alter schema 'public' rename to 'bare'
    alter table names matching 'flight' rename to 'landed';`;
  return () =>
    inFolder(async (folder) => {
      const file = join(folder, 'flights.load');
      await writeFile(file, program);
      return seconds(() => shell(words('pgloader', '--root-dir', folder, '--on-error-stop', file)));
    });
};

const DLT_COPY = fileURLToPath(new URL('../dlt-copy.py', import.meta.url));

/** Its run alone: Python has loaded dlt before. */
const dlt: Reference = async (source, warehouse) => {
  const python = process.env['WAYBILL_BENCH_PYTHON'] ?? 'python3';
  if ((await answer(python, '-c', 'import dlt, connectorx, psycopg2, pymysql')) === undefined) {
    throw new SkippedError(
      `${python} has no dlt (pip install 'dlt[postgres,sql-database]' connectorx pyarrow pymysql; ` +
        'WAYBILL_BENCH_PYTHON may name the python of a virtual environment)',
    );
  }
  await warehouse.say(BATCH);
  return () =>
    inFolder(async (folder) => {
      const settings = [
        `SOURCE_URL=${source.url.replace(/^(?:mysql|mariadb):/, 'mysql+pymysql:').replace(/^postgres:/, 'postgresql+psycopg2:')}`,
        `WAREHOUSE_URL=${warehouse.url}`,
        `PIPELINES=${folder}`,
        'RUNTIME__DLTHUB_TELEMETRY=false',
      ];
      return Number(await shell(words('env', ...settings, python, DLT_COPY)));
    });
};

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-bench-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const against = (tool: string, pair: Pair, aim: number, reference: Reference): Benchmark => ({
  name: `acquire-${pair[0]}-${pair[1]}-${tool}`,
  servers: pair,
  what: `acquisition of the flights, start to publish; ${tool}`,
  aim,
  aimOn: 'ratio',
  measure: (bench) => measureAcquisition(bench, pair, reference),
});

export const acquireAgainstTools: Benchmark[] = [
  against('pgloader', ['mariadb', 'postgres'], 0.4, pgloader),
  against('dlt', ['mysql', 'postgres'], 0.25, dlt),
  against('dlt', ['mariadb', 'postgres'], 0.25, dlt),
  against('dlt', ['postgres', 'postgres'], 0.25, dlt),
];
