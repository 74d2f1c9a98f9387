import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadProject } from '../../src/config/load-project.ts';
import { document, run } from '../cli/command-line.ts';
import { cwd, DSN, importing, importInFoldersOfTheirOwn, made, one, read, refused, task, yaml } from './importing.ts';

importInFoldersOfTheirOwn();

const onConnection = (statement: string): [Record<string, unknown>, RegExp] => [
  { PreSteps: [statement] },
  /one\.json:6:5: `.*` makes or needs what lasts as long as its connection/,
];

describe('waybill import pupdate', () => {
  test('makes a sequential session of a session file, and a project that validates', async () => {
    const answer = await importing({
      'nightly copy.json': `{ "Notifications": { "Email": "etl@example.org" },
  "Tasks": [
    { "Name": "update makes", "c": "all of them", "c": "whatever changed", "Dsn": "${DSN}",
      "PreSteps": ["set foreign_key_checks=0"],
      "ExecTab": ["update copy.maker mm ", "join make m on mm.id=m.id ", "set mm.name=m.name ",
                  "where m.last_updated_on>'$last_etl'"], "MaxAttempts": 3 },
    { "Name": "old one", "Disabled": true, "Dsn": "etl:s3cr3t@tcp(db.example.org)/mot", "Exec": "select 1" } ] }`,
    });
    expect(answer, answer.stderr).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await yaml('waybill.yaml')).toEqual({
      name: 'made',
      connections: { mot: { url: 'mysql://etl:${MOT_PASSWORD}@db.example.org:3306/mot' } },
      defaults: { max_runtime: '7d' },
      sessions: {
        nightly_copy: {
          loads: ['nightly_copy.update_makes', 'nightly_copy.old_one'],
          sequential: true,
          window: 'shared',
        },
      },
    });
    expect(await yaml('loads/nightly_copy/update_makes.yaml')).toEqual({
      description: 'update makes',
      kind: 'task',
      connection: 'mot',
      max_attempts: 3,
      session_params: { time_zone: 'default', foreign_key_checks: 0 },
      sql: 'update_makes.sql',
    });
    expect(await read('loads/nightly_copy/update_makes.sql')).toBe(`update copy.maker mm
join make m on mm.id=m.id
set mm.name=m.name
where m.last_updated_on>coalesce(cast(left(:last_load_at, 19) as datetime), timestamp '1970-01-01 00:00:01')
`);
    expect(await yaml('loads/nightly_copy/old_one.yaml')).toMatchObject({ enabled: false });
    const project = await loadProject(path.join(cwd(), 'made'), { env: { MOT_PASSWORD: 'x' } });
    expect(project.sessions['nightly_copy']?.loads).toEqual(['nightly_copy.update_makes']);
    expect(answer.stdout).toContain('2 task loads and 1 session');
    expect(answer.stdout).toContain('nightly copy.json:3:5: update makes runs once over whole tables');
    expect(answer.stdout).toContain('nightly copy.json:1:3: `Notifications`:');
    expect(answer.stdout).toContain('set MOT_PASSWORD');
    for (const file of await made()) {
      if (/\./.test(path.basename(file))) expect(await read(file).catch(() => '')).not.toContain('s3cr3t');
    }
    expect(answer.stdout).not.toContain('s3cr3t');
  });

  test('names the variable of a password that is not set, and nothing else', async () => {
    await importing({ 'nightly.json': { Tasks: [task({}), task({ Name: 'two', Exec: 'update `a b` set c=1' })] } });
    const answer = await run(['validate', '--project', 'made', '--json'], { cwd: cwd(), env: {} });
    expect(answer.exitCode).toBe(2);
    expect(document(answer)).toMatchObject({
      error: {
        where: expect.stringMatching(/^waybill\.yaml:\d+:\d+$/) as string,
        message: 'the environment variable `MOT_PASSWORD` is not set',
      },
    });
  });

  test('makes a ranged load of a single task, switched-off and repeated keys and all', async () => {
    const answer = await importing(
      {
        'seen.json': `{ "Dsn": "etl:s3cr3t@tcp(localhost:3306)/mot", "Update": "update vehicle set seen=1 where id>=%d and id<%d;",
  "-Max": 100, "max": 5, "Max": 97958093, "Min": 0, "Step": 256, "Concurrency": 100, "Version-this is software version": "1" }`,
      },
      '--json',
    );
    expect(answer.exitCode).toBe(0);
    expect(await yaml('loads/task/seen.yaml')).toEqual({
      description: 'seen',
      kind: 'task',
      connection: 'mot',
      range: { min: 0, max: 97958093, step: 256 },
      lanes: 16,
      session_params: { time_zone: 'default' },
      sql: 'seen.sql',
    });
    expect(await read('loads/task/seen.sql')).toBe('update vehicle set seen=1 where id>=:from and id<:to\n');
    expect((await yaml('waybill.yaml'))['connections']).toMatchObject({ mot: { max_connections: 18 } });
    const { notes, variables } = document(answer) as {
      notes: { line: number; column: number; message: string }[];
      variables: string[];
    };
    expect(variables).toEqual(['MOT_PASSWORD']);
    expect(notes.map(({ line, column, message }) => `${line}:${column} ${message}`)).toEqual([
      '2:3 `-Max` is switched off by its dash',
      '2:16 `max` stands again further down, and the last one counts',
      "2:86 `Version-this is software version` is no key of pupdate's that is known",
      '1:1 pupdate left out what lies above the last whole step: Max (97958093) is reached now',
      '1:1 Concurrency 100: becomes 16 lanes (raise lanes and max_connections if the server has room)',
      '1:10 statements run in the time zone of the server, as they did, and the times of the window are written in it: session_params, time_zone',
      '1:10 statements run in strict mode, whatever the sql_mode of the server is: a value that does not fit is an error, where a server without it cut it with a warning',
      '1:10 the password of etl is not written anywhere: put it into MOT_PASSWORD',
    ]);
  });

  test.each([
    ['id>=%d and id<%d', 'id>=:from and id<:to', undefined],
    ['id>%d and id<=%d', 'id>=:from and id<:to', /`> %d … <= %d` became .*Min itself was in no range/],
    ['id>=%d and id<=%d', 'id>=:from and id<:to', /in two ranges/],
    ['id > %d and id < %d', 'id >= :from and id < :to', /in no range/],
    ['%d<id and %d>=id', ':from<=id and :to>id', /became/],
    [
      'id between %d and %d',
      'id >= :from and id < :to',
      /`between %d and %d` became `>= :from … < :to`: .*in two ranges/,
    ],
    ['v.`id` between %d+1 and %d or a', 'v.`id` >= :from and v.`id` < :to or a', /Min itself was in no range/],
    ['a and id between %d and %d', 'a and (id >= :from and id < :to)', /became/],
    ['a or not id between %d and %d', 'a or not (id >= :from and id < :to)', /became/],
    ['if(d.v.id between %d and %d, a, b)', 'if(d.v.id >= :from and d.v.id < :to, a, b)', /became/],
    ['floor( abs(id)/2 ) between %d and %d', 'floor( abs(id)/2 ) >= :from and floor( abs(id)/2 ) < :to', /became/],
    ['id between %d and %d-1', 'id between :from and :to-1', undefined],
    ['id>=%d and id<=%d-1', 'id>=:from and id<=:to-1', undefined],
    ['id>%d - 1 and id<%d', 'id>:from - 1 and id<:to', undefined],
    ['%d-1<v.id and %d>v.id', ':from-1<v.id and :to>v.id', undefined],
    ['id>%d-1 and v.id<=%d or a', 'id>=:from and v.id<:to or a', /`> %d - 1 … <= %d` became .*in two ranges/],
    ['(id > %d) and (id < %d - 0)', '(id >= :from) and (id < :to)', /in no range/],
    [`id>='%d' and id<'%d' and name like 'a%%'`, `id>=:from and id<:to and name like 'a%'`, undefined],
  ])('the range of %s', async (where, becomes, note) => {
    const { sql, said } = await one({ Exec: `update t set a=1 where ${where}`, Max: 100, Step: 10, Concurrency: 2 });
    expect(sql).toBe(`update t set a=1 where ${becomes}`);
    const about = said.filter((line) => /became|between/.test(line));
    if (note === undefined) expect(about).toEqual([]);
    else expect(about).toEqual([expect.stringMatching(note)]);
  });

  test.each([
    'rand()*9',
    'floor(rand()*9)',
    'abs(@id:=@id+1)',
    'own(id)',
    'id+1',
    'abs((select max(id) from b))',
    '! id',
    'a || id',
  ])(
    'the range of %s between: what may give another value when it is asked twice is asked once, and is right for whole numbers',
    async (compared) => {
      const Exec = `update t set a=1 where ${compared} between %d and %d`;
      const { sql, said } = await one({ Exec, Max: 100, Step: 10, Concurrency: 2 });
      expect(sql).toBe(`update t set a=1 where ${compared} between :from and :to - 1`);
      expect(said.filter((line) => line.includes('between'))).toEqual([
        expect.stringMatching(/^dangerous: .*became `between :from and :to - 1`.*in two ranges; .* is in none/),
      ]);
    },
  );

  test('times in preparing statements and in queries for bounds', async () => {
    const { load } = await one({
      MinQuery: "select min(id) from vehicle where changed>'$last_etl';",
      MaxQuery: 'select max(id) from vehicle where changed > $last_etl and id %d = 0',
      ...{ Step: 10, Concurrency: 2, Exec: 'update vehicle set seen=1 where id>=%d and id<%d' },
      PreSteps: [
        "insert into log (at, day) values ('$last_etl', date_format('$etl_to', '%d'))",
        "delete from log where at < '$last_etl'",
      ],
    });
    const last = "coalesce(cast(left(:last_load_at, 19) as datetime), timestamp '1970-01-01 00:00:01')";
    expect(load).toMatchObject({
      range: {
        min: `select min(id) from vehicle where changed>${last}`,
        max: `select max(id) from vehicle where changed > ${last} and id %d = 0`,
      },
      before: [
        `insert into log (at, day) values (${last}, date_format(cast(left(:load_at, 19) as datetime), '%d'))`,
        `delete from log where at < ${last}`,
      ],
    });
  });

  test.each([
    [{ MaxQuery: "select max(id) from t where d<='$etl_to'" }, 5, /`\$etl_to` stands where it is not known yet/],
    [{ MaxQuery: 'select max(id) from t where id<%d' }, 5, /`%d` stands where there are no ranges yet/],
    [{ MaxQuery: "select max(id) from t where d>'$last_etl 00:00'" }, 5, /stands inside the text/],
    [{ MinQuery: "select 'a", MaxQuery: 9 }, 5, /cannot be read/],
    [
      { MaxQuery: 9, PreSteps: ['delete from t where id>=%d and id<%d'] },
      7,
      /`%d` stands where there are no ranges yet/,
    ],
    [{ MaxQuery: 9, PreSteps: ["set lc_time_names='$last_etl'"] }, 7, /takes no values/],
    [{ MaxQuery: 9, PreSteps: ["alter table t comment = '$etl_to'"] }, 7, /takes no values/],
  ])('refuses %j beside the statement', async (keys, line, message) => {
    const said = await refused({ ...keys, Step: 10, Concurrency: 2, Exec: 'update t set a=1 where id>=%d and id<%d' });
    expect(said).toMatch(message);
    expect(said).toContain(`one.json:${line}:`);
  });

  test('a percent sign is one where there are no ranges, and two of them stay two', async () => {
    const { sql } = await one({ Exec: `insert into a select date_format(d, '%Y-%m'), 7 %% 2 from t` });
    expect(sql).toBe(`insert into a select date_format(d, '%Y-%m'), 7 %% 2 from t`);
  });

  test.each([
    ['no range', {}],
    ['a range that pupdate did not go over', { Max: 9, Step: 1, Concurrency: 0 }],
  ])('a format of dates holds no bounds with %s', async (_, keys) => {
    const Exec = "insert into a select date_format(d, '%d'), date_format(d, '%Y-%m-%d') from t where id%d > 7 %% 2";
    const { sql, load } = await one({ ...keys, Exec });
    expect(sql).toBe(Exec);
    expect(load).not.toHaveProperty('range');
    expect(await refused({ Exec: "update a set b=1 where id>='%d' and id<'%d'" }, 'other')).toContain('no range');
  });

  test('queries for bounds, numbers in quotes, attempts', async () => {
    const { load, said } = await one({
      MinQuery: 'select min(id) from vehicle;',
      MaxQuery: 'select SQL_NO_CACHE max(id) from vehicle',
      Max: '',
      Step: '1000',
      Concurrency: 4,
      MaxAttempts: 1000,
      Exec: 'update vehicle set seen=1 where id>=%d and id<%d',
      ExecType: 'SQLUpdate',
    });
    expect(load).toMatchObject({
      range: { min: 'select min(id) from vehicle', max: 'select max(id) from vehicle', step: 1000 },
      lanes: 4,
      max_attempts: 100,
    });
    expect(load).not.toHaveProperty('method');
    expect(said).toContain('changed: MaxAttempts 1000: becomes 100, with a growing pause between two');
  });

  test.each(['18446744073709551615', '"18446744073709551615"'])('a bound keeps all its digits: %s', async (max) => {
    const text = `{ "Dsn": "${DSN}", "Exec": "do %d + %d", "Min": 9007199254740993, "Max": ${max}, "Step": 9000000000000000, "Concurrency": 1 }`;
    const answer = await importing({
      'one.json': text.replace('do %d + %d', 'update t set a=1 where id>=%d and id<%d'),
    });
    expect(answer, answer.stderr).toMatchObject({ exitCode: 0 });
    expect((await yaml('loads/task/one.yaml'))['range']).toEqual({
      min: '9007199254740993',
      max: '18446744073709551615',
      step: 9000000000000000,
    });
    const project = await loadProject(path.join(cwd(), 'made'), { env: { MOT_PASSWORD: 'x' } });
    expect(project.loads['task.one']!.range).toMatchObject({ over: { max: { value: '18446744073709551615' } } });
  });

  test("no attempts at all are the project's number of them, and that is said", async () => {
    const { load, said } = await one({ MaxAttempts: 0, Exec: 'update vehicle set seen=1' });
    expect(load).not.toHaveProperty('max_attempts');
    expect(said).toContain("ignored: MaxAttempts 0: a job is tried at least once; the project's max_attempts holds");
  });

  test.each([
    ['Query', undefined, { method: 'query', output: 'stdout' }],
    ['QueryOne', 'stdout', { method: 'query_one', output: 'stdout' }],
    ['Query', 'ids.jsonl', { method: 'query', output: 'ids.jsonl' }],
    ['query', '/tmp/../out/ids.txt', { method: 'query', output: 'tmp/out/ids.txt.csv' }],
  ])('rows that are read by %s go to %s, inside the project', async (ExecType, Output, becomes) => {
    const keys = { Exec: 'select id from vehicle where id>=%d and id<%d', Max: 100, Step: 10, Concurrency: 2 };
    const { load, said } = await one({ ...keys, ExecType, ...(Output !== undefined && { Output }) });
    expect(load).toMatchObject(becomes);
    expect(said.some((line) => line.includes('inside the project'))).toBe(Output?.startsWith('/') ?? false);
  });

  test('preparing statements: settings, and steps in their order in the database that was used', async () => {
    const { load, said } = await one({
      SessionParamTab: [
        'use moth_copy',
        'set foreign_key_checks=0, unique_checks = 0; set names latin1',
        'truncate moth_copy.x; delete from y where id in (select id from z)',
        'insert into `order` (id) select a.id from a join mot.b b on a.id = b.id',
        'use mot',
        'analyze table x',
      ],
    });
    expect(load).toMatchObject({
      connection: 'mot',
      session_params: { foreign_key_checks: 0, unique_checks: 0 },
      before: [
        'truncate moth_copy.x',
        'delete from moth_copy.y where id in (select id from moth_copy.z)',
        'insert into moth_copy.`order` (id) select a.id from moth_copy.a join mot.b b on a.id = b.id',
        'analyze table x',
      ],
    });
    expect(said.filter((line) => line.startsWith('dangerous'))).toEqual([
      'dangerous: it empties or removes a table: `truncate moth_copy.x`',
      'dangerous: it empties or removes a table: `delete from moth_copy.y where id in (select id from moth_copy.z)`',
    ]);
    expect(said).toContainEqual(expect.stringContaining('set names latin1'));
  });

  test.each([
    ['drop table if exists x', 'drop table if exists moth_copy.x'],
    ['create table if not exists x like y', 'create table if not exists moth_copy.x like moth_copy.y'],
    ['rename table a to b, mot.c to d', 'rename table moth_copy.a to moth_copy.b, mot.c to moth_copy.d'],
    ['create index i on x (id)', 'create index i on moth_copy.x (id)'],
    ['create view v as select id from x', 'create view moth_copy.v as select id from moth_copy.x'],
    ['drop database other', 'drop database other'],
    ['create user u', 'create user u'],
  ])('behind `use` of another database, %s', async (statement, step) => {
    const { load } = await one({ PreSteps: ['use moth_copy', statement, 'use mot'] });
    expect(load).toMatchObject({ connection: 'mot', before: [step] });
  });

  test.each([
    'create trigger t before insert on x for each row set new.id = 1',
    'create procedure p() delete from x',
    'drop event e',
    'alter database character set latin1',
    'create index i',
    'drop table if exists',
    'grant select on x to u',
    'show tables',
  ])('behind `use` of another database it cannot be told what is meant: %s', async (statement) => {
    const PreSteps = ['use moth_copy', statement, 'use mot'];
    const message = `\`${statement}\` runs in moth_copy, and the task in another database: which of its names are of moth_copy`;
    expect(await refused({ PreSteps })).toContain(`one.json:7:5: ${message} cannot be told`);
    if (/^(?:grant|drop event|alter)/.test(statement))
      expect((await one({ PreSteps: PreSteps.slice(0, 2) })).load).toMatchObject({ before: [statement] });
  });

  test('the last `use` is the database of the connection', async () => {
    const { load } = await one({ PreSteps: ['use other'] });
    expect(load['connection']).toBe('other');
    expect((await yaml('waybill.yaml'))['connections']).toEqual({
      other: { url: 'mysql://etl:${OTHER_PASSWORD}@db.example.org:3306/other' },
    });
  });

  test.each([
    ['root:p@ss/w:rd@tcp(10.0.0.1)/db', 'mysql://root:${DB_PASSWORD}@10.0.0.1:3306/db', true],
    ['root@ap@tcp(10.0.0.1)/db', 'mysql://root%40ap@10.0.0.1:3306/db', false],
    ['ro@ot:p@w@host/db', 'mysql://ro%40ot:${DB_PASSWORD}@host:3306/db', true],
    ['root:pw@host:3307/db', 'mysql://root:${DB_PASSWORD}@host:3307/db', false],
    ['root@/db?charset=utf8&parseTime=true', 'mysql://root@localhost:3306/db', false],
  ])('the address %s', async (Dsn, url, encoded) => {
    const { said } = await one({ Dsn });
    expect((await yaml('waybill.yaml'))['connections']).toEqual({ db: { url } });
    expect(said.some((line) => line.includes('percent-encoded'))).toBe(encoded);
  });

  test('a Dsn without a database has that of `use`; without one it is refused', async () => {
    const Dsn = 'root:pw@tcp(db.example.org)/';
    const { load } = await one({ Dsn, PreSteps: ['truncate other.x', 'use mot', 'truncate y'] });
    expect(load).toMatchObject({ connection: 'mot', before: ['truncate other.x', 'truncate y'] });
    expect(await refused({ Dsn }, 'other')).toBe('one.json:3:10: `Dsn` names no database');
    expect(await refused({ Dsn, PreSteps: ['truncate x', 'use mot'] }, 'other')).toContain(
      'one.json:6:5: `truncate x` runs where no database is in use',
    );
  });

  test('a database of two servers has two connections, each with a password of its own', async () => {
    const Tasks = [task({}), task({ Dsn: 'etl:an0ther@tcp(other.example.org)/mot' }), task({})];
    expect(await importing({ 'two.json': { Tasks } })).toMatchObject({ exitCode: 0 });
    expect((await yaml('waybill.yaml'))['connections']).toEqual({
      mot: { url: 'mysql://etl:${MOT_PASSWORD}@db.example.org:3306/mot' },
      mot_2: { url: 'mysql://etl:${MOT_2_PASSWORD}@other.example.org:3306/mot' },
    });
    expect(await yaml('loads/two/one_2.yaml')).toMatchObject({ connection: 'mot_2' });
    expect(await yaml('loads/two/one_3.yaml')).toMatchObject({ connection: 'mot' });
    expect(await read('.env.example')).toMatch(/^MOT_PASSWORD=''\nMOT_2_PASSWORD=''$/m);
  });

  const own = (settings: Record<string, unknown>) => ({ time_zone: 'default', ...settings });
  test.each([
    [['set foreign_key_checks=0', 'truncate x', 'set foreign_key_checks=1'], { foreign_key_checks: 1 }],
    [['set foreign_key_checks=0', 'truncate x', 'set foreign_key_checks=default'], {}],
    [['set @old=@@foreign_key_checks, foreign_key_checks=0', 'truncate x', 'set foreign_key_checks=@old'], {}],
  ])('a step keeps the settings that held for it: %j', async (PreSteps, inTheEnd) => {
    const { load } = await one({ PreSteps });
    expect(load).toMatchObject({
      session_params: own(inTheEnd),
      before: [{ sql: 'truncate x', session_params: own({ foreign_key_checks: 0 }) }],
    });
    expect(load['session_params']).toEqual(own(inTheEnd));
    const project = await loadProject(path.join(cwd(), 'made'), { env: { MOT_PASSWORD: 'x' } });
    expect(project.loads['task.one']!.before).toMatchObject([
      { text: 'truncate x', sessionParams: { time_zone: 'default', foreign_key_checks: '0' } },
    ]);
  });

  test('a step before a setting runs without it', async () => {
    const { load } = await one({ PreSteps: ['delete from x', 'set foreign_key_checks=0', 'truncate y'] });
    expect(load).toMatchObject({
      session_params: own({ foreign_key_checks: 0 }),
      before: [{ sql: 'delete from x', session_params: own({}) }, 'truncate y'],
    });
  });

  test.each([
    [{ PreSteps: ['set foreign_key_checks=false', 'set @@session.unique_checks = TRUE'] }],
    [{ Dsn: `${DSN}?foreign_key_checks=false&unique_checks=True` }],
  ])('true and false are the numbers that servers take them for, and no text: %j', async (keys) => {
    const { load } = await one(keys);
    expect(load['session_params']).toEqual(own({ foreign_key_checks: 0, unique_checks: 1 }));
  });

  test.each(['18446744073709551615', '-9007199254740993', '9007199254740991'])(
    'a setting keeps all its digits: %s',
    async (digits) => {
      await one({ PreSteps: [`set session max_join_size = ${digits}`] });
      const project = await loadProject(path.join(cwd(), 'made'), { env: { MOT_PASSWORD: 'x' } });
      expect(project.loads['task.one']!.sessionParams).toMatchObject({ max_join_size: digits });
    },
  );

  test.each([
    ['set session transaction isolation level read uncommitted', 'ignored', 'Waybill says it by itself'],
    ['set local transaction isolation level serializable, read only', 'ignored', 'Waybill says it by itself'],
    ['set global transaction isolation level read committed', 'dangerous', 'changed the server for everybody'],
    ['set global max_connections=9', 'dangerous', 'changed the server for everybody'],
    ["set sql_mode=''", 'ignored', 'it changes how SQL is read, and whether values that do not fit are refused'],
    ['set names utf8', 'ignored', 'Waybill says it by itself'],
  ])('%s is left out and named', async (statement, kind, why) => {
    const { load, said } = await one({ PreSteps: [statement, 'set names utf8, unique_checks=0'] });
    expect(load['session_params']).toEqual(own({ unique_checks: 0 }));
    const named = said.filter((line) => line.startsWith(`${kind}: \`${statement}\``));
    expect(named).toEqual([expect.stringContaining(why)]);
  });

  test('a comma inside parentheses parts no assignments', async () => {
    const { load, said } = await one({
      PreSteps: ["set sql_mode=(select replace(@@sql_mode,'ONLY_FULL_GROUP_BY','')), unique_checks=0"],
    });
    expect(load['session_params']).toEqual(own({ unique_checks: 0 }));
    expect(said.filter((line) => /^ignored/.test(line))).toEqual([
      expect.stringContaining('it changes how SQL is read'),
    ]);
  });

  test.each([
    ['nothing', {}, 'default'],
    ['a Dsn', { Dsn: `${DSN}?time_zone=%27Europe%2FParis%27` }, 'Europe/Paris'],
    ['a setting', { PreSteps: ["set time_zone = '-05:00'"] }, '-05:00'],
    ['a word', { SessionParam: 'set @@session.time_zone = system' }, 'system'],
  ])('the time zone of the server, unless %s says another', async (_, keys, zone) => {
    const { load, said } = await one(keys);
    expect(load['session_params']).toEqual({ time_zone: zone });
    expect(said.filter((line) => /dangerous|ignored/.test(line))).toEqual([]);
    await loadProject(path.join(cwd(), 'made'), { env: { MOT_PASSWORD: 'x' } });
  });

  test('a comment that swallows pieces is shown', async () => {
    const { sql, said } = await one({ ExecTab: ['update t set a=1 -- all ', 'where b=2 # x', ' '] });
    expect(sql).toBe('update t set a=1 -- all where b=2 # x');
    expect(said).toContain(
      'dangerous: this comment goes on to the end of its line: the pieces behind it are part of it, as they were (`-- all where b=2 # x`)',
    );
  });

  test('times in comments stay as they are', async () => {
    const Exec = "update t set a=1 /* since '$last_etl' */ where b=2\n-- and d<='$etl_to'";
    const { sql, load } = await one({ Exec, PreSteps: ["delete from x -- where d>'$last_etl'"] });
    expect(sql).toBe(Exec);
    expect(load).toMatchObject({ before: ["delete from x -- where d>'$last_etl'"] });
  });

  test.each([
    "update t set a=':to be done', `:from`='12:load_at' where d<'$etl_to'",
    "update t set a=':last_load_at' /* :from here :to there */ where id>=%d and id<%d",
  ])('what looks like a bound or a time of ours in a text or a comment stays as it is: %s', async (Exec) => {
    const { sql } = await one({ Exec, Max: 9, Step: 1, Concurrency: 1, PreSteps: ["delete from x where a=':to'"] });
    for (const word of Exec.match(/'[^$']*'|`.*`|\/\*.*\*\//g)!) expect(sql).toContain(word);
  });

  test('a comment that ends with its line, or with the statement, is not', async () => {
    const { said } = await one({ ExecTab: ['-- all\n', 'update t set a=1 # x'] });
    expect(said.filter((line) => line.includes('comment'))).toEqual([]);
  });

  test.each([
    ["d>'$last_etl'", true],
    ["'$last_etl' < d", true],
    ["d>='$last_etl' and d<'$etl_to'", false],
    ["d<>'$last_etl'", false],
    ['d>$last_etl', true],
  ])('what %s passes over is said', async (where, loses) => {
    const { said } = await one({ Exec: `update t set a=1 where ${where}` });
    expect(said.some((line) => line.startsWith("dangerous: `> '$last_etl'`"))).toBe(loses);
  });

  test('two tasks that write one file write two', async () => {
    const query = (Output: string) => task({ Exec: 'select id from t', ExecType: 'Query', Output });
    const answer = await importing({ 'two.json': { Tasks: [query('a/b.csv'), query('/a/b.csv'), query('./a/b')] } });
    expect(answer, answer.stderr).toMatchObject({ exitCode: 0 });
    const outputs = await Promise.all(['one', 'one_2', 'one_3'].map((name) => yaml(`loads/two/${name}.yaml`)));
    expect(outputs.map(({ output }) => output)).toEqual(['a/b.csv', 'a/b_2.csv', 'a/b_3.csv']);
    expect(answer.stdout).toContain('becomes a/b_2.csv, inside the project, for a task before it writes a/b.csv');
  });

  test('pieces that are joined to one word are shown', async () => {
    const { sql, said } = await one({ ExecTab: ['insert into a select 1 ', 'from b where x=1', 'and y=2'] });
    expect(sql).toBe('insert into a select 1\nfrom b where x=1and y=2');
    expect(said).toContainEqual('dangerous: nothing stands between this piece and the one before: they make `x=1and`');
  });

  test.each([
    [{ Exec: 'update t set a=1 where id>=%d' }, /one\.json:4:11: `%d` stands 1 time, and must stand twice/],
    [{ Exec: 'update t set a=1 where id>=%d and id<%d' }, /: one has %d in its statement and no range/],
    [{ Exec: `update t set a='%s' where id>=%d and id<%d`, Max: 9, Step: 1 }, /`%s` beside `%d`/],
    [{ Exec: 'update t set a=%d where id<%d', Max: 9, Step: 1, Concurrency: 1 }, /the lower bound is not compared/],
    ...[
      ['id>=%d*2 and id<%d', 'the lower bound is part of a longer expression'],
      ['id>=%d and id<%d-1-1', 'the upper bound is part of a longer expression'],
      ['id>=%d and 1+%d>id', 'the upper bound is part of a longer expression'],
      ['id>=-%d and id<%d', 'the lower bound is not compared by >= or >'],
      ['id not between %d and %d', 'the lower bound is not compared by >= or >'],
      ['id>=%d and id<%d-1', '`>= %d … < %d - 1`: which rows each range has'],
      ['id between %d-1 and %d', '`between %d - 1 … %d`: which rows each range has'],
      ['a.id>%d and b.id<=%d', '`> %d … <= %d`: which rows each range has'],
      ['id+1>%d and id<=%d', '`> %d … <= %d`: which rows each range has'],
    ].map(([where, why]): [Record<string, unknown>, RegExp] => [
      { Exec: `update t set a=1 where ${where}`, Max: 9, Step: 1, Concurrency: 1 },
      new RegExp(`one\\.json:4:11: ${why!.replace(/[*+?.]/g, '\\$&')}`),
    ]),
    [{ Exec: `update t set a='from %d' where id>=%d and id<5`, Max: 9, Step: 1 }, /inside the text 'from %d'/],
    [{ Exec: `update t set a=1 where d>'$last_etl 00:00'` }, /inside the text '\$last_etl 00:00'/],
    [{ ExecTab: ["update t set a='", "$last_etl'"] }, /inside the text '\$last_etl'/],
    [{ Exec: `update t set a='it''$last_etl'` }, /inside the text 'it''\$last_etl'/],
    [{ Exec: 'update t set a=1 where id>=%d /* and id<%d */', Max: 9, Step: 1, Concurrency: 1 }, /inside a comment/],
    [{ Exec: `update t set a='1` }, /cannot be read: this string is never closed/],
    [{ Exec: 'call p()' }, /^one\.json:1:1: .*\n {2}one\.json:1:1: one: "call p" cannot stand.*a procedure can commit/],
    [{ Exec: 'use x; update t set a=1' }, /^one\.json:1:1: .*\n {2}one\.json:1:1: one: "use x" cannot stand/],
    [
      { Exec: "load data local infile 'x' into table t" },
      /^one\.json:1:1: .*\n {2}one\.json:1:1: one: "load data local/,
    ],
    [{ PreSteps: ['lock tables t write'] }, /^one\.json:1:1: .*\n {2}one\.json:1:1: one: "lock tables t" cannot stand/],
    [{ Exec: '' }, /one has no statement/],
    [{ Dsn: 'nonsense s3cr3t' }, /one\.json:3:10: `Dsn` is not in the form of the Go driver/],
    [{ Dsn: '' }, /one has no `Dsn`/],
    [{ Step: 'ten' }, /`Step` must be a whole number, and is "ten"/],
    [{ Step: '9007199254740993' }, /`Step` must be below 2\^53, and is 9007199254740993/],
    [{ ExecType: 'Twice' }, /there is no method "Twice"/],
    [{ PreSteps: ['set @x = 1'] }, /cannot become a setting of a load/],
    ...['select max(id) into @m from t', 'insert into t values (@m := 1)', 'create table s select @m'].map(
      onConnection,
    ),
    ...['create temporary table s select 1', "do get_lock('nightly', 9)"].map(onConnection),
    [{ PreSteps: [7] }, /`PreSteps` is a list of texts/],
  ])('refuses %j with the place', async (keys, message) => {
    const said = await refused(keys);
    expect(said).toMatch(message);
    expect(said).not.toContain('s3cr3t');
  });

  test('what lasts as long as a connection stands before the statement itself, for each range', async () => {
    const Exec = 'create temporary table s select 1 as n; update t, s set a=n where id>=%d and id<%d';
    const { sql, load } = await one({ Exec, Max: 9, Step: 3, Concurrency: 1 });
    expect(sql).toBe('create temporary table s select 1 as n; update t, s set a=n where id>=:from and id<:to');
    expect(load).not.toHaveProperty('before');
  });

  test.each([
    ['{ "Tasks": [ { "Name": "a",', '1:28: the file ends in the middle'],
    ['{ "Tasks": [ { "Name": "a"\n "Dsn": "b" } ] }', '2:2: this is no JSON: comma expected'],
    ['', '1:1: the file is empty'],
    ['{ "Dsn": "x", "Exec": { "a": 1 }', '1:33: the file ends in the middle'],
    ['{ "Dsn": "x" }\n }', '2:2: something stands behind the end of the object'],
    ['{ "Dsn": "x" }\n{ "Dsn": "x" }', '2:1: something stands behind the end of the object'],
    ['{ "Dsn": "x" } -- old', '1:16: something stands behind the end of the object'],
    ['[1]', '1:1: a session file is a JSON object'],
    ['{ "Tasks": [] }', '1:1: the session has no tasks'],
    ['{ "Tasks": [1] }', '1:13: a task is an object'],
  ])('refuses the file %j', async (text, message) => {
    const answer = await importing({ 'cut.json': text }, '--json');
    expect(answer.exitCode).toBe(2);
    const { error } = document(answer) as { error: { message: string; where: string } };
    expect(`${error.where}: ${error.message}`).toContain(`cut.json:${message}`);
    expect(await made()).toEqual([]);
  });

  test('several files become one project; names that meet are told apart', async () => {
    const answer = await importing({
      'a.json': { Tasks: [task({}), task({})] },
      'b.json': task({}),
      'c.json': task({}),
    });
    expect(answer).toMatchObject({ exitCode: 0 });
    expect((await made()).filter((file) => file.endsWith('.sql')).sort()).toEqual([
      'loads/a/one.sql',
      'loads/a/one_2.sql',
      'loads/task/one.sql',
      'loads/task/one_2.sql',
    ]);
  });

  test('says how to go there, and keeps passwords out of git, where nothing does yet', async () => {
    const answer = await importing({ 'one.json': task({}) });
    expect(answer.stdout).toMatch(/Next:\n {2}cd made\n/);
    expect(await read('.gitignore')).toMatch(/^\.env$/m);
    const here = path.join(cwd(), 'here');
    await mkdir(here);
    await writeFile(path.join(here, '.gitignore'), 'mine\n');
    const second = await run(['import', 'pupdate', '../one.json'], { cwd: here });
    expect(second, second.stderr).toMatchObject({ exitCode: 0 });
    expect(second.stdout).not.toContain('  cd ');
    expect(await readFile(path.join(here, '.gitignore'), 'utf8')).toBe('mine\n');
  });

  test('touches nothing that is there', async () => {
    await importing({ 'one.json': task({}) });
    const again = await importing({ 'one.json': task({}) });
    expect(again.exitCode).toBe(2);
    expect(again.stderr).toContain('nothing is overwritten');
  });

  test('says what it can import, and of a file that is not there', async () => {
    expect((await run(['import', 'pentaho', 'x'], { cwd: cwd() })).stderr).toContain(
      'files of pentaho cannot be imported',
    );
    expect((await run(['import', 'pupdate', 'x.json'], { cwd: cwd() })).stderr).toContain(
      'x.json cannot be read: there is no such file',
    );
    expect((await run(['import', 'pupdate', '.'], { cwd: cwd() })).stderr).toContain(
      '. cannot be read: it is a folder',
    );
    await writeFile(path.join(cwd(), 'binary.json'), Buffer.from([0x7b, 0xff, 0xfe, 0x00]));
    expect(await run(['import', 'pupdate', 'binary.json'], { cwd: cwd() })).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/byte FF is not valid here[^]*binary\.json:1:2[^]*UTF-8/) as string,
    });
    expect(await made()).toEqual([]);
  });
});
