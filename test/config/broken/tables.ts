import type { BrokenProject } from '../project-folder.ts';

/** A core load whose input is named without a schema. */
const CORE_OF_FLIGHT = {
  'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: flight } }
outputs: [core.flight]
`,
  'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id
from {{ flight }} f
`,
};

/** Tables between loads: who fills, empties, writes and waits. */
export const tables: BrokenProject[] = [
  {
    title: 'readiness of a table that an acquisition fills',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [{ table: acq.flight, ready: select 1 }]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: [
      'loads/core/flight.yaml:3:31: `ready` is for a table that scripts fill: an acquisition is waited for by itself',
    ],
  },
  {
    title: 'readiness that is no question, or asks for what is not there yet',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [{ table: acq.flight, external: true, ready: "delete from x" }, { table: acq.other, external: true, ready: "select :batch_id from {{ acq.other }}" }]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: [
      'loads/core/flight.yaml:3:55: `ready` is a query, and this is `delete`',
      'loads/core/flight.yaml:3:124: `:batch_id` is not known yet when `ready` is asked: the batch opens after that',
      'loads/core/flight.yaml:3:139: `{{ acq.other }}` cannot be read in `ready`: it is asked before the batch opens',
    ],
  },
  {
    title: 'an input that nobody fills, with the nearest',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flihgt]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flihgt } }
outputs: [core.flight]
`,
      'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id
from {{ acq.flihgt }} f
`,
    },
    expected: ['loads/core/flight.yaml:3:10: no acquisition fills `acq.flihgt`: did you mean `acq.flight`?'],
  },
  {
    title: 'an input that no stage reads',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight, { table: acq.airport, external: true }]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:3:22: no stage reads the input `acq.airport`: its rows would be lost'],
  },
  {
    title: 'one landing table in two loads',
    files: {
      'loads/core/other.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: "insert into core.other select id, :batch_id from {{ acq.flight }} f" }
outputs: [core.other]
`,
    },
    expected: [
      'loads/core/other.yaml:3:10: `acq.flight` is an input of `core.flight` too: two loads cannot empty one table',
    ],
  },
  {
    title: 'one output in two loads',
    files: {
      'loads/services/delay.yaml': `kind: services
connection: warehouse
consumes: [core.flight]
stages:
  - name: delays
    sql: insert into core.flight select id, :batch_id from {{ core.flight }} f
outputs: [core.flight]
`,
    },
    expected: [
      'loads/services/delay.yaml:7:11: `core.flight` is written by `core.flight` too: one table belongs to one load',
    ],
  },
  {
    title: 'one landing table of two acquisitions',
    files: {
      'loads/acquisition/again.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight, cursor: id }
to: { table: acq.flight }
`,
    },
    expected: [
      'loads/acquisition/flight.yaml:4:14: `acq.flight` is written by `acquisition.again` too: one table belongs to one load',
    ],
  },
  {
    title: 'the public schema, said and not said',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight, cursor: id }
to: { table: flight }
`,
      'loads/acquisition/again.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight, cursor: id }
to: { table: public.flight }
`,
      ...CORE_OF_FLIGHT,
    },
    expected: [
      'loads/acquisition/flight.yaml:4:14: `flight` is written by `acquisition.again` too: one table belongs to one load',
    ],
  },
  {
    title: 'a landing table with its schema, and without it',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight, cursor: id }
to: { table: public.flight }
`,
      ...CORE_OF_FLIGHT,
    },
    expected: ['loads/core/flight.yaml:3:10: `flight` is `public.flight` in `acquisition.flight`, which fills it'],
  },
  {
    title: 'an output of another load as an input',
    files: {
      'loads/core/second.yaml': `kind: core
connection: warehouse
inputs: [core.flight]
stages:
  - { name: flights, sql: "insert into core.second select id, :batch_id from {{ core.flight }} f" }
outputs: [core.second]
`,
    },
    expected: [
      'loads/core/second.yaml:3:10: `core.flight` is an output of `core.flight`: the rows of an output cannot be taken away as an input',
    ],
  },
  {
    title: 'an input on another connection',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
  mart:
    url: postgres://localhost/mart
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
      'loads/core/flight.yaml': `kind: core
connection: mart
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: [
      'loads/core/flight.yaml:3:10: `acq.flight` is written on the connection `warehouse`, and this load is on `mart`',
    ],
  },
  {
    title: 'a landing table emptied and consumed',
    files: {
      'loads/core/second.yaml': `kind: core
connection: warehouse
consumes: [acquisition.flight]
stages:
  - { name: flights, sql: "insert into core.second select id, :batch_id from {{ acq.flight }} f" }
outputs: [core.second]
`,
    },
    expected: [
      'loads/core/second.yaml:3:12: `acq.flight` of `acquisition.flight` is emptied by `core.flight` (`inputs`): its batches cannot be consumed as well',
    ],
  },
  {
    title: 'reads of an own output',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
reads: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:7:9: `core.flight` is an output of this load: it needs no `reads`'],
  },
  {
    title: 'a cycle through a consumed load',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
needs: [services.delay]
`,
      'loads/services/delay.yaml': `kind: services
connection: warehouse
consumes: [core.flight]
stages:
  - name: delays
    sql: insert into mart.delay select id, :batch_id from {{ core.flight }} f
outputs: [mart.delay]
`,
    },
    expected: [
      'loads/core/flight.yaml:7:9: these loads wait for each other: core.flight → services.delay → core.flight',
    ],
  },
  {
    title: 'a cycle of needs',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
needs: [core.b]
`,
      'loads/core/b.yaml': `kind: core
connection: warehouse
inputs: [{ table: acq.b, external: true }]
needs: [core.flight]
stages:
  - { name: flights, sql: "insert into core.b select id, :batch_id from {{ acq.b }} b" }
outputs: [core.b]
`,
    },
    expected: ['loads/core/b.yaml:4:9: these loads wait for each other: core.b → core.flight → core.b'],
  },
  {
    title: 'an input that is an output as well',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight, acq.flight]
`,
    },
    expected: [
      'loads/core/flight.yaml:6:24: `acq.flight` is written by `acquisition.flight` too: one table belongs to one load',
    ],
  },
  {
    title: 'one output twice',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight, core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:6:24: `core.flight` stands twice in `outputs`'],
  },
  {
    title: 'an acquisition from its own target',
    files: {
      'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: warehouse, table: acq.flight, cursor: id }
to: { table: acq.flight }
`,
    },
    expected: ['loads/acquisition/flight.yaml:3:39: `acq.flight` would be copied into itself'],
  },
  {
    title: 'a landing table emptied and copied',
    files: {
      'loads/acquisition/archive.yaml': `kind: acquisition
connection: warehouse
from: { connection: warehouse, table: acq.flight, cursor: ngdw_id }
to: { table: acq.archive }
`,
    },
    expected: [
      'loads/acquisition/archive.yaml:3:39: `acq.flight` is emptied by `core.flight` (`inputs`): what that load takes first is never copied',
    ],
  },
  {
    title: 'an input that is consumed as well',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
consumes: [acquisition.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: [
      'loads/core/flight.yaml:4:12: `acq.flight` of `acquisition.flight` is emptied by `core.flight` (`inputs`): its batches cannot be consumed as well',
    ],
  },
  {
    title: 'reads of an own input',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
reads: [acq.flight]
`,
    },
    expected: ['loads/core/flight.yaml:7:9: `acq.flight` is an input of this load: it needs no `reads`'],
  },
];
