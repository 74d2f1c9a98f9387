/** Projects whose warehouse is MySQL or MariaDB: their SQL is read as those servers read it. No server is asked. */
import { describe, expect, it } from 'vitest';
import { loadProject } from '../../src/config/load-project.ts';
import { formatProblem, ProjectError } from '../../src/config/problem.ts';
import { BASE_PROJECT, ENVIRONMENT, PASSWORD, withProject, type ProjectFiles } from './project-folder.ts';

const urlOf = (scheme: string) => `${scheme}://me:${PASSWORD}@localhost/warehouse`;
const load = (files: ProjectFiles, url: string) =>
  withProject({ ...BASE_PROJECT, ...files }, (directory) =>
    loadProject(directory, { env: { ...ENVIRONMENT, WAREHOUSE_URL: url } }),
  );
const problems = async (files: ProjectFiles, url: string): Promise<string[]> => {
  const error: unknown = await load(files, url).catch((thrown: unknown) => thrown);
  if (!(error instanceof ProjectError)) throw new Error('the project was taken');
  return error.problems.map((problem) => formatProblem(problem).split('\n')[0]!);
};
const core = (sql: string): ProjectFiles => ({ 'loads/core/flights.sql': sql });

describe.each(['mysql', 'mariadb'])('a %s:// warehouse', (scheme) => {
  const url = urlOf(scheme);

  it('is known by its scheme, and its tables by their names as written', async () => {
    const project = await load(
      {
        'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages: [ { name: flights, sql: flights.sql, chunk: { input: acq.flight } } ]
outputs: [ core.Flight, "core.\`order items\`" ]
`,
        ...core('insert into core.Flight (id, batch_id) select f.id, :batch_id from {{ acq.flight }} f'),
      },
      url,
    );
    expect(project.connections['warehouse']).toMatchObject({ scheme });
    expect(project.loads['core.flight']!.outputs.map(({ table }) => table)).toEqual([
      'core.Flight',
      'core.`order items`',
    ]);
  });

  it('refuses one name in two spellings, of which it is a setting of the server whether they are one table', async () => {
    const title = scheme === 'mysql' ? 'MySQL' : 'MariaDB';
    const files: ProjectFiles = {
      'loads/core/late.yaml': `kind: core
connection: warehouse
inputs: [ { table: acq.late, external: true }, { table: ACQ.other, external: true } ]
reads: [ warehouse.Airport, Core.flight ]
stages: [ { name: late, sql: "insert into core.late (id, batch_id) select l.id, :batch_id from {{ acq.late }} l, {{ ACQ.other }} o, {{ Core.flight }} f, {{ warehouse.Airport }} a" } ]
outputs: [ core.late, airport ]
`,
    };
    expect(await problems(files, url)).toEqual([
      `loads/core/late.yaml:4:29: \`Core.flight\` is \`core.flight\` in \`core.flight\`: whether capitals count in it is a setting of the ${title} server`,
      `loads/core/late.yaml:6:23: \`airport\` is \`warehouse.Airport\`: whether capitals count in it is a setting of the ${title} server`,
    ]);
    const yaml = String(files['loads/core/late.yaml']);
    const right = yaml.replaceAll('Core.', 'core.').replaceAll('Airport', 'place');
    await expect(load({ 'loads/core/late.yaml': right }, url)).resolves.toBeDefined();
  });

  it('reads backslashes, backticks and # as the server does', async () => {
    const sql = `# :not_a_parameter
insert into core.flight (id, \`load\`, batch_id) select f.id, 'it\\'s :not_one', :batch_id from {{ acq.flight }} f`;
    await expect(load(core(sql), url)).resolves.toBeDefined();
    expect(await problems(core(sql), urlOf('postgres'))).not.toEqual([]);
  });

  it('takes x.mysql.sql for x.sql, wherever SQL stands in a file', async () => {
    const files: ProjectFiles = {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages: [ { name: flights, sql: flights.sql, chunk: { input: acq.flight } } ]
outputs: [core.flight]
checks: [ { name: some, sql: ../checks/some.sql, expect: ">0" } ]
after: [ statistics.sql, other.sql ]
`,
      'loads/core/flights.mysql.sql':
        'insert ignore into core.flight (id, batch_id) select f.id, :batch_id from {{ acq.flight }} f',
      'loads/checks/some.sql': 'select count(*) from core.flight where batch_id = :batch_id',
      'loads/checks/some.mysql.sql': 'select count(*) + 0 from core.flight where batch_id = :batch_id',
      'loads/core/statistics.sql': 'analyze core.flight',
      'loads/core/statistics.mysql.sql': 'analyze table core.flight',
      'loads/core/other.sql': 'select 1',
    };
    const sqlOf = async (warehouse: string) => {
      const { stages, checks, after } = (await load(files, warehouse)).loads['core.flight']!;
      return [...stages[0]!.sql, checks[0]!.sql, ...after].map(({ file }) => file);
    };
    expect(await sqlOf(url)).toEqual([
      'loads/core/flights.mysql.sql',
      'loads/checks/some.mysql.sql',
      'loads/core/statistics.mysql.sql',
      'loads/core/other.sql',
    ]);
    expect(await sqlOf(urlOf('postgres'))).toEqual([
      'loads/core/flights.sql',
      'loads/checks/some.sql',
      'loads/core/statistics.sql',
      'loads/core/other.sql',
    ]);
  });

  it.each([
    ['call core.fill(:batch_id)', /`call`|procedure can commit/],
    ['truncate core.flight', /it commits by itself/],
    ['delimiter //', /delimiter/i],
    ['set autocommit = 0', /autocommit|transaction/],
    ['lock tables core.flight write', /it commits what was written before/],
  ])('refuses %j in a chunk', async (sql, why) => {
    expect((await problems(core(sql), url)).join('\n')).toMatch(why);
  });

  it('knows a table without its database as that of the URL', async () => {
    const files: ProjectFiles = {
      'loads/core/other.yaml': `kind: core
connection: warehouse
inputs: [ { table: acq.other, external: true } ]
stages: [ { name: all, sql: "insert into copy (id, batch_id) select o.id, :batch_id from {{ acq.other }} o" } ]
outputs: [copy]
`,
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages: [ { name: flights, sql: flights.sql, chunk: { input: acq.flight } } ]
outputs: [warehouse.copy]
`,
      ...core('insert into warehouse.copy (id, batch_id) select f.id, :batch_id from {{ acq.flight }} f'),
    };
    expect((await problems(files, url)).join('\n')).toMatch(/`copy` is written by `core.flight` too/);
  });

  it.each([
    'sql_mode',
    'time_zone',
    'tx_isolation',
    'autocommit',
    'sql_select_limit',
    'completion_type',
    'sql_notes',
    'note_verbosity',
    'max_error_count',
    'max_recursive_iterations',
    'sql_auto_is_null',
    'system_versioning_asof',
    'lc_messages',
    'collation_connection',
  ])('lets no load set %s', async (name) => {
    const yaml = `${BASE_PROJECT['loads/core/flight.yaml']}session_params: { ${name}: x }\n`;
    expect((await problems({ 'loads/core/flight.yaml': yaml }, url)).join('\n')).toMatch(
      `\`session_params\` cannot set \`${name}\``,
    );
  });

  it('lets a task run in a time zone on MySQL and MariaDB alone', async () => {
    const task = 'kind: task\nconnection: warehouse\nsession_params: { TIME_ZONE: default }\nsql: select now()\n';
    const at = async (address: string) =>
      (await problems({ 'loads/task/one.yaml': task, 'loads/x.yaml': '' }, address)).join('\n');
    expect(await at(url)).not.toContain('TIME_ZONE');
    expect(await at('postgres://u@h/w')).toContain('cannot set `TIME_ZONE`: times travel in UTC');
  });

  it('says in one place alone whether a connection is encrypted', async () => {
    const yaml = (query: string): Record<string, string> => ({
      'waybill.yaml': `name: x\nconnections:\n  warehouse: { url: "postgres://u@h/w${query}", tls: true }\n`,
    });
    expect((await problems(yaml('?application_name=a&sslmode=disable'), url)).join('\n')).toContain(
      '`url` says `sslmode`, and `tls` stands beside it: only one of them can hold',
    );
    expect((await problems(yaml('?application_name=a'), url)).join('\n')).not.toContain('only one of them');
    expect((await problems(yaml('?sslmode=verify'), url)).join('\n')).toContain('`url` has an `sslmode` that is none');
  });

  it('has no parameters in its URL', async () => {
    expect(await problems({}, `${url}?multipleStatements=true`)).toEqual([
      'waybill.yaml:6:10: `url` has a parameter, `multipleStatements`: none is known there',
    ]);
  });
});
