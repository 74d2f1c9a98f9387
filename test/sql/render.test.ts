import { describe, expect, test } from 'vitest';
import { mysqlSql } from '../../src/sql/mysql.ts';
import { postgresSql } from '../../src/sql/postgres.ts';
import { renderStatement } from '../../src/sql/render.ts';
import { renderedPosition } from '../../src/sql/rendered-position.ts';
import { parse, parseOne, render } from './parse.ts';

describe('rendering for PostgreSQL', () => {
  test('puts placeholders for parameters and rows for braces, and leaves the rest as written', () => {
    const text = "insert into c /* :b */ select :b, ':b', a::text\n from {{ acq.flight }} f -- {{ x }}";
    expect(render(text)).toMatchObject({
      text: "insert into c /* :b */ select $1, ':b', a::text\n from (rows of acq.flight) f -- {{ x }}",
      values: ['<b>'],
    });
  });

  test('gives each use a placeholder of its own, because the server deduces one type for each', () => {
    expect(render('select :b, :b')).toMatchObject({ text: 'select $1, $2', values: ['<b>', '<b>'] });
  });

  test('shares a placeholder between equal values of one cast', () => {
    expect(render('select :b, :c, :b', 'text')).toMatchObject({
      text: 'select $1::text, $2::text, $1::text',
      values: ['<b>', '<c>'],
    });
  });

  test('shares nothing between values that only look equal', () => {
    const values: unknown[] = [1, '1', 1n, 1, 0, -0, null, undefined];
    const statement = parseOne(`select ${values.map((_, i) => `:p${i}`).join(', ')}`);
    const renderer = {
      parameter: ({ name }: { name: string }, bind: (v: unknown, cast?: string) => string) =>
        bind(values[Number(name.slice(1))], name === 'p3' ? 'int' : 'bigint'),
      brace: () => '',
    };
    expect(renderStatement(statement, renderer, postgresSql).values).toEqual(values);
  });

  const glue: [string, string][] = [
    ['select 1 limit:n', 'select 1 limit $1'],
    ['select 1from{{ t }}f', 'select 1from(rows of t)f'],
    ['select 1,:n', 'select 1,$1'],
    ['select :n$$a$$', 'select $1'],
    ['select e:n', 'select e $1'],
  ];
  test.each(glue)('never lets a placeholder grow together with what stands before it: %s', (text, expected) => {
    expect(render(text).text).toBe(expected);
  });

  const parentheses: [string, string][] = [
    ['select :n[1]', 'select ($1::int[])[1]'],
    ['select 1 fetch first :n rows only', 'select 1 fetch first ($1::int[]) rows only'],
    ['select :n, 1', 'select $1::int[], 1'],
  ];
  test.each(parentheses)(
    'puts a cast value in parentheses where the cast would take what follows: %s',
    (text, expected) => {
      expect(render(text, 'int[]').text).toBe(expected);
    },
  );

  test('lets a brace bind values, numbered in the order of the text', () => {
    const statement = parseOne('select :a from {{ t }} t where x = :b');
    const rendered = renderStatement(
      statement,
      {
        parameter: ({ name }, bind) => bind(name),
        brace: ({ table }, bind) => `(select * from ${table} where k < ${bind(7, 'bigint')})`,
      },
      postgresSql,
    );
    expect(rendered).toMatchObject({
      text: 'select $1 from (select * from t where k < $2::bigint) t where x = $3',
      values: ['a', 7, 'b'],
    });
  });
});

describe('rendering for MySQL', () => {
  test('puts a placeholder for each use, with its value in the order of the text', () => {
    const text = "insert into c /* :b ? */ select :b, ':b', :c\n from {{ acq.flight }} f where a = :b # ?";
    expect(render(text, undefined, mysqlSql)).toMatchObject({
      text: "insert into c /* :b ? */ select ?, ':b', ?\n from (rows of acq.flight) f where a = ? # ?",
      values: ['<b>', '<c>', '<b>'],
    });
  });

  test('binds each use again, though a cast makes them one value', () => {
    expect(render('select :b, :c, :b', 'signed', mysqlSql)).toMatchObject({
      text: 'select cast(? as signed), cast(? as signed), cast(? as signed)',
      values: ['<b>', '<c>', '<b>'],
    });
  });

  test('lets a brace bind values between those of parameters', () => {
    const statement = parseOne('select :a from {{ t }} t where x = :b', mysqlSql);
    const rendered = renderStatement(
      statement,
      {
        parameter: ({ name }, bind) => bind(name),
        brace: ({ table }, bind) =>
          `(select * from ${table} where (k > ${bind(7)} or (k = ${bind(7)} and l > ${bind(8)})))`,
      },
      mysqlSql,
    );
    expect(rendered).toMatchObject({
      text: 'select ? from (select * from t where (k > ? or (k = ? and l > ?))) t where x = ?',
      values: ['a', 7, 7, 8, 'b'],
    });
  });

  const glue: [string, string][] = [
    ['select 1 limit:n', 'select 1 limit?'],
    ['select 1from{{ t }}f', 'select 1from(rows of t)f'],
    ['select a--:n', 'select a--?'],
    ["select :n'a'", "select ?'a'"],
  ];
  test.each(glue)('leaves placeholders where they cannot grow together: %s', (text, expected) => {
    expect(render(text, undefined, mysqlSql).text).toBe(expected);
  });

  test('writes instants for a session in UTC', () => {
    expect(mysqlSql.instant('2024-03-31T01:30:00.123456Z')).toBe('2024-03-31 01:30:00.123456');
    expect(postgresSql.instant('2024-03-31T01:30:00.123456Z')).toBe('2024-03-31T01:30:00.123456Z');
  });
});

test('a place in rendered text is found again in the file', () => {
  const [, statement] = parse("select 1;\nselect :a::int, nope,\n  'x\ny', {{ acq.flight }}.q from z");
  const rendered = renderStatement(
    statement!,
    { parameter: () => '$1', brace: () => '(select * from snapshot)' },
    postgresSql,
  );
  const placeOf = (piece: string) => {
    const { line, column } = renderedPosition(statement!, rendered, rendered.text.indexOf(piece));
    return `${line}:${column}`;
  };
  expect(placeOf('select')).toBe('2:1');
  expect(placeOf('$1')).toBe('2:8');
  expect(placeOf('int')).toBe('2:12');
  expect(placeOf('nope')).toBe('2:17');
  expect(placeOf("y'")).toBe('3:3');
  expect(placeOf('snapshot')).toBe('4:5');
  expect(placeOf('q from')).toBe('4:22');
  expect(placeOf('z')).toBe('4:29');
});
