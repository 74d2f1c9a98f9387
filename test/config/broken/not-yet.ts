import type { BrokenProject } from '../project-folder.ts';

/** What the contract knows and this version does not do yet. */
export const notYet: BrokenProject[] = [
  {
    title: 'scd2, whose keys are not reported as well',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [{ table: core.flight, rollback: scd2, key: [id], effective_from: a }]
`,
    },
    expected: ['loads/core/flight.yaml:6:43: `rollback: scd2` is not yet available in this version'],
  },
  {
    title: 'undo',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [{ table: core.flight, rollback: undo }]
`,
    },
    expected: ['loads/core/flight.yaml:6:43: `rollback: undo` is not yet available in this version'],
  },
  {
    title: 'keys of scd2 by themselves',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [{ table: core.flight, key: [id] }]
`,
    },
    expected: ['loads/core/flight.yaml:6:33: `outputs.key` is not yet available in this version'],
  },
  {
    title: 'replace and views',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [{ table: core.flight, write: replace, views: true }]
`,
    },
    expected: [
      'loads/core/flight.yaml:6:40: `write: replace` is not yet available in this version',
      'loads/core/flight.yaml:6:49: `outputs.views` is not yet available in this version',
    ],
  },
  {
    title: 'a schedule',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*], schedule: "0 2 * * *", timezone: Europe/London }
`,
    },
    expected: [
      'waybill.yaml:8:46: `sessions.schedule` is not yet available in this version',
      'waybill.yaml:8:69: `sessions.timezone` is not yet available in this version',
    ],
  },
  {
    title: 'a task queue for one connection',
    files: {
      'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
    task_queue: far
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:5:5: `connections.task_queue` is not yet available in this version'],
  },
  {
    title: 'checks of a kind',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
checks:
  - { name: x, kind: unique, sql: select 1, expect: 0 }
`,
    },
    expected: ['loads/core/flight.yaml:8:16: `checks.kind` is not yet available in this version'],
  },
];
