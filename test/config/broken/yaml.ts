import type { BrokenProject } from '../project-folder.ts';

/** What is not YAML, or not one mapping. */
export const yaml: BrokenProject[] = [
  {
    title: 'a waybill.yaml that is empty',
    files: { 'waybill.yaml': `` },
    expected: ['waybill.yaml:1:1: the file is empty: it must be a mapping of keys to values'],
  },
  {
    title: 'a waybill.yaml that is a list',
    files: {
      'waybill.yaml': `- a
`,
    },
    expected: ['waybill.yaml:1:1: the file must be a mapping of keys to values, got a list'],
  },
  {
    title: 'no waybill.yaml',
    files: { 'waybill.yaml': null },
    expected: ['waybill.yaml:1:1: there is no waybill.yaml in DIR'],
  },
  {
    title: 'a load file that is empty',
    files: { 'loads/core/flight.yaml': `` },
    expected: ['loads/core/flight.yaml:1:1: this file is empty'],
  },
  {
    title: 'a load file that is a list',
    files: {
      'loads/core/flight.yaml': `- kind: core
`,
    },
    expected: ['loads/core/flight.yaml:1:1: a load is a mapping of keys to values'],
  },
  {
    title: 'a tab as indentation',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs:
	- acq.flight
`,
    },
    expected: ['loads/core/flight.yaml:4:1: tabs cannot indent YAML'],
  },
  {
    title: 'a quote that is never closed',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: "warehouse
`,
    },
    expected: ['loads/core/flight.yaml:3:1: a quote, bracket or comma is missing'],
  },
  {
    title: 'a bracket that is never closed',
    files: {
      'loads/core/flight.yaml': `kind: core
inputs: [acq.flight
connection: warehouse
`,
    },
    expected: ['loads/core/flight.yaml:3:1: this line is not indented like its neighbours, or a bracket is not closed'],
  },
  {
    title: 'a key given twice',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:7:1: `outputs` is given twice'],
  },
  {
    title: 'a second colon in a line',
    files: {
      'loads/core/flight.yaml': `kind: core
description: flights: all of them
`,
    },
    expected: ['loads/core/flight.yaml:2:14: there is a second `: ` in this line'],
  },
  {
    title: 'a second document',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
---
kind: core
`,
    },
    expected: ['loads/core/flight.yaml:7:1: a second document starts here (`---`)'],
  },
  {
    title: 'a tag',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
description: !env X
`,
    },
    expected: ['loads/core/flight.yaml:7:14: tags (`!name`) are not understood here'],
  },
  {
    title: 'an alias of nothing',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
description: *all
`,
    },
    expected: ['loads/core/flight.yaml:7:14: this alias (`*name`) refers to nothing'],
  },
  {
    title: 'a mapping as a key',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
params: { { a: 1 }: 2 }
`,
    },
    expected: ['loads/core/flight.yaml:7:11: a key must be a plain name'],
  },
  {
    title: 'a variable inside braces without quotes',
    files: {
      'waybill.yaml': `name: flights
connections:
  source: { url: \${SOURCE_URL} }
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
    },
    expected: ['waybill.yaml:3:19: `${…}` inside { } or [ ] is not read as one value'],
  },
  {
    title: 'an expectation that YAML reads as a folded text',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
checks:
  - name: some
    sql: select 1
    expect: >0
`,
    },
    expected: ['loads/core/flight.yaml:10:14: a value that starts with `>` needs quotes'],
  },
  {
    title: 'a number that is not kept exactly',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
params: { id: 9007199254740993 }
`,
    },
    expected: ['loads/core/flight.yaml:7:15: the number 9007199254740993 is too large to be kept exactly'],
  },
  {
    title: 'a decimal that is not kept exactly',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
params: { limit: 1234567890123456.78, a: 1.50, b: 1e3, c: +.5, d: 0x1F, e: -0.0, f: 1234567890123.45, g: "1234567890123456.78" }
`,
    },
    expected: ['loads/core/flight.yaml:7:18: the number 1234567890123456.78 has too many digits to be kept exactly'],
  },
  {
    title: 'a value that starts with @',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
description: @me
`,
    },
    expected: ['loads/core/flight.yaml:7:14: a value cannot start with this character unless it is in quotes'],
  },
  {
    title: 'an alias inside of what it refers to',
    files: { 'waybill.yaml': `a: &a [*a]\n` },
    expected: ['waybill.yaml:1:8: this alias (`*name`) stands inside of what it refers to'],
  },
  {
    title: 'aliases that grow without end',
    files: {
      'waybill.yaml': `a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b]
d: [*c, *c, *c, *c, *c, *c, *c, *c]
`,
    },
    expected: ['waybill.yaml:1:1: aliases (`*name`) of aliases make this file too large'],
  },
  {
    title: 'a key indented like a list',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
 - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
  outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:6:1: this line is not indented like its neighbours, or a bracket is not closed'],
  },
  {
    title: 'a dash without a space',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  -{ name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:5:12: the `-` of a list needs a space after it'],
  },
  {
    title: 'a colon without a space',
    files: {
      'loads/core/flight.yaml': `kind:core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:1:1: a colon needs a space after it'],
  },
  {
    title: 'a line without a colon',
    files: {
      'loads/core/flight.yaml': `kind core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:1:1: this line is neither `key: value` nor an entry of a list'],
  },
  {
    title: 'a line that is indented too far',
    files: {
      'loads/core/flight.yaml': `kind: core
 connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:1:7: the line after this one is indented too far'],
  },
  {
    title: 'a line that is not indented far enough',
    files: {
      'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - name: flights
    sql: flights.sql
   chunk: { input: acq.flight }
outputs: [core.flight]
`,
    },
    expected: ['loads/core/flight.yaml:7:1: this line is not indented like its neighbours, or a bracket is not closed'],
  },
];
