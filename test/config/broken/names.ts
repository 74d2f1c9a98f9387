import type { BrokenProject } from '../project-folder.ts';

/** Names of connections, loads, sessions and files; lanes against connections. */
export const names: BrokenProject[] = [
  {
    title: 'an unknown connection',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehose
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:2:13: unknown connection `warehose`: did you mean `warehouse`?'],
  },
  {
    title: 'a sequential session in an order that the tables forbid',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [core.*, acquisition.*], sequential: true }
`,
    },
    expected: ['waybill.yaml:8:21: `core.flight` stands before `acquisition.flight`, for which it has to wait'],
  },
  {
    title: 'a window that is not shared',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*], window: own, sequential: 1 }
`,
    },
    expected: [
      'waybill.yaml:8:54: `window` must be `shared`, got "own"',
      'waybill.yaml:8:71: `sequential` must be true or false, got 1',
    ],
  },
  {
    title: 'an unknown source connection',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: sauce, table: public.flight, cursor: id }
to: { table: acq.flight }
`,
    },
    expected: ['loads/acquisition/flight.yaml:3:21: unknown connection `sauce`: did you mean `source`?'],
  },
  {
    title: 'needs of an unknown load',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
needs: [acquisition.fligt]
`,
    },
    expected: ['loads/core/flight.yaml:7:9: unknown load `acquisition.fligt`: did you mean `acquisition.flight`?'],
  },
  {
    title: 'needs of itself',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
needs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:7:9: `core.flight` names itself in `needs`'],
  },
  {
    title: 'consumes of an unknown load',
    files: {
      'loads/services/delay.yaml': `kind: services
connection: warehouse
consumes: [core.fligth]
stages:
  - name: delays
    sql: insert into mart.delay select id, :batch_id from {{ core.flight }} f
outputs: [mart.delay]
`,
    },
    expected: ['loads/services/delay.yaml:3:12: unknown load `core.fligth`: did you mean `core.flight`?'],
  },
  {
    title: 'consumes across connections',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
  mart:
    url: \${MART_URL:-postgres://localhost/mart}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
      'loads/services/delay.yaml': `kind: services
connection: mart
consumes: [core.flight]
stages:
  - name: delays
    sql: insert into mart.delay select id, :batch_id from {{ core.flight }} f
outputs: [mart.delay]
`,
    },
    expected: [
      'loads/services/delay.yaml:3:12: `core.flight` writes to the connection `warehouse`, and this load is on `mart`',
    ],
  },
  {
    title: 'renamed_from an existing load',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
renamed_from: acquisition.flight
`,
    },
    expected: [
      'loads/core/flight.yaml:7:15: `renamed_from: acquisition.flight`, but the load `acquisition.flight` is still there',
    ],
  },
  {
    title: 'two loads renamed from one',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
renamed_from: core.old
`,
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight, cursor: id }
to: { table: acq.flight }
renamed_from: core.old
`,
    },
    expected: [
      'loads/acquisition/flight.yaml:5:15: `core.flight` says `renamed_from: core.old` too',
      'loads/core/flight.yaml:7:15: `acquisition.flight` says `renamed_from: core.old` too',
    ],
  },
  {
    title: 'a session pattern that fits nothing',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, corr.*] }
`,
    },
    expected: ['waybill.yaml:8:37: no load is named `corr.*`: did you mean `core.*`?'],
  },
  {
    title: 'a session load that does not exist',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.flihgt] }
`,
    },
    expected: ['waybill.yaml:8:37: no load is named `core.flihgt`: did you mean `core.flight`?'],
  },
  {
    title: 'a session named like a load',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  refresh: { loads: [acquisition.*, core.*] }
`,
      'loads/refresh.yaml': `kind: core
connection: warehouse
inputs: [{ table: acq.other, external: true }]
stages:
  - { name: flights, sql: "insert into core.other select 1, :batch_id from {{ acq.other }} o", chunk: { input: acq.other } }
outputs: [core.other]
`,
    },
    expected: ['waybill.yaml:8:3: the session `refresh` has the name of a load: `run refresh` could mean both'],
  },
  {
    title: 'two files of one load',
    files: {
      'loads/core.flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: [
      'loads/core.flight.yaml:5:27: there is no SQL file `flights.sql`: did you mean `core/flights.sql`?',
      'loads/core/flight.yaml:1:1: loads/core.flight.yaml is the load `core.flight` too',
    ],
  },
  {
    title: 'a load that cannot be named',
    files: {
      'loads/core/my flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: [
      'loads/core/my flight.yaml:1:1: `core.my flight` cannot be the name of a load: letters, digits, `_` and `-` only',
    ],
  },
  {
    title: 'a SQL file that is not there, with the nearest',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: fligths.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:5:27: there is no SQL file `fligths.sql`: did you mean `flights.sql`?'],
  },
  {
    title: 'a SQL file outside of the project',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: ../../../flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ["loads/core/flight.yaml:5:27: `../../../flights.sql` is outside the project's folder"],
  },
  {
    title: 'more lanes than connections',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    max_connections: 5
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: [
      'waybill.yaml:6:22: 4 lanes need more connections than `warehouse` has (5, of which 2 are kept for control)',
    ],
  },
  {
    title: 'more lanes than connections, said by the load',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
lanes: 7
`,
    },
    expected: [
      'loads/core/flight.yaml:7:8: 7 lanes need more connections than `warehouse` has (8, of which 2 are kept for control)',
    ],
  },
  {
    title: 'more lanes than the source has connections for them',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    max_connections: 5
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: [
      'waybill.yaml:6:3: 4 lanes need more connections than `source` has (5, of which 2 are kept for control)',
    ],
  },
  {
    title: 'consumes of itself',
    files: {
      'loads/services/d.yaml': `kind: services
connection: warehouse
consumes: [services.d]
stages:
  - { name: d, sql: "insert into mart.d select 1, :batch_id" }
outputs: [mart.d]
`,
    },
    expected: ['loads/services/d.yaml:3:12: `services.d` names itself in `consumes`'],
  },
  {
    title: 'a pattern in needs',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
needs: [acquisition.*]
`,
    },
    expected: ['loads/core/flight.yaml:7:9: unknown load `acquisition.*`: did you mean `acquisition.flight`?'],
  },
  {
    title: 'a session with a dot in its name',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  core.flight: { loads: [acquisition.*, core.*] }
`,
    },
    expected: [
      'waybill.yaml:8:3: the name `core.flight` must be letters, digits, `_` and `-`, and begin with a letter',
    ],
  },
  {
    title: 'one load as .yaml and .yml',
    files: {
      'loads/core/flight.yml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yml:1:1: loads/core/flight.yaml is the load `core.flight` too'],
  },
  {
    title: 'a load file that ends in capitals',
    files: {
      'loads/core/other.YAML': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: [
      'loads/core/other.YAML:1:1: this file would not be read: the name of a load ends in `.yaml`, in small letters',
    ],
  },
  {
    title: 'a session over no loads at all',
    files: {
      'loads/core/flight.yaml': null,
      'loads/core/flights.sql': null,
      'loads/acquisition/flight.yaml': null,
    },
    expected: ['waybill.yaml:8:22: no load is named `acquisition.*`', 'waybill.yaml:8:37: no load is named `core.*`'],
  },
];
