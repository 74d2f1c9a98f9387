/** What people's files have besides what they mean: tasks that are switched off, keys that say the same twice, odd statements. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { document } from '../cli/command-line.ts';
import { cwd, DSN, importing, importInFoldersOfTheirOwn, made, one, read, refused, task, yaml } from './importing.ts';

const off = (keys: Record<string, unknown>) => task({ Name: 'odd', Disabled: true, ...keys });
const RANGED = 'update t set a=1 where id>=%d and id<%d';

importInFoldersOfTheirOwn();

describe('a disabled task of pupdate', () => {
  test.each([
    ['has no Dsn', { Dsn: '' }, 'odd has no `Dsn`'],
    ['has a Dsn that cannot be read', { Dsn: 'nonsense s3cr3t' }, '`Dsn` is not in the form of the Go driver'],
    ['has no statement', { Exec: '' }, 'odd has no statement'],
    ['has an odd Step', { Step: 'ten' }, '`Step` must be a whole number, and is "ten"'],
    ['has an odd name', { Name: {} }, '`Name` must be text'],
    ['has an unknown method', { ExecType: 'Twice' }, 'there is no method "Twice"'],
    ['cannot be one of ours', { Exec: 'select %d' }, '`%d` stands 1 time, and must stand twice'],
    ['has SQL that no load may hold', { Exec: 'call p()' }, '"call p" cannot stand in a load\'s SQL'],
    ['has such SQL before it', { PreSteps: ['lock tables a write'] }, '"lock tables a" cannot stand in a load\'s SQL'],
    ['has such a range', { Exec: RANGED, Max: 9, Step: 1, Concurrency: 1, MinQuery: 'delete from a' }, '`min`'],
  ])('that %s is left out and named, and the others are imported', async (_, keys, why) => {
    const answer = await importing({ 'two.json': { Tasks: [off(keys), task({}), task({ Disabled: true })] } });
    expect(answer, answer.stderr).toMatchObject({ exitCode: 0 });
    expect(answer.stdout).toMatch(/two\.json:3:5: (?:odd|task 1) is disabled, and left out: /);
    expect(answer.stdout).toContain(why);
    expect(answer.stdout).not.toContain('s3cr3t');
    expect((await yaml('waybill.yaml'))['sessions']).toEqual({
      two: { loads: ['two.one', 'two.one_2'], sequential: true, window: 'shared' },
    });
    expect((await made()).filter((file) => file.startsWith('loads/two/'))).toHaveLength(4);
    expect(await yaml('loads/two/one_2.yaml')).toMatchObject({ enabled: false });
  });

  test('does not hide what another one has', async () => {
    const answer = await importing({ 'two.json': { Tasks: [off({ Exec: 'call p()' }), task({ Exec: 'call q()' })] } });
    expect(answer.exitCode).toBe(2);
    expect(answer.stderr).toContain('"call q" cannot stand');
    expect(answer.stderr).not.toContain('"call p" cannot stand');
    expect(await made()).toEqual([]);
  });

  test('leaves no session without loads, and alone no project', async () => {
    const answer = await importing({ 'off.json': { Tasks: [off({ Exec: 'call p()' })] }, 'one.json': task({}) });
    expect(answer).toMatchObject({ exitCode: 0 });
    expect(await yaml('waybill.yaml')).not.toHaveProperty('sessions');
    const alone = await importing({ 'off.json': off({ Step: 'ten' }) }, '--project', 'other');
    expect(alone).toMatchObject({ exitCode: 2, stdout: '' });
    expect(alone.stderr).toContain('every task is disabled, and none of them can be a load');
    expect(alone.stderr).toContain('odd is disabled, and left out: `Step` must be a whole number');
  });
});

describe('a statement of pupdate', () => {
  test.each([
    ['truncate a', ['truncate a'], true],
    ['alter table a add b int;', ['alter table a add b int'], false],
    ['/* nightly */ optimize table a', ['/* nightly */ optimize table a'], false],
    ['create table b like a; insert into b select 1', ['create table b like a', 'insert into b select 1'], false],
    ['grant select on a to u@h; insert into b select 1', ['grant select on a to u@h', 'insert into b select 1'], false],
  ])('that commits by itself becomes a step: %s', async (Exec, steps, empties) => {
    const { load, said, sql } = await one({ Exec, PreSteps: ['delete from c'] });
    expect(load).toMatchObject({ kind: 'task', connection: 'mot', before: ['delete from c', ...steps] });
    expect(load).not.toHaveProperty('sql');
    expect(sql).toBeUndefined();
    expect(said).toContain(
      `changed: one: \`${steps[0]}\` commits by itself, so it stands under before, and is done at least once`,
    );
    expect(said.includes(`dangerous: it empties or removes a table: \`${steps[0]}\``)).toBe(empties);
  });

  test('that commits by itself has no ranges', async () => {
    const ranged = { Max: 9, Step: 1, Concurrency: 1, Exec: 'truncate a; update t set a=1 where id>=%d and id<%d' };
    expect(await refused(ranged)).toMatch(/"truncate a" cannot stand in a stage/);
  });

  test.each([
    ['update a set b=1', true],
    ['-- all of them\nupdate a set b=1', true],
    ['/* all */ delete from a', true],
    ['insert into a (b) select b from c', true],
    ['insert into a (select b from c) ', true],
    ['insert into a select b from c on duplicate key update b=values(b)', true],
    ['replace into a select b from c', true],
    ['with x as (select 1) update a, x set b=1', true],
    ['insert into a (b) values (1)', false],
    ['insert into a set b=(select max(b) from c)', false],
    ['insert into a select 1', false],
    ['select b from c', false],
  ])('that runs once over whole tables is one giant transaction: %s', async (Exec, giant) => {
    const { said } = await one({ Exec });
    const warned = said.filter((line) => line.startsWith('dangerous: one runs once over whole tables'));
    expect(warned).toHaveLength(giant ? 1 : 0);
    if (giant) expect(warned[0]).toContain('range: { of: table.id, step: 1000 }');
  });

  test.each([
    ['Concurrency 0', { Concurrency: 0 }],
    ['no Concurrency', {}],
  ])('without bounds and with %s runs once, whole', async (what, keys) => {
    const { load, said } = await one({ Exec: 'insert into a select 1', Max: 100, Step: 10, ...keys });
    expect(load).not.toHaveProperty('range');
    expect(load).not.toHaveProperty('lanes');
    expect(said).toContain(
      `ignored: ${what}: one runs once, whole, as pupdate ran it, and not over the range of Min, Max and Step`,
    );
  });

  test('without bounds over a range runs once, whole, and is named', async () => {
    const { load, sql, said } = await one({ Exec: 'update t set a=1', Max: 100, Step: 10, Concurrency: 2 });
    expect(load).not.toHaveProperty('range');
    expect(sql).toBe('update t set a=1');
    expect(said).toContainEqual(
      expect.stringMatching(/^dangerous: one has a range and a statement without %d, .* once/),
    );
    expect(said).toContainEqual(expect.stringMatching(/^dangerous: one runs once over whole tables/));
  });

  test.each([
    ['Concurrency 0', { Concurrency: 0 }],
    ['no Concurrency', {}],
  ])('with bounds and with %s has its ranges in one lane', async (what, keys) => {
    const { load, said } = await one({ Exec: RANGED, Max: 100, Step: 10, ...keys });
    expect(load).toMatchObject({ range: { min: 0, max: 100, step: 10 }, lanes: 1 });
    expect(said).toContain(`changed: ${what} made pupdate send %d as it stands: the ranges run in one lane`);
  });

  test.each([
    ['no Step', { max: 100, Concurrency: 2 }, 'max, Concurrency have'],
    ['no Step', { Concurrency: 2 }, 'Concurrency has'],
    ['Step 0', { Max: 100, Step: 0, Concurrency: 2 }, 'Max, Step, Concurrency have'],
    ['Step -5', { Max: 100, Step: -5 }, 'Max, Step have'],
    ['a Max that is not above Min', { Min: 5, Max: 5, Step: 1 }, 'Min, Max, Step have'],
    ['no Max', { MinQuery: 'select 1', Step: 1, Concurrency: 2 }, 'MinQuery, Step, Concurrency have'],
  ])('with %s runs once, whole, and what has no effect is named: %j', async (why, keys, what) => {
    const { load, said } = await one(keys);
    expect(load).not.toHaveProperty('range');
    expect(said).toContain(`ignored: ${what} no effect with ${why}: one runs once, whole, as it did`);
  });

  test('without a range has no note about one', async () => {
    expect((await one({ Min: '', Max: null })).said.filter((line) => line.includes('no effect'))).toEqual([]);
  });
});

describe('keys of pupdate', () => {
  test.each([
    [{ Update: 'update t set a=2' }, 'insert into a select 1', '`Update`: `Exec` means the same, and wins over it'],
    [{ ExecTab: ['update t ', 'set a=2'] }, 'update t\nset a=2', 'the statement of `ExecTab` wins over this one'],
    [{ ExecTab: ['', null] }, 'insert into a select 1', undefined],
    [{ ExecTab: ['', 'update t', ' set a=2'] }, 'update t\nset a=2', 'the statement of `ExecTab` wins over this one'],
  ])('%j beside Exec', async (keys, sql, why) => {
    const found = await one(keys);
    expect(found.sql).toBe(sql);
    expect(found.said.filter((line) => line.includes('wins over'))).toEqual(
      why === undefined ? [] : [`ignored: ${why}`],
    );
  });

  test('that say the same twice: which of them counts is said of each', async () => {
    const { load, said } = await one({
      ...{ Exec: RANGED.replace('update t set a=1', 'select id from t'), Step: 10, Concurrency: 2, Name: 'one' },
      ...{ Min: 7, MinQuery: 'select 1', Max: 9, MaxQuery: 'select 100', ExecType: 'Query', Method: 'SQLUpdate' },
    });
    expect(load).toMatchObject({ range: { min: 'select 1', max: 'select 100' }, method: 'query' });
    expect(said).toEqual(
      expect.arrayContaining([
        'ignored: `Min`: `MinQuery` wins over it',
        'ignored: `Max`: `MaxQuery` wins over it',
        'ignored: `Method`: `ExecType` means the same, and wins over it',
      ]),
    );
  });

  test.each([
    ['Query', 'query'],
    ['queryone', 'query_one'],
    ['SQLUpdate', undefined],
    ['exec', undefined],
  ])('Method %s, the older name of ExecType', async (Method, method) => {
    const { load } = await one({ Method, Exec: 'select 1' });
    expect(load['method']).toBe(method);
  });

  test.each(['TestUpdate', 'constructor'])('an unknown Method %s is executed, and named', async (Method) => {
    const { load, said } = await one({ Method, Exec: 'select 1' });
    expect(load).not.toHaveProperty('method');
    expect(said).toContain(
      `ignored: \`Method\`: there is no method "${Method}", and the statement is executed, as pupdate did`,
    );
  });

  test('ExecType beside an unknown Method counts', async () => {
    const both = await importing(
      { 'both.json': task({ Exec: 'select 1', Method: 'TestUpdate', ExecType: 'Query' }) },
      '--project',
      'both',
    );
    expect(both).toMatchObject({ exitCode: 0 });
    expect(await refused({ ExecType: 'TestUpdate' }, 'other')).toContain('there is no method "TestUpdate"');
  });

  test('preparing statements that are comments alone are named', async () => {
    const { load, said } = await one({ PreSteps: ['#use moth_copy', '-- set x=1', 'delete from c', ';'] });
    expect(load).toMatchObject({ connection: 'mot', before: ['delete from c'] });
    expect(said.filter((line) => line.includes('holds no statement'))).toEqual([
      'ignored: `#use moth_copy` holds no statement',
      'ignored: `-- set x=1` holds no statement',
      'ignored: `;` holds no statement',
    ]);
  });

  test('passwords of what is left out are printed and written nowhere', async () => {
    const Monitoring = { Dsn: 'root:t0ps3cret@tcp(db.example.org)/log', Password: 't0ps3cret' };
    const Notifications = { Email: 'etl@example.org', Smtp: 'etl:t0ps3cret@mail.example.org' };
    const files = { 'all.json': { Monitoring, Notifications, Logging: Monitoring, Tasks: [task({ Monitoring })] } };
    for (const options of [[], ['--json', '--project', 'other']]) {
      const answer = await importing(files, ...options);
      expect(answer.exitCode).toBe(0);
      expect(answer.stdout).toContain('`Monitoring`');
      expect(answer.stdout + answer.stderr).not.toMatch(/t0ps3cret|s3cr3t/);
    }
    for (const file of await made()) expect(await read(file).catch(() => '')).not.toMatch(/t0ps3cret|s3cr3t/);
    expect(await made()).toContain('waybill.yaml');
  });

  test('Description and Debug', async () => {
    const { load, said } = await one({ Description: 'all of ${HOME} and ${}', Debug: true });
    expect(load).toMatchObject({ description: 'all of $ {HOME} and $ {}' });
    expect(said).toContain(
      'changed: `${` in the description of one: becomes `$ {`, for it names a variable of the environment',
    );
    expect(said).toContain('ignored: `Debug`: loads have no log level of their own yet');
    expect(
      (await importing({ 'two.json': task({ Debug: false }) }, '--json', '--project', 'other')).stdout,
    ).not.toMatch(/Debug/);
  });

  test.each(['', null])('Tasks %j is not set: the file is one task', async (Tasks) => {
    const { load } = await one({ Tasks });
    expect(load).toMatchObject({ kind: 'task' });
  });

  test.each([
    ['tls=true', { tls: true }, undefined],
    ['tls=false', {}, undefined],
    [
      'tls=skip-verify',
      { tls: true },
      "dangerous: `tls=skip-verify`: becomes `tls: true`, which verifies the server's certificate",
    ],
    ['timeout=5s', {}, 'ignored: `timeout` of `Dsn`: it has no counterpart'],
    ['charset=utf8', {}, 'ignored: `charset` of `Dsn`: utf8mb4 is spoken'],
    [
      "tx_isolation='READ-COMMITTED'",
      {},
      "ignored: `set tx_isolation='READ-COMMITTED'`: isolation is said by Waybill at every BEGIN",
    ],
  ])('the parameter %s of a Dsn', async (parameter, becomes, why) => {
    const { said } = await one({ Dsn: `${DSN}?${parameter}` });
    const url = 'mysql://etl:${MOT_PASSWORD}@db.example.org:3306/mot';
    expect((await yaml('waybill.yaml'))['connections']).toEqual({ mot: { url, ...becomes } });
    expect(said.filter((line) => line.includes(parameter.split('=')[0]!))).toEqual(why === undefined ? [] : [why]);
  });

  test('parameters of a Dsn that the driver does not know are settings of the server', async () => {
    const Dsn = `${DSN}?group_concat_max_len=100000&parseTime=true&foreign_key_checks=0&lc_time_names=%27fr_FR%27&constructor=1`;
    const { load, said } = await one({ Dsn, PreSteps: ['set foreign_key_checks=1'] });
    expect(load['session_params']).toEqual({
      ...{
        time_zone: 'default',
        group_concat_max_len: 100000,
        foreign_key_checks: 1,
        lc_time_names: 'fr_FR',
        constructor: 1,
      },
    });
    expect(said.filter((line) => line.startsWith('ignored'))).toEqual([
      'ignored: `parseTime` of `Dsn`: times are times',
    ]);
  });

  test.each([
    ['../../x', 'x'],
    ['工', 'task'],
    ['Crème', 'cre_me'],
    ['#1 (old)', 'task_1_old'],
  ])('the name %s, of which little is left, is named with what it becomes', async (Name, becomes) => {
    const answer = await importing({ 'one.json': task({ Name }) });
    expect(answer, answer.stderr).toMatchObject({ exitCode: 0 });
    expect(answer.stdout).toContain(`one.json:1:1: ${Name}: becomes ${becomes}\n`);
    expect(await made()).toContain(`loads/task/${becomes}.yaml`);
  });

  test('a name with blanks and large letters is not', async () => {
    expect((await importing({ 'one.json': task({ Name: 'Update makes-2' }) })).stdout).not.toContain('becomes');
  });

  test('sessions whose names meet are named with what they become', async () => {
    for (const folder of ['a', 'b']) await mkdir(path.join(cwd(), folder));
    const Tasks = [task({})];
    const files = {
      'a/nightly.json': { Tasks },
      'b/nightly.json': { Tasks },
      'task.json': { Tasks },
      '工.json': { Tasks },
    };
    const answer = await importing(files);
    expect(answer, answer.stderr).toMatchObject({ exitCode: 0 });
    expect(Object.keys((await yaml('waybill.yaml'))['sessions'] as object)).toEqual([
      ...['nightly', 'nightly_2', 'task_2', 'session'],
    ]);
    expect(answer.stdout).toContain(
      'b/nightly.json:1:1: another folder has the name nightly, too: this session becomes nightly_2',
    );
    expect(answer.stdout).toContain(
      'task.json:1:1: another folder has the name task, too: this session becomes task_2',
    );
    expect(answer.stdout).toContain('工.json:1:1: the name 工 is none of a folder: this session becomes session');
    expect(answer.stdout).not.toContain('a/nightly.json:1:1');
  });

  test('what is said stands at the place of the key, in the document too', async () => {
    const answer = await importing({ 'one.json': `{ "Dsn": "${DSN}",\n "Exec": "do 1", "Update": "do 2" }` }, '--json');
    const { notes } = document(answer) as { notes: Record<string, unknown>[] };
    expect(notes[0]).toMatchObject({ kind: 'ignored', file: 'one.json', line: 2, column: 18 });
    expect(await read('loads/task/one.sql')).toBe('do 1\n');
  });
});
