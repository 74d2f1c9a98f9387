import type { BrokenProject } from '../project-folder.ts';

/** Keys that are unknown, missing or of another kind. */
export const keys: BrokenProject[] = [
  {
    title: 'an unknown key in waybill.yaml, with the nearest',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sesions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:7:1: unknown key `sesions`: did you mean `sessions`?'],
  },
  {
    title: 'an unknown key of a connection',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    max_conections: 8
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:6:5: unknown key `max_conections`: did you mean `max_connections`?'],
  },
  {
    title: 'an unknown key of the defaults, far from any',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
defaults: { banana: 1 }
`,
    },
    expected: ['waybill.yaml:9:13: unknown key `banana`'],
  },
  {
    title: 'an unknown key of a load, with the nearest',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outptus: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:6:1: unknown key `outptus`: did you mean `outputs`?'],
  },
  {
    title: 'an unknown key deep in a stage',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight, row: 100 } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:5:68: unknown key `row`: did you mean `rows`?'],
  },
  {
    title: 'an unknown key of an input',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [{ table: acq.flight, extrenal: true }]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:3:31: unknown key `extrenal`: did you mean `external`?'],
  },
  {
    title: 'an unknown key of a check',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
checks:
  - { name: x, sql: select 1, expects: 1 }
`,
    },
    expected: ['loads/core/flight.yaml:8:31: unknown key `expects`: did you mean `expect`?'],
  },
  {
    title: 'an unknown key of from',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight, curser: id }
to: { table: acq.flight }
`,
    },
    expected: ['loads/acquisition/flight.yaml:3:51: unknown key `curser`: did you mean `cursor`?'],
  },
  {
    title: 'a key of another kind',
    files: {
      'loads/services/delay.yaml': `kind: services
connection: warehouse
consumes: [core.flight]
inputs: [acq.flight]
stages:
  - name: delays
    sql: insert into mart.delay select id, :batch_id from {{ core.flight }} f
outputs: [mart.delay]
`,
    },
    expected: ['loads/services/delay.yaml:4:1: `inputs` is no key of a load of kind `services`: it belongs to `core`'],
  },
  {
    title: 'stages in an acquisition',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight, cursor: id }
to: { table: acq.flight }
stages: []
`,
    },
    expected: [
      'loads/acquisition/flight.yaml:5:1: `stages` is no key of a load of kind `acquisition`: it belongs to `core`, `services`, `task`',
    ],
  },
  {
    title: 'a missing kind',
    files: {
      'loads/core/flight.yaml': `connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:1:1: `kind` is missing'],
  },
  {
    title: 'an unknown kind',
    files: {
      'loads/core/flight.yaml': `kind: cor
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:1:7: unknown kind `cor`: did you mean `core`?'],
  },
  {
    title: 'a missing connection',
    files: {
      'loads/core/flight.yaml': `kind: core
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:1:1: `connection` is missing'],
  },
  {
    title: 'a missing name of a stage',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:5:5: `name` is missing in an entry of `stages`'],
  },
  {
    title: 'a missing url',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    max_connections: 8
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:3:3: `url` is missing in `source`'],
  },
  {
    title: 'no connections',
    files: {
      'waybill.yaml': `name: flights
connections: {}
`,
    },
    expected: ['waybill.yaml:2:1: `connections` must not be empty'],
  },
  {
    title: 'a core load that takes nothing',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
stages:
  - { name: flights, sql: flights.sql }
outputs: [core.flight]
`,
      'loads/core/flights.sql': `insert into core.flight select 1, :batch_id`,
    },
    expected: ['loads/core/flight.yaml:1:1: a core load needs `inputs` or `consumes`'],
  },
  {
    title: 'a services load that consumes nothing',
    files: {
      'loads/services/d.yaml': `kind: services
connection: warehouse
stages:
  - { name: d, sql: "insert into mart.d select 1, :batch_id" }
outputs: [mart.d]
`,
    },
    expected: ['loads/services/d.yaml:1:1: `consumes` is missing'],
  },
  {
    title: 'a session without loads',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: {}
`,
    },
    expected: ['waybill.yaml:8:3: `loads` is missing in `nightly`'],
  },
  {
    title: 'an unknown key of a session',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { laods: [core.*] }
`,
    },
    expected: ['waybill.yaml:8:3: `loads` is missing in `nightly`', 'waybill.yaml:8:14: unknown key `laods`'],
  },
  {
    title: 'missing outputs',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
`,
    },
    expected: ['loads/core/flight.yaml:1:1: `outputs` is missing'],
  },
  {
    title: 'missing stages',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:1:1: `stages` is missing'],
  },
  {
    title: 'a check that expects nothing',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
checks:
  - { name: x, sql: select 1 }
`,
    },
    expected: ['loads/core/flight.yaml:8:5: `expect` is missing in an entry of `checks`'],
  },
  {
    title: 'an acquisition without a target',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight }
`,
    },
    expected: ['loads/acquisition/flight.yaml:1:1: `to` is missing'],
  },
  {
    title: 'an acquisition without a source',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
to: acq.flight
`,
    },
    expected: ['loads/acquisition/flight.yaml:1:1: `from` is missing'],
  },
];
