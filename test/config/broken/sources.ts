import type { BrokenProject, ProjectFiles } from '../project-folder.ts';

/** The acquisition with this `from`, and a query beside it. */
const from = (text: string, query?: string): ProjectFiles => ({
  'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, ${text} }
to: { table: acq.flight }
`,
  ...(query !== undefined && { 'loads/acquisition/flights.sql': query }),
});

/** Where an acquisition reads from. */
export const sources: BrokenProject[] = [
  {
    title: 'a source that is nothing',
    files: from('cursor: id'),
    expected: ['loads/acquisition/flight.yaml:3:1: `from` needs `table`, `sql` or `files`'],
  },
  {
    title: 'a source that is two things',
    files: from('table: public.flight, sql: select 1'),
    expected: ['loads/acquisition/flight.yaml:3:51: `from` has `table` and `sql`: rows come from one of them'],
  },
  {
    title: 'a query that is two',
    files: from('sql: flights.sql', 'select 1;\nselect 2;\n'),
    expected: ['loads/acquisition/flights.sql:2:1: `from.sql` is exactly one query, and this is a second'],
  },
  {
    title: 'a query that is none',
    files: from('sql: flights.sql', '-- tidy up\ndelete from flight\n'),
    expected: ['loads/acquisition/flights.sql:2:1: `from.sql` is a query, and this is `delete`'],
  },
  {
    title: 'a query that is empty',
    files: from('sql: flights.sql', '-- later\n'),
    expected: ['loads/acquisition/flights.sql:1:1: there is no SQL statement here'],
  },
  {
    title: 'a query whose file is not there',
    files: from('sql: fligths.sql', 'select 1'),
    expected: ['loads/acquisition/flight.yaml:3:34: there is no SQL file `fligths.sql`: did you mean `flights.sql`?'],
  },
  {
    title: 'values in a query',
    files: from('sql: flights.sql', 'select * from flight\nwhere id > :last_load_at and x = :params.y'),
    expected: [
      'loads/acquisition/flights.sql:2:12: `:last_load_at` cannot be used in `from.sql`: a copy binds no values',
      'loads/acquisition/flights.sql:2:34: `:params.y` cannot be used in `from.sql`: a copy binds no values',
    ],
  },
  {
    title: 'a variable that a query counts with, and finds as another chunk has left it',
    files: {
      'waybill.yaml': `name: flights
connections:
  source: { url: mysql://host/db }
  warehouse: { url: "\${WAREHOUSE_URL}" }
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
      ...from(
        'sql: flights.sql, cursor: id',
        'select id, @n := @n + 1 as n, @m := @m + 1 as m\nfrom flight, (select @m := 0) x',
      ),
    },
    expected: [
      'loads/acquisition/flights.sql:1:12: `@n` is set in `from.sql` with `cursor`: the query runs once a chunk, on several connections, and finds another value there each time',
    ],
  },
  {
    title: 'braces in a query',
    files: from('sql: "select * from {{ acq.flight }} f"'),
    expected: [
      'loads/acquisition/flight.yaml:3:49: `{{ acq.flight }}` cannot be used in `from.sql`: it reads the source, which knows no batches',
    ],
  },
  {
    title: 'quarantine of a query that is one chunk',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, sql: select 1 as id }
to: acq.flight
on_bad_row: quarantine
`,
    },
    expected: [
      'loads/acquisition/flight.yaml:5:1: `on_bad_row: quarantine` cannot tell rows apart: a query without `cursor` or `range` is one chunk',
    ],
  },
  {
    title: 'one moment of a source that is the target, too',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: warehouse, table: public.flight, consistent: true }
to: acq.flight
`,
    },
    expected: [
      'loads/acquisition/flight.yaml:3:54: `consistent` needs a connection of its own to the source, and `warehouse` is also the target',
    ],
  },
  {
    title: 'one moment, and bad rows that are searched later',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight, consistent: true }
to: acq.flight
on_bad_row: quarantine
`,
    },
    expected: [
      'loads/acquisition/flight.yaml:3:51: `consistent` and `on_bad_row: quarantine` exclude each other: bad rows are searched in the source as it is by then',
    ],
  },
  {
    title: 'a range beside a cursor',
    files: from('table: public.flight, cursor: id, range: { column: id, step: 5 }'),
    expected: [
      'loads/acquisition/flight.yaml:3:63: `range` cuts what is read whole, and `cursor` cuts windows: the cursor cuts those too',
    ],
  },
  {
    title: 'a range that does not move on',
    files: from('table: public.flight, range: { column: id, step: 0 }'),
    expected: ['loads/acquisition/flight.yaml:3:78: `step` must be at least 1, got 0'],
  },
  {
    title: 'files of a connection, with a cursor',
    files: from('files: data/*.csv, cursor: id'),
    expected: [
      'loads/acquisition/flight.yaml:3:9: `connection` means nothing for files: they lie where the workers run',
    ],
  },
  ...(
    [
      ['files', '{ files: a.csv }', 'each file is a chunk'],
      [
        'a range',
        '{ connection: source, table: public.flight, range: { column: id, step: 5 } }',
        '`range` has a `step`, which says how long a chunk is',
      ],
      [
        'a query that is one chunk',
        '{ connection: source, sql: select 1 as id }',
        'a query without `cursor` is one chunk',
      ],
    ] as const
  ).map(([what, source, why]) => ({
    title: `rows a chunk of ${what}`,
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: ${source}
to: { table: acq.flight }
chunk_rows: 500
`,
    },
    expected: [`loads/acquisition/flight.yaml:5:1: \`chunk_rows\` means nothing here: ${why}`],
  })),
  {
    title: 'a database that is written in CSV',
    files: from('table: public.flight, csv: { delimiter: ";" }'),
    expected: ['loads/acquisition/flight.yaml:3:51: `csv` means nothing for a database'],
  },
  {
    title: 'files elsewhere, written in a way that cannot be read',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { files: [/data/a.csv, ../b.csv, 'c\\d.csv', e/..f.csv], csv: { delimiter: "'", quote: "'" } }
to: { table: acq.flight }
`,
    },
    expected: [
      "loads/acquisition/flight.yaml:3:17: `/data/a.csv` is not within the project's folder",
      "loads/acquisition/flight.yaml:3:30: `../b.csv` is not within the project's folder",
      "loads/acquisition/flight.yaml:3:40: `c\\d.csv` is not within the project's folder",
      'loads/acquisition/flight.yaml:3:93: `delimiter` and `quote` are one character',
    ],
  },
  {
    title: 'patterns that mean folders, and no file',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { files: [data/**, '**', data/, data/**/*, '**.csv'] }
to: { table: acq.flight }
`,
    },
    expected: [
      'loads/acquisition/flight.yaml:3:17: `data/**` means folders, and no file',
      'loads/acquisition/flight.yaml:3:26: `**` means folders, and no file',
      'loads/acquisition/flight.yaml:3:32: `data/` means folders, and no file',
    ],
  },
  {
    title: 'options of CSV that are none',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { files: a.csv, csv: { delimiter: ", ", encoding: latin1, nulltext: "" } }
to: { table: acq.flight }
`,
    },
    expected: [
      'loads/acquisition/flight.yaml:3:41: `delimiter` must be one ASCII character, and no backslash or line end, got ", "',
      'loads/acquisition/flight.yaml:3:57: `encoding` must be `utf-8`, got "latin1"',
      'loads/acquisition/flight.yaml:3:65: unknown key `nulltext`: did you mean `null_text`?',
    ],
  },
  {
    title: 'a rule for new columns that is none',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight }
to: { table: acq.flight, create: yes please, on_new_columns: added }
`,
    },
    expected: [
      'loads/acquisition/flight.yaml:4:34: `create` must be true or false, got "yes please"',
      'loads/acquisition/flight.yaml:4:62: `on_new_columns` must be `fail`, `ignore` or `add`, got "added"',
    ],
  },
  {
    title: 'rules for values that are none',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight }
to: { table: acq.flight, on_invalid: { id: nil } }
`,
    },
    expected: ['loads/acquisition/flight.yaml:4:44: `id` must be `fail`, `null` or `text`, got "nil"'],
  },
  {
    title: 'a style of texts in which windows and values would travel, but not where files or a step have it',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: warehouse, table: public.flight, cursor: id }
to: acq.flight
session_params:
  work_mem: 64MB
  DateStyle: SQL, DMY
  bytea_output: escape
before:
  - { sql: select 1, session_params: { DateStyle: German } }
`,
      'loads/acquisition/query.yaml': `kind: acquisition
connection: warehouse
from: { connection: warehouse, sql: select 1 as id }
to: acq.query
session_params: { intervalstyle: iso_8601, extra_float_digits: 0 }
`,
      'loads/acquisition/other.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.other }
to: acq.other
session_params: { DateStyle: German }
`,
      'loads/acquisition/file.yaml': `kind: acquisition
connection: warehouse
from: { files: data/*.csv }
to: acq.file
session_params: { DateStyle: German, IntervalStyle: sql_standard }
`,
    },
    expected: [
      ['flight.yaml:7:3', 'DateStyle'],
      ['flight.yaml:8:3', 'bytea_output'],
      ['query.yaml:5:19', 'intervalstyle'],
      ['query.yaml:5:44', 'extra_float_digits'],
    ].map(
      ([place, name]) =>
        `loads/acquisition/${place}: \`session_params\` cannot set \`${name}\`: windows and values travel as text from this connection into itself, in one style`,
    ),
  },
  {
    title: 'a rule for new columns that stands elsewhere',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight }
to: acq.flight
on_new_columns: add
`,
    },
    expected: ['loads/acquisition/flight.yaml:5:1: `on_new_columns` stands under `to`'],
  },
];
