import { describe, expect, it } from 'vitest';

import { checkAgainstDatabase } from '../../src/config/check-database.ts';
import type { TableDescription } from '../../src/config/check-database.ts';
import { loadProject } from '../../src/config/load-project.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { BASE_PROJECT, ENVIRONMENT, withProject } from './project-folder.ts';
import type { ProjectFiles } from './project-folder.ts';

/** `id bigint`, `batch_id bigint`, `ngdw_id bigint default`, `x text not null`, `g text generated`. */
function table(columns: string, indexes: string[][] = [], kind = 'table'): TableDescription {
  return {
    kind,
    columns: columns.split(', ').map((column) => ({
      name: column.split(' ')[0] ?? '',
      type: column.split(' ')[1] ?? '',
      nullable: !column.includes('not null'),
      hasDefault: column.includes('default'),
      generated: column.includes('generated'),
    })),
    indexes: indexes.map((names) => ({ name: names.join('_'), columns: names, unique: false })),
  };
}

const GOOD: Record<string, TableDescription> = {
  'source public.flight': table('id bigint, origin text'),
  'warehouse acq.flight': table('ngdw_id bigint not null default, batch_id bigint, id bigint, origin text'),
  'warehouse core.flight': table('id bigint, batch_id bigint', [['batch_id']]),
};

async function problemsOf(
  tables: Record<string, TableDescription | undefined>,
  files: ProjectFiles = {},
  cutsByPages = true,
) {
  const all = { ...GOOD, ...tables };
  return withProject({ ...BASE_PROJECT, ...files }, async (directory) => {
    const project = await loadProject(directory, { env: ENVIRONMENT });
    const problems = await checkAgainstDatabase(project, {
      describe: (connection, name) => Promise.resolve(all[`${connection} ${name}`]),
      misleading: () => Promise.resolve(undefined),
      describeQuery: ({ from }) => Promise.resolve(all[`${from!.connection} from.sql`]!),
      notOfOneMoment: () => Promise.resolve(undefined),
      planLanding: () => Promise.resolve({ notes: [] }),
      neverTakenBack: () => Promise.resolve(undefined),
      mayKeepRows: () => Promise.resolve(undefined),
      changesOthers: () => Promise.resolve(undefined),
      noSnapshot: ({ connection }, name) => {
        const { kind } = all[`${connection} ${name}`]!;
        return Promise.resolve(kind === 'table' ? [] : [{ reason: `it is a ${kind}`, next: 'Name another.' }]);
      },
      cursorRefusals: () => Promise.resolve([]),
      rangeRefusal: () => Promise.resolve(undefined),
      keyRefusal: () => Promise.resolve(undefined),
      settingsRefusals: () => Promise.resolve([]),
      listTables: (connection) =>
        Promise.resolve(
          Object.entries(all).flatMap(([key, found]) =>
            found !== undefined && key.startsWith(`${connection} `) ? [key.split(' ')[1] ?? ''] : [],
          ),
        ),
      cutsByPages: () => cutsByPages,
    });
    return problems.map((problem) => `${problem.severity} ${formatProblem(problem)}`);
  });
}

const WHOLE = {
  'loads/acquisition/flight.yaml': `${String(BASE_PROJECT['loads/acquisition/flight.yaml']).replace(', cursor: id', '')}chunk_rows: 1000\n`,
};

const KEYED = {
  'loads/core/flight.yaml': String(BASE_PROJECT['loads/core/flight.yaml'])
    .replace('chunk: { input: acq.flight }', 'chunk: { input: acq.flight, key: [id, orgin] }')
    .replace('outputs', 'reads: [core.customer]\noutputs'),
};

describe('a project against its databases', () => {
  it('is right', async () => expect(await problemsOf({})).toEqual([]));

  it('has a key to cut by, where the server knows no pages', async () => {
    const landing = table('ngdw_id bigint not null default, batch_id bigint, id bigint, origin text', [['ngdw_id']]);
    expect(await problemsOf({ 'warehouse acq.flight': landing }, {}, false)).toEqual([
      'error loads/core/flight.yaml:5:47: `acq.flight` has no primary key and no unique index by which it could be cut into chunks',
    ]);
    expect(await problemsOf({ 'warehouse acq.flight': landing })).toEqual([]);
    const keyed = { ...landing, indexes: [{ name: 'number', columns: ['ngdw_id'], unique: true }] };
    expect(await problemsOf({ 'warehouse acq.flight': keyed }, {}, false)).toEqual([]);
    const named = { 'loads/core/flight.yaml': KEYED['loads/core/flight.yaml'].replace('orgin', 'origin') };
    expect(
      await problemsOf({ 'warehouse acq.flight': landing, 'warehouse core.customer': landing }, named, false),
    ).toEqual([]);
  });

  it.each<[string, Record<string, TableDescription | undefined>, string[], ProjectFiles?]>([
    [
      'a source table that is not there',
      { 'source public.flight': undefined, 'source public.flights': table('id bigint') },
      [
        'error loads/acquisition/flight.yaml:3:36: there is no table `public.flight` in `source`: did you mean `public.flights`?',
      ],
    ],
    [
      'a cursor that is no column',
      {
        'source public.flight': table('ids bigint, origin text'),
        'warehouse acq.flight': table('ngdw_id bigint default, batch_id bigint, ids bigint, origin text'),
      },
      ['error loads/acquisition/flight.yaml:3:59: `public.flight` has no column `id`: did you mean `ids`?'],
    ],
    [
      'a landing table without its two columns',
      { 'warehouse acq.flight': table('id bigint, origin text') },
      [
        'error loads/acquisition/flight.yaml:4:14: `acq.flight` has no column `batch_id`: no roll back could find its rows',
        'error loads/acquisition/flight.yaml:4:14: `acq.flight` has no column `ngdw_id`',
      ],
    ],
    [
      'a landing table that numbers nothing (what else does not fit it is said after that)',
      {
        'warehouse acq.flight': table(
          'ngdw_id bigint, batch_id bigint, id bigint, x text not null, origin text generated',
        ),
      },
      [
        'error loads/acquisition/flight.yaml:4:14: `ngdw_id` of `acq.flight` has no default: nothing would number the rows',
      ],
    ],
    [
      'a partitioned input',
      {
        'warehouse acq.flight': {
          ...table('ngdw_id bigint default, batch_id bigint, id bigint, origin text'),
          kind: 'partitioned table',
        },
      },
      [
        'error loads/acquisition/flight.yaml:4:14: `acq.flight` is a partitioned table, and only a plain table can be used here',
        'error loads/core/flight.yaml:3:10: the snapshot cannot be taken: acq.flight: it is a partitioned table',
      ],
    ],
    [
      'chunks of rows of a table that nothing cuts',
      {},
      [
        'warn loads/acquisition/flight.yaml:5:13: `chunk_rows` does nothing: `public.flight` has no primary key and no unique index without NULLs, and is one chunk',
      ],
      WHOLE,
    ],
    [
      'chunks of rows of a table that has a key',
      {
        'source public.flight': {
          ...table('id bigint not null, origin text'),
          indexes: [{ name: 'flight_pk', columns: ['id'], unique: true }],
        },
      },
      [],
      WHOLE,
    ],
    [
      'an output without an index',
      { 'warehouse core.flight': table('id bigint, batch_id bigint', [['id', 'batch_id']]) },
      [
        'warn loads/core/flight.yaml:6:11: no index of `core.flight` begins with `batch_id`: a roll back reads the whole table',
      ],
    ],
    [
      'an output without batch_id',
      { 'warehouse core.flight': table('id bigint', [['batch_id']]) },
      ['error loads/core/flight.yaml:6:11: `core.flight` has no column `batch_id`: no roll back could find its rows'],
    ],
    [
      'an output whose batch_id is text',
      { 'warehouse core.flight': table('id bigint, batch_id text', [['batch_id']]) },
      ['error loads/core/flight.yaml:6:11: `batch_id` of `core.flight` must be bigint, and is text'],
    ],
    [
      'a view as an output',
      { 'warehouse core.flight': table('id bigint, batch_id bigint', [['batch_id']], 'view') },
      ['error loads/core/flight.yaml:6:11: `core.flight` is a view, and only a plain table can be used here'],
    ],
    [
      'a key that is no column, and a table to read that is not there',
      {},
      [
        'error loads/core/flight.yaml:5:73: `acq.flight` has no column `orgin`: did you mean `origin`?',
        'error loads/core/flight.yaml:6:9: there is no table `core.customer` in `warehouse`',
      ],
      KEYED,
    ],
  ])('%s', async (_title, tables, expected, files) => expect(await problemsOf(tables, files)).toEqual(expected));
});
