import { chmod } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { BASE_PROJECT, ENVIRONMENT, withProject, type WrittenFiles } from '../config/project-folder.ts';
import { document, run, type Answer } from './command-line.ts';

/** Runs a command in a small project whose servers nobody asks. */
const inProject = (...argv: string[]): Promise<Answer> =>
  withProject(BASE_PROJECT, (cwd) => run(argv, { cwd, env: ENVIRONMENT }));

describe('the command line itself', () => {
  test.each([
    ['an unknown command', ['frobnicate'], /unknown command 'frobnicate'/],
    ['a command that is nearly right', ['statsu'], /Did you mean status\?/],
    ['an unknown option', ['status', '--jsn'], /Did you mean --json\?/],
    ['a missing name', ['run'], /missing required argument 'name'/],
    ['no command at all', [], /a command is missing/],
    ['lanes that are no number', ['lanes', 'core.flight', 'many'], /many is no number of lanes/],
    ['more lanes than there can be', ['lanes', 'core.flight', '65'], /65 is no number of lanes/],
    ['an unknown load', ['run', 'core.fligth'], /did you mean core\.flight\?/],
    ['an unknown name for status', ['status', 'nightli'], /did you mean nightly\?/],
    [
      'a load that only has the name of what every object has',
      ['run', 'constructor'],
      /no load or session constructor/,
    ],
    ['such a name for status', ['status', 'toString'], /no load or session toString/],
    ['such a name for plan', ['plan', '__proto__'], /no load __proto__/],
    ['such a name to cancel', ['cancel', 'valueOf'], /no load or session valueOf/],
    ['a session where a load is meant', ['pause', 'nightly'], /nightly is a session/],
    ['what only loads can do', ['run', 'nightly', '--force'], /--force is for a load/],
    ['to go on, and to begin anew', ['run', 'core.flight', '--resume', '--force'], /--resume goes on .* begins anew/],
    ['an unknown parameter', ['run', 'core.flight', '--param', 'x=1'], /core\.flight has no parameter x/],
    ['a parameter without a value', ['run', 'core.flight', '--param', 'x'], /--param x is not NAME=VALUE/],
    ['what is no batch id', ['show', 'latest'], /latest is not a batch id/],
    ['a batch on a connection that nothing writes', ['show', 'source/1'], /no load writes to a connection source/],
  ])('%s ends with 2, says what is wrong, and what next', async (_title, argv, message) => {
    const answer = await inProject(...argv);
    expect(answer).toMatchObject({ exitCode: 2, stdout: '' });
    expect(answer.stderr).toMatch(message);
    expect(answer.stderr).toMatch(/next: {2}\S|is not NAME=VALUE|no parameter/);
  });

  const withParams = (params: string, more: Record<string, string> = {}) => ({
    ...BASE_PROJECT,
    'loads/core/flight.yaml': `${String(BASE_PROJECT['loads/core/flight.yaml'])}params: ${params}\n`,
    ...more,
  });

  test('a number that JavaScript would round is refused, and text is the way to say it', async () => {
    const answer = await withProject(withParams('{ id: 0 }'), (cwd) =>
      run(['run', 'core.flight', '--param', 'id=9007199254740993'], { cwd, env: ENVIRONMENT }),
    );
    expect(answer).toMatchObject({ exitCode: 2, stdout: '' });
    expect(answer.stderr).toContain('parameter id: a number has 53 bits, and 9007199254740993 needs more');
  });

  test.each([
    ['1234567890123456.78', /a number has 53 bits, and 1234567890123456\.78 needs more/],
    ['0.12345678901234567890', /a number has 53 bits, and 0\.12345678901234567890 needs more/],
    ['1e400', /a number has 53 bits, and 1e400 needs more/],
    ['1e3 ', undefined],
    ['-1.50', undefined],
    ['+.5', undefined],
    ['12345678901234.50', undefined],
    ['0x1F', undefined], // as in YAML
  ])('a parameter %s that is a number', async (text, message) => {
    const env = { ...ENVIRONMENT, TEMPORAL_ADDRESS: '127.0.0.1:1' };
    const answer = await withProject(withParams('{ id: 0 }'), (cwd) =>
      run(['run', 'core.flight', '--param', `id=${text}`], { cwd, env }),
    );
    expect(answer).toMatchObject({ exitCode: message ? 2 : 5, stdout: '' }); // 5: what comes next is out of reach
    if (message) expect(answer.stderr).toMatch(message);
  });

  test('a parameter that two loads of a session take for different types is refused', async () => {
    const task = `kind: task\nconnection: warehouse\nparams: { id: "0" }\nsql: insert into core.total (n, batch_id) select 1, :batch_id\n`;
    const yaml = BASE_PROJECT['waybill.yaml']!.replace(/nightly: .*/, 'nightly: { loads: ["*"] }');
    const project = withParams('{ id: 0 }', { 'loads/task/a.yaml': task, 'waybill.yaml': yaml });
    const answer = await withProject(project, (cwd) =>
      run(['run', 'nightly', '--param', 'id=007'], { cwd, env: ENVIRONMENT }),
    );
    expect(answer).toMatchObject({ exitCode: 2, stdout: '' });
    expect(answer.stderr).toMatch(
      /parameter id is a (number in one load and a string|string in one load and a number)/,
    );
  });

  test('a parameter that one load of a session declares is none of the others, whatever it is called', async () => {
    const task = `kind: task\nconnection: warehouse\nparams: { constructor: 1 }\nsql: delete from core.old\n`;
    const yaml = BASE_PROJECT['waybill.yaml']!.replace(/nightly: .*/, 'nightly: { loads: ["*"] }');
    const project = withParams('{ id: 0 }', { 'loads/task/a.yaml': task, 'waybill.yaml': yaml });
    const env = { ...ENVIRONMENT, TEMPORAL_ADDRESS: '127.0.0.1:1' };
    const answer = await withProject(project, (cwd) =>
      run(['run', 'nightly', '--param', 'constructor=7'], { cwd, env }),
    );
    expect(answer).toMatchObject({ exitCode: 5, stdout: '' }); // what comes next is out of reach
  });

  test.each(['doctor', 'watch', 'history', 'report', 'retract', 'gc', 'test', 'schedule'])(
    '%s is known, and not yet there',
    async (command) => {
      const answer = await inProject(command, 'anything', '--cascade');
      expect(answer.exitCode).toBe(2);
      expect(answer.stderr).toContain(`waybill ${command} is not yet available in this version`);
    },
  );

  test.each([
    [['core.flight', '--since', '2026-01-01'], '--since 2026-01-01 is for acquisitions, and core.flight is none'],
    [['core.flight', '--full'], '--full is for acquisitions, and core.flight is none'],
    [['nightly', '--until', '7'], '--until is for a load, and nightly is a session'],
    [['acquisition.flight', '--full', '--until', '7'], '--until 7 --full: --full reads everything, without bounds'],
    [
      ['acquisition.flight', '--since', '7', '--attach'],
      '--attach goes on in a batch whose window is set, and --since 7 asks for another',
    ],
  ])('run %j asks for a window that cannot be', async (argv, message) => {
    const answer = await inProject('run', ...argv);
    expect(answer.exitCode).toBe(2);
    expect(answer.stderr).toContain(message);
  });

  test('with --json, a wrong command line is a JSON document too', async () => {
    const answer = await inProject('run', '--json');
    expect(answer.exitCode).toBe(2);
    expect(document(answer)).toEqual({
      error: {
        type: 'Usage',
        message: "missing required argument 'name'",
        where: null,
        next: 'waybill run --help',
      },
    });
  });

  test('help and version are no failures', async () => {
    expect(await run(['--help'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('Exit codes') as string,
    });
    const ofRun = await run(['run', '--help']);
    expect(ofRun).toMatchObject({ exitCode: 0, stderr: '' });
    expect(ofRun.stdout).not.toContain('default: []');
    expect(await run(['--version'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string,
    });
  });
});

describe('the project folder', () => {
  test('is the nearest one from here up', async () => {
    await withProject(BASE_PROJECT, async (directory) => {
      const answer = await run(['validate', '--files-only'], { cwd: `${directory}/loads/core`, env: ENVIRONMENT });
      expect(answer).toEqual({
        exitCode: 0,
        stdout: 'Files: 2 loads and 1 session are right.\nNo database was asked.\n',
        stderr: '',
      });
    });
  });

  test('that is none ends with 2', async () => {
    expect(await run(['status'], { cwd: '/' })).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('there is no waybill.yaml in /') as string,
    });
    expect(await run(['--project', '/nowhere', 'status'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('there is no waybill.yaml in /nowhere') as string,
    });
  });

  // A folder of the name is what root, too, cannot read.
  test.each([[['validate']], [['validate', '--files-only']], [['validate', '--scratch']], [['migrate', '--print']]])(
    'whose waybill.yaml cannot be read ends %j with 2, naming it and what to do',
    async (argv) => {
      await withProject({ 'waybill.yaml/some': '' }, async (cwd) => {
        const answer = await run([...argv, '--json'], { cwd, env: ENVIRONMENT });
        expect(answer.exitCode).toBe(2);
        expect(document(answer)).toMatchObject({
          error: {
            type: 'Configuration',
            message: 'waybill.yaml cannot be read (EISDIR)',
            where: 'waybill.yaml:1:1',
            next: expect.stringMatching(/^It is a folder: /) as string,
          },
        });
      });
      await withProject(BASE_PROJECT, async (cwd) => {
        await chmod(cwd, 0o755);
        await chmod(`${cwd}/waybill.yaml`, 0);
        const isRoot = process.getuid?.() === 0;
        if (isRoot) process.seteuid!(65534);
        const answer = await run([...argv, '--json'], { cwd, env: ENVIRONMENT }).finally(() => {
          if (isRoot) process.seteuid!(0);
        });
        expect(answer.exitCode).toBe(2);
        expect(document(answer)).toMatchObject({
          error: { message: 'waybill.yaml cannot be read (EACCES)', next: 'Check its permissions.' },
        });
      });
    },
  );

  test('with mistakes ends with 2, with every place, and asks no database', async () => {
    const files = {
      ...BASE_PROJECT,
      'loads/core/flights.sql': 'insert into core.flight select :batchid from {{ acq.fligt }} f',
    };
    const answer = await withProject(files, (cwd) => run(['validate'], { cwd, env: ENVIRONMENT }));
    expect(answer.exitCode).toBe(2);
    expect(answer.stderr).toContain('loads/core/flights.sql:1:32');
    expect(answer.stderr).toContain('loads/core/flights.sql:1:46');
  });

  test('names a variable that is not set, also where every object has one of its name', async () => {
    const yaml = BASE_PROJECT['waybill.yaml']!.replace('SOURCE_URL', 'constructor');
    await withProject({ ...BASE_PROJECT, 'waybill.yaml': yaml }, async (cwd) => {
      const answer = await run(['validate'], { cwd, env: ENVIRONMENT });
      expect(answer.exitCode).toBe(2);
      expect(answer.stderr).toContain('the environment variable `constructor` is not set');
    });
  });

  test('names a variable that is not set, unless only files are asked for', async () => {
    await withProject(BASE_PROJECT, async (cwd) => {
      const answer = await run(['validate', '--json'], { cwd, env: {} });
      expect(answer.exitCode).toBe(2);
      expect(document(answer)).toMatchObject({
        error: { type: 'Configuration', message: expect.stringContaining('SOURCE_URL') as string },
      });
      expect(await run(['validate', '--files-only'], { cwd, env: {} })).toMatchObject({ exitCode: 0 });
    });
  });

  test('prints the SQL of the control tables without a database', async () => {
    await withProject(BASE_PROJECT, async (cwd) => {
      const answer = await run(['migrate', '--print'], { cwd, env: ENVIRONMENT });
      expect(answer).toMatchObject({ exitCode: 0 });
      expect(answer.stdout).toContain('create table batch');
    });
  });
});

describe('where variables of URLs are not set', () => {
  const UNKNOWN = 'WAREHOUSE_URL is not set, and nothing else says which server';
  const SET_IT = expect.stringMatching(
    /^Set WAREHOUSE_URL: .* Or write the tables of warehouse to schema\/warehouse\.sql/,
  ) as string;

  test('and nothing says which server it is on, no SQL of control tables is printed', async () => {
    await withProject(BASE_PROJECT, async (cwd) => {
      const answer = await run(['migrate', '--print', '--json'], { cwd, env: {} });
      expect(answer).toMatchObject({ exitCode: 2 });
      expect(document(answer)).toEqual({
        error: {
          type: 'Configuration',
          message: `${UNKNOWN} warehouse is on: its control tables cannot be written down`,
          where: 'connection warehouse',
          next: SET_IT,
        },
      });
    });
  });

  test('and nothing says which server it is on, checking the files says as whose SQL was read', async () => {
    const ofMysql = String.raw`insert into core.flight (id, note, batch_id) select f.id, 'it\'s', :batch_id from {{ acq.flight }} f`;
    const warning = {
      ...{ file: 'waybill.yaml', line: 6, column: 10 },
      message: `${UNKNOWN} \`warehouse\` is on: the SQL of its loads is read as PostgreSQL's`,
      next: SET_IT,
    };
    const env = { SOURCE_URL: ENVIRONMENT.SOURCE_URL };
    await withProject(BASE_PROJECT, async (cwd) => {
      const answer = await run(['validate', '--files-only', '--json'], { cwd, env });
      expect(document(answer)).toMatchObject({ warnings: [warning] });
      const known = await run(['validate', '--files-only', '--json'], { cwd, env: ENVIRONMENT });
      expect(document(known)).toMatchObject({ warnings: [] });
    });
    // Beside what is wrong by that reading, too.
    await withProject({ ...BASE_PROJECT, 'loads/core/flights.sql': ofMysql }, async (cwd) => {
      const answer = await run(['validate', '--files-only'], { cwd, env });
      expect(answer.exitCode).toBe(2);
      expect(answer.stderr).toContain('loads/core/flights.sql:1:');
      expect(answer.stderr).toContain(`waybill.yaml:6:10: warning: ${warning.message}`);
      const known = { ...env, WAREHOUSE_URL: 'mysql://nowhere' };
      expect(await run(['validate', '--files-only'], { cwd, env: known })).toMatchObject({ exitCode: 0 });
    });
  });

  test.each([
    [['run', 'nightli'], 'there is no load or session nightli; besides, ', 'did you mean nightly?'],
    [['status', 'nightli'], 'there is no load or session nightli; besides, ', 'did you mean nightly?'],
    [['cancel', 'nightli'], 'there is no load or session nightli; besides, ', 'did you mean nightly?'],
    [['plan', 'core.fligth'], 'there is no load core.fligth; besides, ', 'did you mean core.flight?'],
    [['pause', 'core.fligth'], 'there is no load core.fligth; besides, ', 'did you mean core.flight?'],
    [['show', 'abc'], 'abc is not a batch id; besides, ', 'write 114'],
    [['run', 'nightly'], 'the project has 2 problems', undefined],
  ])('%j says so, and what is wrong with the argument, too', async (argv, message, next) => {
    const answer = await withProject(BASE_PROJECT, (cwd) => run([...argv, '--json'], { cwd, env: {} }));
    expect(answer.exitCode).toBe(2);
    const { error } = document(answer) as { error: { message: string; next: string | null } };
    expect(error.message.startsWith(message)).toBe(true);
    expect(error.message).toContain('`SOURCE_URL` is not set');
    if (next !== undefined) expect(error.next).toContain(next);
  });

  test('migrate --print goes by what the project says of the server', async () => {
    const print = (yaml: string, more: WrittenFiles = {}): Promise<Answer> =>
      withProject({ ...BASE_PROJECT, 'waybill.yaml': yaml, ...more }, (cwd) =>
        run(['migrate', '--print'], { cwd, env: {} }),
      );
    const yaml = BASE_PROJECT['waybill.yaml']!;
    const latin1 = await print(yaml, { 'schema/warehouse.sql': Buffer.from('create table a;\n-- Gewähr', 'latin1') });
    expect(latin1.exitCode).toBe(2);
    expect(latin1.stderr).toMatch(/byte E4 is not valid here.*\n.*schema\/warehouse\.sql:2:7\n.*Save it as UTF-8/);
    const schema = await print(yaml, { 'schema/warehouse.mariadb.sql': 'create schema core;' });
    const scheme = await print(yaml.replace('${WAREHOUSE_URL}', 'mysql://${WAREHOUSE_HOST}/core'));
    for (const { stdout, stderr } of [schema, scheme]) {
      expect(stdout).toContain('engine = InnoDB');
      expect(stderr).toBe('');
    }
  });
});

test.each([
  ['verbose', 2, /WAYBILL_LOG_LEVEL is verbose, and must be one of trace, debug, info, .*silent/],
  ['', 5, /Temporal server at 127\.0\.0\.1:1/], // as `${WAYBILL_LOG_LEVEL:-}` of a compose file gives it
])('a worker whose WAYBILL_LOG_LEVEL is %j ends with %i', async (level, exitCode, message) => {
  const env = { ...ENVIRONMENT, TEMPORAL_ADDRESS: '127.0.0.1:1', WAYBILL_LOG_LEVEL: level };
  const answer = await withProject(BASE_PROJECT, (cwd) => run(['worker'], { cwd, env }));
  expect(answer).toMatchObject({ exitCode, stdout: '' });
  expect(answer.stderr).toMatch(message);
  expect(answer.stderr).not.toContain('This should not happen');
});

describe('services that are not there', () => {
  const DEAD = {
    SOURCE_URL: 'postgres://me:hush@127.0.0.1:1/source',
    WAREHOUSE_URL: 'postgres://me:hush@127.0.0.1:1/warehouse',
    TEMPORAL_ADDRESS: '127.0.0.1:1',
  };

  test.each([
    ['a database', ['validate']],
    ['a database', ['status']],
    ['a database', ['migrate']],
    ['the Temporal server', ['run', 'core.flight']],
    ['the Temporal server', ['cancel', 'core.flight']],
  ])('%s: %s ends with 5 and says which and what to do', async (_what, argv) => {
    const answer = await withProject(BASE_PROJECT, (cwd) => run([...argv, '--json'], { cwd, env: DEAD }));
    expect(answer.exitCode).toBe(5);
    expect(document(answer)).toMatchObject({
      error: {
        type: 'Unreachable',
        message: expect.stringMatching(
          /cannot connect to (source|warehouse)|Temporal server at 127\.0\.0\.1:1/,
        ) as string,
        where: expect.any(String) as string,
        next: expect.any(String) as string,
      },
    });
  });
});
