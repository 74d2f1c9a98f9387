import type { BrokenProject } from '../project-folder.ts';

/** Values that do not fit their key. */
export const values: BrokenProject[] = [
  {
    title: 'a number where text is due',
    files: {
      'waybill.yaml': `name: 3
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:1:7: `name` must be text, got 3'],
  },
  {
    title: 'text where a number is due',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
lanes: many
`,
    },
    expected: ['loads/core/flight.yaml:7:8: `lanes` must be a whole number, got "many"'],
  },
  {
    title: 'lanes beyond 64',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
lanes: 65
`,
    },
    expected: ['loads/core/flight.yaml:7:8: `lanes` must be at most 64, got 65'],
  },
  {
    title: 'no lanes',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
lanes: 0
`,
    },
    expected: ['loads/core/flight.yaml:7:8: `lanes` must be at least 1, got 0'],
  },
  {
    title: 'half a lane',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
lanes: 1.5
`,
    },
    expected: ['loads/core/flight.yaml:7:8: `lanes` must be a whole number, got 1.5'],
  },
  {
    title: 'an empty list',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: []
`,
    },
    expected: ['loads/core/flight.yaml:6:10: `outputs` must not be empty'],
  },
  {
    title: 'a key without a value',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: 
`,
    },
    expected: ['loads/core/flight.yaml:6:1: `outputs` is empty: it must be a list'],
  },
  {
    title: 'text where a list is due',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
needs: acquisition.flight
`,
    },
    expected: ['loads/core/flight.yaml:7:8: `needs` must be a list, got "acquisition.flight"'],
  },
  {
    title: 'a number in a list of text',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
needs: [3]
`,
    },
    expected: ['loads/core/flight.yaml:7:9: an entry of `needs` must be text, got 3'],
  },
  {
    title: 'a number where an input is due',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [7]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: [
      'loads/core/flight.yaml:3:10: an entry of `inputs` must be a table, or { table, external: true, ready }, got 7',
    ],
  },
  {
    title: 'yes where true is due',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
enabled: yes
`,
    },
    expected: ['loads/core/flight.yaml:7:10: `enabled` must be true or false, got "yes"'],
  },
  {
    title: 'an on_failure that does not exist',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
on_failure: rollback
`,
    },
    expected: [
      'loads/core/flight.yaml:7:13: `on_failure` must be `roll_back` or `hold` (did you mean `roll_back`?), got "rollback"',
    ],
  },
  {
    title: 'a severity that does not exist',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
checks:
  - { name: x, sql: select 1, expect: 0, severity: warning }
`,
    },
    expected: ['loads/core/flight.yaml:8:52: `severity` must be `error` or `warn`, got "warning"'],
  },
  {
    title: 'a duration without a unit',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
max_runtime: 90
`,
    },
    expected: ['loads/core/flight.yaml:7:14: `max_runtime` must be a duration such as `90s`, `15m` or `1h30m`, got 90'],
  },
  {
    title: 'a duration that is none',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
max_runtime: 2 hours
`,
    },
    expected: [
      'loads/core/flight.yaml:7:14: `max_runtime` must be a duration such as `90s`, `15m` or `1h30m`, got "2 hours"',
    ],
  },
  {
    title: 'a duration of nothing',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
max_runtime: 0s
`,
    },
    expected: ['loads/core/flight.yaml:7:14: `max_runtime` must be longer than nothing'],
  },
  {
    title: 'a duration that no timer keeps',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
defaults: { max_runtime: 30d }
`,
    },
    expected: ['waybill.yaml:9:26: `max_runtime` is 24 days at most'],
  },
  {
    title: 'an expectation that is none',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
checks:
  - { name: x, sql: select 1, expect: "about 3" }
`,
    },
    expected: [
      'loads/core/flight.yaml:8:39: `expect` must be a number, or a comparison in quotes such as `">0"`, got "about 3"',
    ],
  },
  {
    title: 'a list as a parameter',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
params: { regions: [a, b] }
`,
    },
    expected: ['loads/core/flight.yaml:7:20: `regions` must be text, a number, true, false or null, got a list'],
  },
  {
    title: 'a parameter that cannot be named',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
params: { 1st: a }
`,
    },
    expected: ['loads/core/flight.yaml:7:11: the name `1st` must be letters, digits and `_`, and begin with a letter'],
  },
  {
    title: 'a table with three parts',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [warehouse.core.flight]
`,
    },
    expected: [
      'loads/core/flight.yaml:6:11: "warehouse.core.flight" has 3 parts; a connection reaches one database only',
    ],
  },
  {
    title: 'a table that is none',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: ["core flight"]
`,
    },
    expected: ['loads/core/flight.yaml:6:11: "core flight" is not the name of a table'],
  },
  {
    title: 'an output that is no name of a table, beside an insert without :batch_id',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: "insert into core.flight (id) select f.id from {{ acq.flight }} f" }
outputs: [core flight, core.flight]
`,
    },
    expected: [
      'loads/core/flight.yaml:5:40: nothing stamps `batch_id`: this insert into `core.flight` does not use `:batch_id`',
      'loads/core/flight.yaml:6:11: "core flight" is not the name of a table',
    ],
  },
  {
    title: 'a refused server setting',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
session_params:
  work_mem: 64MB
  Default_Transaction_Isolation: serializable
  role: admin
before:
  - { sql: delete from core.flight, session_params: { autocommit: 1 } }
`,
    },
    expected: [
      'loads/core/flight.yaml:9:3: `session_params` cannot set `Default_Transaction_Isolation`: isolation is said by Waybill at every BEGIN',
      'loads/core/flight.yaml:10:3: `session_params` cannot set `role`: a load runs as the user of its connection',
      'loads/core/flight.yaml:12:55: `session_params` cannot set `autocommit`: transactions are opened and committed by Waybill',
    ],
  },
  {
    title: 'a lag without a cursor',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight, lag: 5s }
to: { table: acq.flight }
`,
    },
    expected: ['loads/acquisition/flight.yaml:3:51: `lag` means nothing without `cursor`'],
  },
  {
    title: 'lanes in a stage that is not cut',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, lanes: 2 }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:5:40: `lanes` means nothing in a stage without `chunk`: it is one chunk'],
  },
  {
    title: 'stages of one name',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
  - { name: flights, sql: flights.sql }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:6:13: `flights` stands twice in `stages`'],
  },
  {
    title: 'one input twice',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight, ACQ.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:3:22: `acq.flight` stands twice in `inputs`'],
  },
  {
    title: 'a connection that cannot be named',
    files: {
      'waybill.yaml': `name: flights
connections:
  my source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:3:3: the name `my source` must be letters, digits, `_` and `-`, and begin with a letter'],
  },
  {
    title: 'half a client certificate',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
    tls: { cert: waybill.yaml }
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:5:5: `cert` and `key` go together: one of them is missing'],
  },
  {
    title: 'a PEM file that is not there',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
    tls: { ca: ca.pem }
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:5:16: the PEM file of `ca` does not exist'],
  },
  {
    title: 'a session of no loads',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [] }
`,
    },
    expected: ['waybill.yaml:8:21: `loads` must not be empty'],
  },
  {
    title: 'no outputs',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: []
`,
    },
    expected: ['loads/core/flight.yaml:6:10: `outputs` must not be empty'],
  },
  {
    title: 'a control schema that cannot be named',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
    control_schema: My-Schema
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: [
      'waybill.yaml:7:21: `control_schema` must be lower-case letters, digits and `_`, at most 63, got "My-Schema"',
    ],
  },
  {
    title: 'fewer connections than a batch needs',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
    max_connections: 2
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:7:22: `max_connections` must be at least 3, got 2'],
  },
  {
    title: 'chunks of no rows',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight, rows: 0 } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:5:74: `rows` must be at least 1, got 0'],
  },
  {
    title: 'a chunk that is not described',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: true }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:5:47: `chunk` must be a mapping of keys to values, got true'],
  },
  {
    title: 'SQL that is a mapping',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: { file: flights.sql }, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: [
      'loads/core/flight.yaml:5:27: `sql` must be SQL, the name of a .sql file, or a list of them, got a mapping',
    ],
  },
  {
    title: 'SQL that is empty',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: "", chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:5:27: `sql` must not be empty'],
  },
  {
    title: 'needs that are no list',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
needs: acquisition.flight
`,
    },
    expected: ['loads/core/flight.yaml:7:8: `needs` must be a list, got "acquisition.flight"'],
  },
  {
    title: 'an on_bad_row that does not exist',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
on_bad_row: skip
`,
    },
    expected: ['loads/core/flight.yaml:7:13: `on_bad_row` must be `fail` or `quarantine`, got "skip"'],
  },
  {
    title: 'a limit of rejected rows where none is rejected',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
max_rejected: 5
`,
    },
    expected: ['loads/core/flight.yaml:7:1: `max_rejected` means nothing without `on_bad_row: quarantine`'],
  },
  {
    title: 'a limit of rejected rows that is no share',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
on_bad_row: quarantine
max_rejected: 200%
`,
    },
    expected: [
      'loads/core/flight.yaml:8:15: `max_rejected` must be a number of rows, or a share such as `"1%"`, got "200%"',
    ],
  },
  {
    title: 'a quarantine with nothing to halve',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql }
outputs: [core.flight]
on_bad_row: quarantine
`,
    },
    expected: [
      'loads/core/flight.yaml:7:1: `on_bad_row: quarantine` cannot tell rows apart: no stage is cut into chunks',
    ],
  },
  {
    title: 'two cursors',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight, cursor: [id, ts] }
to: { table: acq.flight }
`,
    },
    expected: ['loads/acquisition/flight.yaml:3:59: `cursor` must be text, got a list'],
  },
  {
    title: 'a start without a cursor',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight, start: 5 }
to: { table: acq.flight }
`,
    },
    expected: ['loads/acquisition/flight.yaml:3:51: `start` means nothing without `cursor`'],
  },
  {
    title: 'a kind in capitals',
    files: {
      'loads/core/flight.yaml': `kind: Core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:1:7: unknown kind `Core`: did you mean `core`?'],
  },
  {
    title: 'checks of one name',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
checks:
  - { name: x, sql: select 1, expect: 1 }
  - { name: x, sql: select 2, expect: 2 }
`,
    },
    expected: ['loads/core/flight.yaml:9:13: `x` stands twice in `checks`'],
  },
];
