import { describe, expect, test } from 'vitest';
import { postgresSql } from '../../src/sql/postgres.ts';
import { renderStatement } from '../../src/sql/render.ts';
import { renderedPosition } from '../../src/sql/rendered-position.ts';
import { parse, parseOne, render } from './parse.ts';

describe('rendering', () => {
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
