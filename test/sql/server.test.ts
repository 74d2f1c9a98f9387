import fc from 'fast-check';
import { Client, DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postgresSql } from '../../src/sql/postgres.ts';
import { lex } from '../../src/sql/lexer.ts';
import { SqlError } from '../../src/sql/sql-error.ts';
import { freshDatabase, servers, type FreshDatabase } from '../servers.ts';
import { postgresFragments } from './fragments.ts';
import { parseOne, render, source } from './parse.ts';

const { gap, literal, parameter } = postgresFragments;

describe.each(servers)('the lexer beside $name', (server) => {
  let database: FreshDatabase;
  let client: Client;
  beforeAll(async () => {
    database = await freshDatabase(server);
    client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query('create table t (a int primary key, b int); create table arr (x int[])');
    await client.query('create procedure p(a int) language sql as $$ select 1 $$');
  });
  afterAll(async () => {
    await client.end();
    await database.drop();
  });

  /** A `)` in code, something never closed, or neither: whichever comes first. */
  type Verdict = 'parenthesis' | 'unclosed' | 'fine' | 'refused';

  function ours(text: string): Verdict {
    try {
      for (const token of lex(source(text), postgresSql)) {
        if (token.text === ')' && token.kind === 'punctuation') return 'parenthesis';
      }
      return 'fine';
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      return error.message.includes('never closed') ? 'unclosed' : 'refused';
    }
  }

  /** PL/pgSQL runs the server's own scanner over an expression and asks no grammar, as long as nothing is executed. */
  async function theirs(text: string): Promise<Verdict> {
    try {
      await client.query(`do $oracle$begin return; perform ${text};\nend$oracle$`);
      return 'fine';
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      if (error.message.includes('mismatched parentheses')) return 'parenthesis';
      return error.message.includes('unterminated') ? 'unclosed' : 'refused';
    }
  }

  test('sees code, strings, comments and names where the server sees them, in any text', async () => {
    await client.query('set check_function_bodies = off');
    const pieces = `'|'|"|$|$$|$a$|a|e|E'|e'|U&'|U&"|b'|x'|n|\\|\\|-|--|/|*|/*|*/|\n|\n|\r| |\t|:|::|1|1e|.|é|\u00a0|#|+|@|?|)|)|_`;
    const soup = fc.array(fc.constantFrom(...pieces.split('|')), { minLength: 1, maxLength: 14 });
    await fc.assert(
      fc.asyncProperty(soup, async (parts) => {
        const text = ` 1 ${parts.join('')}\n`;
        const [mine, server] = [ours(text), await theirs(text)];
        // `:e'…'`: we bind :e; the server, which never sees it so, reads an E string.
        fc.pre(mine !== 'refused' && server !== 'refused' && !/:[eEbBxXnNuU]&?['"]/.test(text));
        expect(mine).toBe(server);
      }),
      { numRuns: 1500 },
    );
  });

  test('binds parameters and leaves texts alone, so that the server gives back what was meant', async () => {
    const items = fc.array(fc.oneof(literal, parameter), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(items, fc.array(gap, { minLength: 1, maxLength: 3 }), async (expressions, gaps) => {
        const list = expressions.map(({ text }, i) => `${gaps[i % gaps.length]!.text} ${text}`).join(',');
        const { text, values } = render(`select${list}`, 'text');
        const { rows } = await client.query({ text, values, rowMode: 'array' });
        expect(rows).toEqual([expressions.map(({ value }) => value)]);
      }),
      { numRuns: 300 },
    );
  });

  const bound = [
    'select :a::int',
    '((select :a::int) union select 1)',
    'values (:a::int)',
    'table t limit :a',
    'with x as (select :a::int) select * from x',
    'insert into t values (:a, 1)',
    'update t set b = :a',
    'delete from t where a = :a',
    'merge into t using (select :a::int as k) s on s.k = t.a when not matched then insert values (s.k, 1)',
    'explain (analyze) insert into t values (:a, 1)',
    'call p(:a)',
    'declare c cursor for select :a::int',
    'create table u as select :a::int as x',
    'create temp table u on commit drop as (values (:a::int))',
    'select x[:a:2], x[:a : :a], x[1: :a] from arr',
    'select (array[1, 2])[:a]',
    "select jsonb_build_object('k', :a::int) ? 'k', array[:a::int,:a::int]",
    'select 1 offset :a fetch first :a rows only',
    'create materialized view u as select :a::int',
    'create view u as select :a::int',
    'create table u (a int default :a)',
    'create table u (a int, b int generated always as (a + :a) stored)',
    'create index on t (b) where b > :a',
    'create rule r as on insert to t do also delete from t where a = :a',
    'alter table t alter b set default :a',
    'comment on table t is :a',
    'set local work_mem = :a',
    "copy (select :a::int) to '/tmp/x'",
    'notify x, :a',
  ];
  test.each(bound)('takes values where the server does: %s', async (text) => {
    let accepts = true;
    try {
      parseOne(text);
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      accepts = false;
    }
    await client.query('begin');
    const sent = text.replaceAll(/(?<!:):a/g, '$1');
    const answer = await client.query(sent, [1]).then(
      () => 'taken',
      (error: Error) => error.message,
    );
    await client.query('rollback');
    expect(accepts, answer).toBe(answer === 'taken');
  });
});
