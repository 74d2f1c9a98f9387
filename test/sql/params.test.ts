import { describe, expect, test } from 'vitest';
import type { ParameterValue } from '../../src/config/definition.ts';
import { loadProject } from '../../src/config/load-project.ts';
import type { Dialect } from '../../src/database/dialect.ts';
import { mariadbDialect, mysqlDialect } from '../../src/database/mysql/dialect.ts';
import { postgresDialect } from '../../src/database/postgres/dialect.ts';
import { renderForBatch } from '../../src/sql/batch-sql.ts';
import { BASE_PROJECT, ENVIRONMENT, withProject } from '../config/project-folder.ts';
import { parseOne } from './parse.ts';

/** The cast of `:params.rate`, as a load's file has its default, in a batch that is given a value. */
function castOf(written: string, given?: ParameterValue, dialect: Dialect = postgresDialect): Promise<string> {
  const file = `${BASE_PROJECT['loads/core/flight.yaml']!}params: { rate: ${written} }\n`;
  return withProject({ ...BASE_PROJECT, 'loads/core/flight.yaml': file }, async (directory) => {
    const { loads } = await loadProject(directory, { env: ENVIRONMENT });
    const definition = JSON.parse(JSON.stringify(loads['core.flight'])) as NonNullable<(typeof loads)['core.flight']>;
    const batch = {
      definition,
      batchId: '1',
      loadAt: '2026-01-01T00:00:00.000Z',
      lastLoadAt: null,
      params: { ...definition.params, ...(given !== undefined && { rate: given }) },
      consumed: {},
      invisible: [],
    };
    return renderForBatch(parseOne('select 199 / :params.rate'), batch, dialect).text;
  });
}

describe('a number of params on PostgreSQL, where `/` of whole numbers leaves the rest out', () => {
  test.each([
    ['2', undefined, 'bigint'],
    ['-2', undefined, 'bigint'],
    ['0x1E', undefined, 'bigint'],
    ['2.5', undefined, 'numeric'],
    ['100.0', undefined, 'numeric'],
    ['2.', undefined, 'numeric'],
    ['1e2', undefined, 'numeric'],
    ['2.5', 2, 'numeric'],
    ['100.0', 50, 'numeric'],
    ['2', 3, 'bigint'],
    ['2', 2.5, 'numeric'],
  ])('%s, and %s given, is a %s', async (written, given, type) => {
    expect(await castOf(written, given)).toBe(`select 199 / $1::${type}`);
  });

  test.each(['"100.0"', 'x'])('%s is a text, of the type of its place', async (written) => {
    expect(await castOf(written)).toBe('select 199 / $1');
  });
});

describe.each([mysqlDialect, mariadbDialect])(
  'on $sql.title, whose `/` leaves nothing out, a whole number stays one',
  (dialect) => {
    test.each([
      ['100.0', undefined, 'signed'],
      ['2.5', 2, 'signed'],
      ['2.5', undefined, 'decimal(65,30)'],
      ['2', 2.5, 'decimal(65,30)'],
    ])('%s, and %s given, is a %s', async (written, given, type) => {
      expect(await castOf(written, given, dialect)).toBe(`select 199 / cast(? as ${type})`);
    });
  },
);
