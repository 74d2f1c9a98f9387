/**
 * Mistakes of every sort through the real command line: one message with its place, exit code 2, one JSON document, no stack
 * trace, no password, and databases that are left as they were. test/config/broken-projects.test.ts has the whole corpus, faster;
 * broken-mysql.test.ts has what is wrong in databases of MySQL and MariaDB.
 */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { corpus } from '../config/broken/corpus.ts';
import { databases, SOURCE, WAREHOUSE, type BrokenDatabase } from '../config/broken/databases.ts';
import { BASE_PROJECT, ENVIRONMENT, PASSWORD, withProject, type WrittenFiles } from '../config/project-folder.ts';
import { everyNth } from '../seed.ts';
import { compiledCli, freshDatabase, servers, type FreshDatabase, type TestServer } from '../servers.ts';
import { document, run, spawnCli, type Answer } from './command-line.ts';

/** What a project finds: databases that are right for it. */
class Databases {
  private constructor(
    readonly source: FreshDatabase,
    readonly warehouse: FreshDatabase,
  ) {}

  static async create(
    server: TestServer,
    broken: Pick<BrokenDatabase, 'source' | 'warehouse'> = {},
  ): Promise<Databases> {
    const made = new Databases(await freshDatabase(server), await freshDatabase(server));
    await query(made.source.url, `${SOURCE}${broken.source ?? ''}`);
    await query(made.warehouse.url, `${WAREHOUSE}${broken.warehouse ?? ''}`);
    return made;
  }

  get env(): NodeJS.ProcessEnv {
    const { PATH } = process.env;
    return { PATH, ...ENVIRONMENT, SOURCE_URL: this.source.url, WAREHOUSE_URL: this.warehouse.url };
  }

  /** Catalog, rows and sequences of both: any statement that changes something changes this. */
  async fingerprint(): Promise<unknown> {
    return Promise.all([this.source.url, this.warehouse.url].map((url) => query(url, FINGERPRINT)));
  }

  async drop(): Promise<void> {
    await Promise.all([this.source.drop(), this.warehouse.drop()]);
  }
}

/** Row versions (`xmin`) of the catalog, so that a change which was undone shows as well. */
const FINGERPRINT = `
  select (select md5(string_agg(c::text, ',' order by c)) from (
            select format('%s %s %s %s', oid, relname, relfilenode, xmin) as c from pg_class
            union all select format('%s %s %s', attrelid, attname, xmin) from pg_attribute
            union all select format('%s %s %s', oid, nspname, xmin) from pg_namespace
            union all select format('%s %s %s', oid, proname, xmin) from pg_proc
            union all select format('%s %s', oid, xmin) from pg_constraint) catalog) as catalog,
         (select md5(query_to_xml(string_agg(format('select %L, xmin, t::text from %s t', oid::regclass, oid::regclass),
                    ' union all '), false, false, '')::text)
            from pg_class where relkind = 'r' and relnamespace::regnamespace::text in ('public', 'acq', 'core', 'mart')) as rows,
         (select string_agg(format('%s %s', sequencename, last_value), ',') from pg_sequences) as sequences`;

async function query(connectionString: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return ((await client.query(text)) as { rows: Record<string, unknown>[] }).rows;
  } finally {
    await client.end();
  }
}

/** Runs a command; inside this process it takes a tenth of what it takes as a process of its own. */
type Run = (argv: string[], at: { env: NodeJS.ProcessEnv }) => Promise<Answer>;

const asProcess: Run = (argv, at) => spawnCli([compiledCli()], argv, at).answer;

/** `waybill validate --json` in a project: its answer, with the project's folder written DIR. */
function validate(files: WrittenFiles, env: NodeJS.ProcessEnv, how: Run): Promise<Answer> {
  return withProject({ ...BASE_PROJECT, ...files }, async (directory) => {
    const answer = await how(['--project', directory, '--json', 'validate'], { env });
    const shown = (text: string): string => text.replaceAll(directory, 'DIR');
    return { ...answer, stdout: shown(answer.stdout), stderr: shown(answer.stderr) };
  });
}

interface Refusal {
  error: { type: string; message: string; where: string | null; next: string | null };
}

/** One JSON document, the same in words, and in it exactly these problems, `file:line:column: message`. */
function expectRefusal(answer: Answer, expected: string[]): void {
  expect(answer.exitCode, answer.stderr).toBe(2);
  expect(answer.stdout.trimEnd().split('\n')).toHaveLength(1);
  const { error } = document(answer) as Refusal;
  expect(Object.keys(error)).toEqual(['type', 'message', 'where', 'next']);
  expect(error.type).toBe('Configuration');
  expect(problemsIn(error)).toEqual(expected);
  const indented = (text: string): string => text.replaceAll('\n', '\n         ');
  expect(answer.stderr).toBe(
    `waybill: ${error.message}\n` +
      (error.where === null ? '' : `  where: ${indented(error.where)}\n`) +
      (error.next === null ? '' : `  next:  ${indented(error.next)}\n`),
  );
  expect(answer.stdout + answer.stderr).not.toContain(PASSWORD);
  expect(answer.stdout + answer.stderr).not.toMatch(/undefined|\[object|should not happen/);
}

function problemsIn({ message, where }: Refusal['error']): string[] {
  if (!/^the project has \d+ problems:\n/.test(message)) return [`${where}: ${message}`];
  const lines = message.split('\n').filter((line) => /^ {2}\S/.test(line));
  expect(message).toContain(`has ${lines.length} problems`);
  return lines.map((line) => line.trim()).filter((line) => !/^\S+:\d+:\d+: warning: /.test(line));
}

// One server: what the files say is asked of none.
describe.each(servers.slice(0, 1))('mistakes in files beside the databases of $name', (server) => {
  let made: Databases;
  let before: unknown;
  const connected = async (): Promise<unknown> =>
    query(
      server.url,
      `select datname, sessions from pg_stat_database
      where datname in ('${made.source.name}', '${made.warehouse.name}') order by 1`,
    );
  let sessions: unknown;
  beforeAll(async () => {
    made = await Databases.create(server);
    before = await made.fingerprint();
    sessions = await connected();
  });
  afterAll(() => made.drop());

  const isAProject = ({ files }: { files: WrittenFiles }): boolean => files['waybill.yaml'] !== null; // else: usage.test.ts
  describe.each(Object.entries(corpus))('%s', (group, cases) => {
    const some = everyNth(4, cases.filter(isAProject), `in process ${group}`);
    test.concurrent.each(some)('$title', async ({ files, expected }) => {
      expectRefusal(await validate(files, made.env, run), expected);
    });
  });

  const each = Object.values(corpus).flat().filter(isAProject);
  test.concurrent.each(everyNth(24, each, import.meta.url))('as a process: $title', async ({ files, expected }) => {
    expectRefusal(await validate(files, made.env, asProcess), expected);
  });

  test('are found without asking a database, and nothing in them is changed', async () => {
    expect(await connected()).toEqual(sessions);
    expect(await made.fingerprint()).toEqual(before);
  });
});

describe.each(servers.slice(0, 1))('databases that are not what the files say, on $name', (server) => {
  test.concurrent.each(databases)('$title', async ({ source, warehouse, files, expected }) => {
    const made = await Databases.create(server, { source, warehouse });
    const before = await made.fingerprint();
    expectRefusal(await validate(files ?? {}, made.env, run), expected);
    expect(await made.fingerprint()).toEqual(before);
    await made.drop();
  });

  test('are the only reason: with what the files say, the same project is right', async () => {
    const made = await Databases.create(server);
    const before = await made.fingerprint();
    expect(await validate({}, made.env, asProcess)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await made.fingerprint()).toEqual(before);
    await made.drop();
  });
});
