import { chmod, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { loadProject } from '../../src/config/load-project.ts';
import type { LoadProjectOptions } from '../../src/config/load-project.ts';
import { formatProblem, ProjectError, type Problem } from '../../src/config/problem.ts';
import { FLIGHTS } from './flights-project.ts';
import { BASE_PROJECT, ENVIRONMENT, withProject } from './project-folder.ts';
import type { ProjectFiles } from './project-folder.ts';

const load = (files: ProjectFiles, options: LoadProjectOptions = { env: ENVIRONMENT }) =>
  withProject(files, (directory) => loadProject(directory, options));

/** Why these files are refused. */
const problemsOf = async (files: ProjectFiles): Promise<Problem[]> => {
  const error: unknown = await load(files).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ProjectError);
  return (error as ProjectError).problems.filter(({ severity }) => severity === 'error');
};

describe('the flights project of the design', () => {
  it('becomes the definitions that the engine runs', async () => {
    const project = await load(FLIGHTS);
    expect(project).toMatchObject({ name: 'flights', taskQueue: 'waybill', warnings: [] });
    expect(Object.keys(project.loads)).toEqual([
      'acquisition.airport',
      'acquisition.flight',
      'core.flight',
      'services.delay',
    ]);
    expect(project.connections).toEqual({
      source: {
        name: 'source',
        url: ENVIRONMENT.SOURCE_URL,
        scheme: 'postgres',
        maxConnections: 8,
        controlSchema: 'waybill',
      },
      warehouse: {
        name: 'warehouse',
        url: ENVIRONMENT.WAREHOUSE_URL,
        scheme: 'postgres',
        maxConnections: 8,
        controlSchema: 'waybill',
      },
    });
    expect(project.loads['acquisition.flight']).toEqual({
      name: 'acquisition.flight',
      kind: 'acquisition',
      file: 'loads/acquisition/flight.yaml',
      enabled: true,
      connection: 'warehouse',
      inputs: [],
      consumes: [],
      reads: [],
      outputs: [{ table: 'acq.flight', rollback: 'delete', write: 'append' }],
      stages: [],
      checks: [],
      before: [],
      after: [],
      onError: [],
      needs: [],
      params: {},
      sessionParams: {},
      lanes: 4,
      maxAttempts: 5,
      maxRuntimeMs: 7_200_000,
      onFailure: 'roll_back',
      onBadRow: 'fail',
      maxRejected: { rows: 100 },
      from: { connection: 'source', table: 'public.flight', cursor: 'id', lagMs: 90_000, start: '0' },
      landing: { create: false, onNewColumns: 'fail', onInvalid: { all: 'fail', columns: {} } },
      chunkRows: 50_000,
      producers: {},
    });
    expect(project.loads['acquisition.airport']?.from).toEqual({
      connection: 'source',
      table: 'public.airport',
    });
  });

  it('keeps stages, checks and the place of their SQL', async () => {
    const core = (await load(FLIGHTS)).loads['core.flight'];
    expect(core).toMatchObject({
      inputs: [
        { table: 'acq.flight', external: false },
        { table: 'acq.airport', external: false },
      ],
      outputs: [
        { table: 'core.flight', rollback: 'delete', write: 'append' },
        { table: 'core.airport', rollback: 'delete', write: 'append' },
      ],
      producers: { 'acq.flight': 'acquisition.flight', 'acq.airport': 'acquisition.airport' },
    });
    expect(core?.stages).toEqual([
      {
        name: 'airports',
        sql: [{ text: FLIGHTS['loads/core/airports.sql'], file: 'loads/core/airports.sql', line: 1, column: 1 }],
      },
      {
        name: 'flights',
        sql: [{ text: FLIGHTS['loads/core/flights.sql'], file: 'loads/core/flights.sql', line: 1, column: 1 }],
        chunk: { input: 'acq.flight', rows: 50_000 },
      },
    ]);
    expect(core?.checks[1]).toEqual({
      name: 'enough flights',
      sql: {
        text: 'select count(*) from core.flight where batch_id = :batch_id',
        file: 'loads/core/flight.yaml',
        line: 13,
        column: 35,
      },
      expect: { operator: '>', value: 0, text: '>0' },
      severity: 'warn',
    });
    expect(core?.checks[0]).toMatchObject({ expect: { operator: '=', value: 0 }, severity: 'error' });
  });

  it('keeps each check, however its number is written', async () => {
    const numbers = ['0.0000001', '1e-7', '-0.00000025', '2.5e+3', '"1.5e300"', '">1e-7"', '"<= 1E21"'];
    const checks = numbers.map((number, n) => `{ name: c${n}, sql: select 1, expect: ${number} }`).join(', ');
    const yaml = `${FLIGHTS['loads/services/delay.yaml']!}checks: [${checks}]\n`;
    const services = (await load({ ...FLIGHTS, 'loads/services/delay.yaml': yaml })).loads['services.delay'];
    expect(services?.checks.map((check) => check.expect.value)).toEqual([
      1e-7, 1e-7, -2.5e-7, 2500, 1.5e300, 1e-7, 1e21,
    ]);
  });

  it('keeps everything that a load may say', async () => {
    const services = (await load(FLIGHTS)).loads['services.delay'];
    expect(services).toMatchObject({
      description: 'Delays by origin',
      consumes: ['core.flight'],
      reads: ['core.customer'],
      needs: ['acquisition.airport'],
      params: { region: 'EU', depth: 3, all: false },
      sessionParams: { work_mem: '64MB', enable_seqscan: 'off' },
      lanes: 2,
      maxAttempts: 3,
      maxRuntimeMs: 5_400_000,
      onFailure: 'hold',
      renamedFrom: 'services.delays',
      producers: { 'core.flight': 'core.flight', 'core.airport': 'core.flight' },
    });
    expect(services?.before).toHaveLength(1);
    expect(services?.after.map(({ text, file }) => [text, file])).toEqual([
      ['analyze mart.delay', 'loads/services/delay.yaml'],
      ['select 1', 'loads/services/vacuum_log.sql'],
    ]);
    expect(services?.stages[0]?.sql[0]).toMatchObject({ file: 'loads/services/delay.yaml', line: 8, column: 7 });
  });

  it('may be saved with a byte order mark and the line ends of Windows', async () => {
    const files = Object.entries(BASE_PROJECT).map(([name, text]) => [name, `\uFEFF${text!.replaceAll('\n', '\r\n')}`]);
    const { name, loads } = await load(Object.fromEntries(files) as ProjectFiles);
    expect(name).toBe('flights');
    expect(loads['core.flight']?.stages[0]?.sql[0]?.text).toMatch(/^insert/);
  });

  // Other systems take no such name.
  it.runIf(process.platform === 'linux')('are found whole, or it is said what cannot be looked at', async () => {
    await withProject(BASE_PROJECT, async (directory) => {
      await writeFile(
        Buffer.concat([Buffer.from(`${directory}/loads/core/f`), Buffer.from([0xfc]), Buffer.from('r.yaml')]),
        '',
      );
      await expect(loadProject(directory, { env: ENVIRONMENT })).rejects.toMatchObject({
        message: 'the name of this file is not UTF-8',
        where: 'loads/core/f\ufffdr.yaml:1:1',
      });
    });
    await withProject(BASE_PROJECT, async (directory) => {
      await chmod(directory, 0o755);
      await chmod(path.join(directory, 'loads/core'), 0);
      const isRoot = process.getuid?.() === 0;
      if (isRoot) process.seteuid!(65534);
      const loading = loadProject(directory, { env: ENVIRONMENT }).finally(() => {
        if (isRoot) process.seteuid!(0);
      });
      await expect(loading).rejects.toMatchObject({
        problems: expect.arrayContaining([
          expect.objectContaining({ file: 'loads/core', message: 'this cannot be read (EACCES)' }),
        ]) as unknown,
      });
      await chmod(path.join(directory, 'loads/core'), 0o700);
    });
  });

  const LEADS_NOWHERE = 'this is a link that leads nowhere';

  it.each([
    ['a load that is a link to nothing', 'loads/core/b.yaml', 'nowhere', LEADS_NOWHERE],
    ['a folder of loads that is one', 'loads/services', '../nowhere', LEADS_NOWHERE],
    ['a link to itself', 'loads/core/b.yaml', 'b.yaml', LEADS_NOWHERE],
    ['SQL that is a link to nothing', 'loads/core/b.sql', 'nowhere.sql', LEADS_NOWHERE],
    ['all loads a link to nothing', 'loads', 'nowhere', LEADS_NOWHERE],
    ['all loads a link to a file', 'loads', 'waybill.yaml', 'this is no folder'],
  ])('lose no load without a word: %s', async (_title, file, target, message) => {
    await withProject(BASE_PROJECT, async (directory) => {
      if (file === 'loads') await rm(path.join(directory, file), { recursive: true });
      await symlink(target, path.join(directory, file));
      const error: unknown = await loadProject(directory, { env: ENVIRONMENT }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ProjectError);
      const errors = (error as ProjectError).problems.filter(({ severity }) => severity === 'error');
      expect(errors.map(formatProblem)).toContain(`${file}:1:1: ${message}`);
    });
  });

  it('are found through links, and a hidden one is passed over', async () => {
    await withProject(
      { ...BASE_PROJECT, 'shared/load.yaml': BASE_PROJECT['loads/core/flight.yaml']! },
      async (directory) => {
        await rm(path.join(directory, 'loads/core/flight.yaml'));
        await symlink('../../shared/load.yaml', path.join(directory, 'loads/core/flight.yaml'));
        await symlink('somebody@somewhere.4711', path.join(directory, 'loads/core/.#flight.yaml')); // as Emacs locks a file
        const { loads } = await loadProject(directory, { env: ENVIRONMENT });
        expect(Object.keys(loads)).toEqual(['acquisition.flight', 'core.flight']);
      },
    );
  });

  it('orders its session by tables and needs', async () => {
    expect((await load(FLIGHTS)).sessions).toEqual({
      nightly: {
        name: 'nightly',
        sequential: false,
        sharesWindow: false,
        ledgers: ['warehouse'],
        loads: ['acquisition.airport', 'acquisition.flight', 'core.flight', 'services.delay'],
        dependencies: {
          'acquisition.airport': [],
          'acquisition.flight': [],
          'core.flight': ['acquisition.airport', 'acquisition.flight'],
          'services.delay': ['acquisition.airport', 'core.flight'],
        },
      },
    });
  });
});

describe('sessions', () => {
  const task = (more = ''): string =>
    `kind: task\nconnection: warehouse\nsql: insert into core.total (n, batch_id) select 1, :batch_id\n${more}`;
  const LOADS = { 'loads/task/a.yaml': task(), 'loads/task/b.yaml': task() };

  it.each([
    ['they come one after the other', '{ loads: [task.*], sequential: true }', LOADS, true],
    ['one needs the other', '{ loads: [task.*] }', { ...LOADS, 'loads/task/b.yaml': task('needs: [task.a]\n') }, true],
    [
      'one needs the other by way of a third load',
      '{ loads: ["*"] }',
      {
        'loads/task/a.yaml': task(),
        'loads/task/b.yaml': task('needs: [core.flight]\n'),
        'loads/core/flight.yaml': `${String(BASE_PROJECT['loads/core/flight.yaml'])}needs: [task.a]\n`,
      },
      true,
    ],
    ['they run side by side', '{ loads: [task.*] }', LOADS, false],
    [
      'what breaks off is taken back',
      '{ loads: [task.*], sequential: true }',
      { 'loads/task/a.yaml': task(), 'loads/task/b.yaml': task('outputs: [core.total]\n') },
      false,
    ],
    ['only one is a task', '{ loads: [core.*, task.a], sequential: true }', LOADS, false],
  ])('share their window where tasks build on one another: %s', async (_, session, files, shared) => {
    const yaml = BASE_PROJECT['waybill.yaml']!.replace(/nightly: .*/, `nightly: ${session}`);
    const { sessions } = await load({ ...BASE_PROJECT, ...files, 'waybill.yaml': yaml });
    expect(sessions['nightly']!.sharesWindow).toBe(shared);
  });

  it('leave disabled loads out, and follow the dependencies whatever the order of the patterns', async () => {
    const { sessions } = await load({
      ...FLIGHTS,
      'waybill.yaml': `${String(FLIGHTS['waybill.yaml'])}  backwards: { loads: [services.delay, core.flight, acquisition.*] }\n`,
      'loads/acquisition/airport.yml': `${String(FLIGHTS['loads/acquisition/airport.yml'])}enabled: false\n`,
    });
    expect(sessions['backwards']).toEqual({
      name: 'backwards',
      sequential: false,
      sharesWindow: false,
      ledgers: ['warehouse'],
      loads: ['acquisition.flight', 'core.flight', 'services.delay'],
      dependencies: {
        'acquisition.flight': [],
        'core.flight': ['acquisition.flight'],
        'services.delay': ['core.flight'],
      },
    });
  });
});

describe('a load that a session leaves out', () => {
  it('holds those that wait for it behind those that it waits for', async () => {
    const { sessions } = await load({
      ...FLIGHTS,
      'loads/core/flight.yaml': `${String(FLIGHTS['loads/core/flight.yaml'])}enabled: false\n`,
    });
    expect(sessions['nightly']!.dependencies).toEqual({
      'acquisition.airport': [],
      'acquisition.flight': [],
      'services.delay': ['acquisition.airport', 'acquisition.flight'],
    });
  });
});

describe('a sequential session', () => {
  const listed = (loads: string, enabled: boolean) =>
    load({
      ...FLIGHTS,
      'loads/core/flight.yaml': `${String(FLIGHTS['loads/core/flight.yaml'])}enabled: ${String(enabled)}\n`,
      'waybill.yaml': `${String(FLIGHTS['waybill.yaml']).replace(/^sessions:[^]*/m, '')}
sessions: { nightly: { loads: [${loads}], sequential: true } }
`,
    });

  it('says so where its list is against what loads say through one that it leaves out', async () => {
    const { warnings, sessions } = await listed('acquisition.airport, services.delay, acquisition.flight', false);
    expect(warnings.map(({ message }) => message)).toEqual([
      '`services.delay` stands before `acquisition.flight`, for which it would wait by way of `core.flight`; this session leaves that out, and goes by its list',
    ]);
    expect(sessions['nightly']!.loads).toEqual(['acquisition.airport', 'services.delay', 'acquisition.flight']);
    expect((await listed('acquisition.*, services.delay', false)).warnings).toEqual([]);
  });
});

describe('the environment', () => {
  const files = (url: string, extra = ''): ProjectFiles => ({
    ...BASE_PROJECT,
    'waybill.yaml': `name: flights\nconnections:\n  source: { url: "\${SOURCE_URL}" }\n  warehouse:\n    url: ${url}\n${extra}`,
  });

  it('is put into values after parsing, so that no character of it is YAML', async () => {
    const url = 'postgres://me:a%20:%20b#c@localhost/db: {x} "y" \n- z'
      .replace('#', '%23')
      .replace('{x} "y" \n- z', 'x');
    const project = await load(files('${WAREHOUSE_URL}'), { env: { ...ENVIRONMENT, WAREHOUSE_URL: url } });
    expect(project.connections['warehouse']?.url).toBe(url);
  });

  it('gives way to a default when a variable is not set, or empty', async () => {
    const project = await load(files('postgres://${HOST:-localhost}:${PORT:-5432}/${EMPTY:-db}'));
    expect(project.connections['warehouse']?.url).toBe('postgres://localhost:5432/db');
  });

  it('becomes a number or true/false where one is due', async () => {
    const extra = '    max_connections: ${MOST}\n    tls: ${TLS:-true}\n';
    const project = await load(files('${WAREHOUSE_URL}', extra), { env: { ...ENVIRONMENT, MOST: '12' } });
    expect(project.connections['warehouse']).toMatchObject({ maxConnections: 12, tls: true });
  });

  it('is put into parameters, whatever they are called', async () => {
    const names = { sql: 'a', ready: 'b', before: 'c', session_params: 'd' };
    const params = Object.keys(names).map((name) => `${name}: "\${${name.toUpperCase()}}"`);
    const file = `${BASE_PROJECT['loads/core/flight.yaml']!}params: { ${params.join(', ')} }\n`;
    const env = { ...ENVIRONMENT, SQL: 'a', READY: 'b', BEFORE: 'c', SESSION_PARAMS: 'd' };
    const project = await load({ ...BASE_PROJECT, 'loads/core/flight.yaml': file }, { env });
    expect(project.loads['core.flight']?.params).toEqual(names);
  });

  it('may be missing where only the files are checked', async () => {
    const extra = '    max_connections: ${MOST}\n';
    const project = await load(files('${WAREHOUSE_URL}', extra), { env: {}, allowMissingEnvironment: true });
    expect(project.connections['warehouse']).toMatchObject({ url: '', maxConnections: 8 });
  });

  it('is named, with every place, where it is missing', async () => {
    await expect(load(BASE_PROJECT, { env: {} })).rejects.toMatchObject({
      problems: [
        { line: 4, message: 'the environment variable `SOURCE_URL` is not set' },
        { line: 6, message: 'the environment variable `WAREHOUSE_URL` is not set' },
      ],
    });
  });
});

describe('what is right stays right', () => {
  const core = (stage: string): ProjectFiles => ({
    ...BASE_PROJECT,
    'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
${stage}
outputs: [core.flight]
`,
  });

  it.each([
    [
      'grouping over a cut with a key',
      `  - name: a
    sql: insert into core.flight select id, max(x), :batch_id from {{ acq.flight }} f group by id
    chunk: { input: acq.flight, key: id }`,
    ],
    [
      'a count in a query whose rows go nowhere',
      `  - name: a
    sql:
      - insert into core.flight select id, :batch_id from {{ acq.flight }} f
      - select count(checked(f.id)) from {{ acq.flight }} f
    chunk: { input: acq.flight, key: id }`,
    ],
    [
      'bounds of a key',
      `  - name: a
    sql: insert into core.flight select id, :batch_id from {{ acq.flight }} f where id >= :from or id < :to
    chunk: { input: acq.flight, key: [id] }`,
    ],
    [
      'the uncut snapshot beside the cut one',
      `  - name: a
    sql: insert into core.flight select f.id, :batch_id from {{ acq.flight }} f join {{ acq.flight | all }} g on g.id = f.id
    chunk: { input: acq.flight }`,
    ],
    [
      'an aggregate over another table in a chunked stage',
      `  - name: a
    sql: insert into core.flight select f.id, :batch_id from {{ acq.flight }} f where f.id > (select max(id) from core.other c)
    chunk: { input: acq.flight }`,
    ],
    [
      'rows of its key of a table that the stage writes to',
      `  - name: a
    sql: >-
      insert into core.flight (id, batch_id) select f.id, :batch_id from {{ acq.flight }} f
      where not exists (select 1 from {{ core.flight }} c where c.id = f.id)
    chunk: { input: acq.flight, key: id }`,
    ],
    [
      'a table that only the stage before writes to',
      `  - { name: a, sql: "insert into core.flight select id, :batch_id from {{ acq.flight }} f", chunk: { input: acq.flight } }
  - name: b
    sql: insert into core.note select f.id from {{ acq.flight }} f where f.id > (select max(id) from {{ core.flight }} c)
    chunk: { input: acq.flight }`,
    ],
    [
      'a SELECT of a table that the stage writes to',
      `  - name: a
    sql:
      - insert into core.flight select id, :batch_id from {{ acq.flight }} f
      - select core.enrich(id) from core.flight where batch_id = :batch_id
    chunk: { input: acq.flight }`,
    ],
    [
      'rows of its range of a table that the stage writes to',
      `  - name: a
    sql: >-
      insert into core.flight (id, batch_id) select f.id, :batch_id from {{ acq.flight }} f
      where f.id not in (select c.id from core.flight c where c.id >= :from and c.id < :to)
    chunk: { input: acq.flight, key: id }`,
    ],
    [
      'a snapshot, while rows are kept for the next load',
      `  - name: a
    sql:
      - insert into core.flight select id, :batch_id from {{ acq.flight }} f
      - insert into acq.flight (id, batch_id) select f.id, :batch_id from core.other f where exists (select 1 from {{ acq.flight | all }} a where a.id = f.id)
    chunk: { input: acq.flight }`,
    ],
    [
      'an input as the target of an insert',
      `  - name: a
    sql:
      - insert into core.flight select id, :batch_id from {{ acq.flight }} f
      - insert into acq.flight (id, batch_id) select f.id, :batch_id from {{ acq.flight }} f where f.later`,
    ],
    [
      'sums that each chunk adds to',
      `  - name: a
    sql:
      - insert into core.flight select id, 1, :batch_id from {{ acq.flight }} f on conflict (id) do update set n = flight.n + excluded.n
      - insert into core.note select 1 from core.other on conflict do nothing
      - update core.note set chunks = chunks + 1
    chunk: { input: acq.flight }`,
    ],
    [
      'a temporary table that stamps the batch',
      `  - name: a
    sql:
      - create temp table t on commit drop as select id, :batch_id as batch_id from {{ acq.flight }} f
      - insert into core.flight select * from t
    chunk: { input: acq.flight }`,
    ],
  ])('%s', async (_title, stage) => {
    expect((await load(core(stage))).warnings).toEqual([]);
  });

  it('one landing table has several readers that consume its batches', async () => {
    const reader = (table: string) => `kind: core
connection: warehouse
consumes: [acquisition.flight]
stages:
  - { name: a, sql: "insert into ${table} select id, :batch_id from {{ acq.flight }} f", chunk: { input: acq.flight } }
outputs: [${table}]
`;
    const project = await load({
      ...BASE_PROJECT,
      'loads/core/flight.yaml': reader('core.flight'),
      'loads/core/second.yaml': reader('core.second'),
    });
    expect(project.loads['core.second']?.producers).toEqual({ 'acq.flight': 'acquisition.flight' });
  });

  it('a landing table that another load empties may be read, or copied before: that is a warning', async () => {
    const reader = `kind: core
connection: warehouse
inputs: [{ table: acq.other, external: true }]
reads: [acq.flight]
stages:
  - { name: a, sql: "insert into core.other select o.id, :batch_id from {{ acq.other }} o join {{ acq.flight }} f using (id)" }
outputs: [core.other]
`;
    const archive = `kind: acquisition
connection: warehouse
from: { connection: warehouse, table: acq.flight, cursor: ngdw_id }
to: { table: acq.archive }
`;
    const warned = async (files: Record<string, string>): Promise<string[]> =>
      (await load({ ...BASE_PROJECT, ...files })).warnings.map(formatProblem);
    const emptier = (needs: string): string => `${BASE_PROJECT['loads/core/flight.yaml']}needs: [${needs}]\n`;
    expect(await warned({ 'loads/core/other.yaml': reader })).toEqual([
      'loads/core/other.yaml:4:9: `acq.flight` is emptied by `core.flight` (`inputs`): which rows are found there depends on which load comes first',
    ]);
    expect(await warned({ 'loads/core/other.yaml': reader, 'loads/core/flight.yaml': emptier('core.other') })).toEqual(
      [],
    );
    expect(
      await warned({
        'loads/acquisition/archive.yaml': archive,
        'loads/acquisition/late.yaml': archive
          .replace(
            'connection: warehouse, table: acq.flight, cursor: ngdw_id',
            'connection: source, table: public.late',
          )
          .replace('archive', 'late')
          .concat('needs: [acquisition.archive]\n'),
        'loads/core/flight.yaml': emptier('acquisition.late'),
      }),
    ).toEqual([
      'loads/acquisition/archive.yaml:3:39: `acq.flight` is emptied by `core.flight` (`inputs`): what lands between the two, or before a run of that load alone, is never copied',
    ]);
  });

  describe('a landing table that another load empties, and that is copied', () => {
    const archive = (more = ''): string => `kind: acquisition
connection: warehouse
from: { connection: warehouse, table: acq.flight, cursor: ngdw_id }
to: { table: acq.archive }
${more}`;
    const project = (sessions: string, more = ''): ProjectFiles => ({
      ...BASE_PROJECT,
      'waybill.yaml': BASE_PROJECT['waybill.yaml']!.replace(/^sessions:[^]*/m, sessions),
      'loads/acquisition/archive.yaml': archive(more),
    });
    const inTurn = (...loads: string[]): string => `{ loads: [${loads.join(', ')}], sequential: true }`;
    const before = inTurn('acquisition.*', 'core.flight');

    it.each([
      [
        'all sessions of both copy it first, one load after the other',
        `sessions: { nightly: ${before}, daily: ${before} }`,
      ],
      ['no session has both', 'sessions: { copies: { loads: [acquisition.*] }, loads: { loads: [core.*] } }'],
      ['there are no sessions', ''],
    ])('is a warning where %s', async (_, sessions) => {
      expect((await load(project(sessions))).warnings.map(formatProblem)).toEqual([
        'loads/acquisition/archive.yaml:3:39: `acq.flight` is emptied by `core.flight` (`inputs`): what lands between the two, or before a run of that load alone, is never copied',
      ]);
    });

    it.each([
      [
        'a session has both side by side',
        `sessions: { nightly: ${before}, daily: { loads: [acquisition.*, core.*] } }`,
      ],
      [
        'a session empties it first',
        `sessions: { nightly: ${before}, daily: ${inTurn('acquisition.flight', 'core.flight', 'acquisition.archive')} }`,
      ],
    ])('is refused where %s, with what to write', async (_, sessions) => {
      expect(await problemsOf(project(sessions))).toEqual([
        expect.objectContaining({
          message: '`acq.flight` is emptied by `core.flight` (`inputs`): what that load takes first is never copied',
          next:
            "Copy what `core.flight` writes, or let it take the table's batches with `consumes`, which empties nothing; " +
            'or, where it is to be copied first, write `needs: [acquisition.archive]` in `core.flight`.',
        }),
      ]);
    });

    it('is refused where the copy waits for the emptier, without advice that would make a cycle', async () => {
      expect(await problemsOf(project('', 'needs: [core.flight]\n'))).toEqual([
        expect.objectContaining({
          next: "Copy what `core.flight` writes, or let it take the table's batches with `consumes`, which empties nothing.",
        }),
      ]);
    });
  });

  it('a reader of a landing table that waits for its emptier is not told to have that wait for it', async () => {
    const reader = `kind: core
connection: warehouse
inputs: [{ table: acq.other, external: true }]
reads: [acq.flight]
needs: [core.flight]
stages:
  - { name: a, sql: "insert into core.other select o.id, :batch_id from {{ acq.other }} o join {{ acq.flight }} f using (id)" }
outputs: [core.other]
`;
    const { warnings } = await load({ ...BASE_PROJECT, 'loads/core/other.yaml': reader });
    expect(warnings.map(({ next }) => next)).toEqual(['Let both take its batches with `consumes`.']);
  });

  it('SQL that may be right once per chunk is a warning', async () => {
    const stage = `  - name: a
    sql:
      - insert into core.flight select f.id, :batch_id from core.other o left join {{ acq.flight }} f on f.id = o.id where f.id > 1
      - insert into core.flight select id / 2, :batch_id from {{ acq.flight }} f group by id / 2
      - update core.flight set seen = seen + 1 where tail in (select tail from {{ acq.flight }} f)
      - create table core.mine as select id from {{ acq.flight }} f
      - insert into core.flight (id, batch_id) select id, :batch_id from core.other where id in (select tail from {{ acq.flight }} f) on conflict (id) do update set seen = 1
      - with m as (update core.queue set taken = true where not taken returning *) insert into core.flight select f.id, :batch_id from {{ acq.flight }} f join m on m.id = f.id
      - with i as (insert into core.source (name) values ('a') on conflict do nothing returning id) insert into core.flight select f.id, i.id, :batch_id from {{ acq.flight }} f, i
      - insert into core.work select id from {{ acq.flight }} f
      - with m as (delete from core.work returning *) insert into core.flight select f.id, :batch_id from {{ acq.flight }} f join m using (id)
    chunk: { input: acq.flight, key: id }`;
    expect((await load(core(stage))).warnings.map(formatProblem)).toEqual([
      'loads/core/flight.yaml:7:74: `{{ acq.flight }}` stands on the side of this `left join` that is filled with NULLs: each chunk would give the rows that match none of its own, so that they come once per chunk, unless a condition drops them again',
      'loads/core/flight.yaml:8:82: `group by` over `{{ acq.flight }}` lacks `id` of `chunk.key`: rows that belong together may lie in several chunks, and each would give its own',
      'loads/core/flight.yaml:9:9: this update makes something else of `seen` each time: a row that several chunks choose is changed by each of them',
      'loads/core/flight.yaml:9:16: this statement does to rows of `core.flight` that chunks before it have inserted (loads/core/flight.yaml:7) what is meant for rows that were there before the stage',
      'loads/core/flight.yaml:10:22: each chunk would make `core.mine`: the second finds it there, and fails',
      'loads/core/flight.yaml:11:9: what this insert inserts does not come from `{{ acq.flight }}` alone, or is found in several chunks: where one chunk has inserted a row, the next finds it there, and sets `seen` to something else',
      'loads/core/flight.yaml:12:20: this `update` does not use `{{ acq.flight }}`: the first chunk gets what it gives back, and the others nothing, as far as its condition no longer holds then',
      'loads/core/flight.yaml:13:20: this `insert` does not use `{{ acq.flight }}`: the first chunk gets what it gives back, and the others nothing, unless what is there already is read beside it',
      'loads/core/flight.yaml:15:20: this `delete` does not use `{{ acq.flight }}`: the first chunk gets what it gives back, and the others nothing, but for what each has put there itself',
    ]);
  });

  it('a number of rows that are not the next ones in each chunk is a warning', async () => {
    const { warnings } = await load({
      ...core(`  - name: a
    sql:
      - delete from core.flight where id = 7 limit 1
      - insert into core.flight select f.id, :batch_id from {{ acq.flight }} f
      - update core.flight set state = 'x' where id = 7 and state <> 'x' limit 1
    chunk: { input: acq.flight, key: id }`),
      'waybill.yaml': `name: flights
connections:
  source: { url: '\${SOURCE_URL}' }
  warehouse: { url: 'mysql://me@localhost/warehouse' }
`,
    });
    expect(warnings.map(formatProblem).filter((line) => line.includes('limit'))).toEqual([
      'loads/core/flight.yaml:7:46: this `delete` with a `limit` does not use `{{ acq.flight }}`: it would do so many rows once per chunk, unless it finds the same ones each time, or none',
      'loads/core/flight.yaml:9:74: this `update` with a `limit` does not use `{{ acq.flight }}`: it would do so many rows once per chunk, unless it finds the same ones each time, or none',
    ]);
  });

  it('what a task does in every range is a warning', async () => {
    const everyRange = async (url: string, ...sql: string[]): Promise<string[]> => {
      const { warnings } = await load({
        'waybill.yaml': `name: vehicles\nconnections: { warehouse: { url: "${url}" } }\n`,
        'loads/task/vehicle.yaml': `kind: task
connection: warehouse
range: { min: 1, max: 9, step: 2 }
sql:
  - update core.vehicle set seen = 1 where id >= :from and id < :to
${sql.map((one) => `  - ${JSON.stringify(one)}\n`).join('')}`,
      });
      return warnings.map(({ line, message }) => `${line}: ${message}`);
    };
    const said = (line: number, verb: string): string =>
      `${line}: this \`${verb}\` does not use \`:from\` and \`:to\`: it does the same in every range`;
    const [postgres, mysql] = ['postgres://me@localhost/w', 'mysql://me@localhost/w'];
    const both = ['insert into core.note select 1', 'select replace(name, 1, 2) from core.vehicle'];
    expect(
      await everyRange(
        postgres,
        ...both,
        'with n as (select 1 as id) insert into core.note select id from n',
        'with gone as materialized (delete from core.queue returning *) select * from gone',
        'with n as (select 1 as id) select n.id from n join core.vehicle v using (id) for update',
        'truncate core.note',
        "copy core.note from '/tmp/notes'",
        "load 'auto_explain'",
        'with a as (select 1) (select * from a) for update',
        'with a as (select 1) ((select * from a) for no key update)',
      ),
    ).toEqual([said(6, 'insert'), said(8, 'insert'), said(9, 'delete'), said(11, 'truncate'), said(12, 'copy')]);
    expect(
      await everyRange(
        mysql,
        ...both,
        'with n as (select 1 as id) update core.note join n using (id) set seen = 1',
        "with n as (select replace('a', 'b', 'c') as id) select insert('a', 1, 1, n.id) from n",
        "load data infile '/tmp/notes' into table core.note",
        "load xml infile '/tmp/notes' into table core.note",
        'create temporary table mine (id int)',
        'delete from mine',
      ),
    ).toEqual([said(6, 'insert'), said(8, 'update'), said(10, 'load'), said(11, 'load')]);
  });

  it('what a cut stage reads of a table that it writes to is a warning', async () => {
    const stage = (key: string): string => `  - name: a
    sql:
      - insert into core.flight (id, batch_id) select f.id, :batch_id from {{ acq.flight }} f where not exists (select 1 from core.flight c where c.id = f.tail)
      - insert into core.note select f.id, (select count(*) from {{ core.flight }} c) from {{ acq.flight }} f
    chunk: { input: acq.flight${key} }`;
    const finds =
      'and writes to it (loads/core/flight.yaml:7): each chunk finds there what those before it have written, and nothing of those behind it. Of rows that are alike in what is compared only those of one chunk may come, and a value may be another one in each';
    const counts =
      'loads/core/flight.yaml:8:66: `count` goes over all of `core.flight`, to which this stage writes (loads/core/flight.yaml:7): each chunk would come to a value of its own, by what other chunks have written until then';
    const { warnings } = await load(core(stage('')));
    expect(warnings.map(formatProblem)).toEqual([
      `loads/core/flight.yaml:7:127: this stage reads \`core.flight\` here ${finds}`,
      counts,
    ]);
    expect(warnings.map(({ next }) => next)).toEqual([
      'Give as `chunk.key` the columns that are compared with it by `=`, write to it in another stage, or leave `chunk` out: the stage then runs once, over all rows.',
      'Write to it in another stage, or leave `chunk` out: the stage then runs once, over all rows.',
    ]);
    const byKey = (await load(core(stage(', key: id')))).warnings;
    expect(byKey.map(formatProblem)).toEqual([
      `loads/core/flight.yaml:7:127: this stage reads \`core.flight\` here ${finds}`,
      counts,
    ]);
    expect(byKey[0]?.next).toBe(
      'Compare `id` by `=`, in the query that reads it, with the columns to which they are written, write to it in another stage, or leave `chunk` out: the stage then runs once, over all rows.',
    );
  });

  it('a query that may give other rows to each chunk of an acquisition is a warning', async () => {
    const acquisition = (sql: string): ProjectFiles => ({
      ...BASE_PROJECT,
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, sql: ${JSON.stringify(sql)}, cursor: id }
to: { table: acq.flight }
`,
    });
    const some =
      'select id, row_number() over (partition by day) as n, lag(x) over w as x from flight window w as (order by id)';
    expect((await load(acquisition(`${some} limit 10`))).warnings.map(formatProblem)).toEqual([
      'loads/acquisition/flight.yaml:3:46: `row_number (…) over (…)` without `order by` in `from.sql` with `cursor`: the query runs once a chunk, and the server may take the rows in another order each time',
    ]);
    expect((await load(acquisition('select id from flight limit 10'))).warnings.map(formatProblem)).toEqual([
      'loads/acquisition/flight.yaml:3:57: a limit without `order by` in `from.sql` with `cursor`: the query runs once a chunk, and the server may take other rows each time',
    ]);
    const ordered = 'select id, row_number() over (order by id) as n from flight order by id limit 10';
    expect((await load(acquisition(ordered))).warnings).toEqual([]);
  });

  it('a consumed table without braces is a warning', async () => {
    const { warnings } = await load({
      ...BASE_PROJECT,
      'loads/services/delay.yaml': `kind: services
connection: warehouse
consumes: [core.flight]
stages:
  - name: a
    sql: insert into mart.delay select id, :batch_id from core.flight
outputs: [mart.delay]
`,
    });
    expect(warnings.map(formatProblem)).toEqual([
      'loads/services/delay.yaml:3:12: no stage reads a table of the consumed load `core.flight`: its batches would count as done',
      'loads/services/delay.yaml:6:59: `core.flight` stands here without braces: that is every row, unpublished ones too',
    ]);
  });
});
