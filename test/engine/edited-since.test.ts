/** What a held batch is not resumed for: its load as it is now is compared with what the ledger has of it. */
import { expect, test } from 'vitest';
import { editedSince } from '../../src/activities/edited-since.ts';
import type { LoadDefinition } from '../../src/config/definition.ts';
import { loadProject } from '../../src/config/load-project.ts';
import { BASE_PROJECT, ENVIRONMENT, withProject } from '../config/project-folder.ts';

const ACQUISITION = `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight, range: { column: id, step: 100 } }
to: { table: acq.flight, on_invalid: { line: text, file: text } }
`;
const CORE = `kind: core
connection: warehouse
inputs: [ { table: acq.flight, external: true, ready: select 1 } ]
params: { text: a, file: b, line: 7, column: 3, lanes: 1 }
stages:
  - { name: flights, sql: flights.sql, lanes: 2, chunk: { input: acq.flight } }
outputs: [core.flight]
before: [ { sql: delete from core.old, session_params: { work_mem: 64MB } } ]
checks: [ { name: some, sql: select 1, expect: 1 } ]
`;
const TASK = `kind: task
connection: warehouse
range: { min: 1, max: select max(id) from core.flight, step: 10 }
sql: select id from core.flight where id between :from and :to
method: query
output: rows.csv
on_error: delete from core.old
`;

/** The load as the ledger has it, which keeps JSON. */
const defined = (yaml: string): Promise<LoadDefinition> => {
  const files = { ...BASE_PROJECT, 'loads/acquisition/flight.yaml': null, 'loads/core/flight.yaml': null };
  const session = BASE_PROJECT['waybill.yaml']!.replace(/nightly: .*/, 'nightly: { loads: [some.load] }');
  const sql = BASE_PROJECT['loads/core/flights.sql']!;
  const all = { ...files, 'waybill.yaml': session, 'loads/some/load.yaml': yaml, 'loads/some/flights.sql': sql };
  return withProject(all, async (directory) => {
    const { loads } = await loadProject(directory, { env: ENVIRONMENT });
    return JSON.parse(JSON.stringify(loads['some.load'])) as LoadDefinition;
  });
};

test.each([
  ['column: id', 'column: number', ['from'], ACQUISITION],
  ['step: 100', 'step: 200', ['from'], ACQUISITION],
  ['line: text', 'line: fail', ['to'], ACQUISITION],
  [', file: text', '', ['to'], ACQUISITION],
  ['text: a', 'text: b', ['params'], CORE],
  ['file: b', 'file: c', ['params'], CORE],
  ['line: 7', 'line: 8', ['params'], CORE],
  ['column: 3', 'column: 4', ['params'], CORE],
  ['column: 3', 'column: 3.0', ['params'], CORE],
  ['lanes: 1 }', 'lanes: 2 }', ['params'], CORE],
  ['ready: select 1', 'ready: select 2', ['inputs'], CORE],
  ['work_mem: 64MB', 'work_mem: 65MB', ['before'], CORE],
  ['sql: select 1', 'sql: select 2', ['checks'], CORE],
  ['expect: 1', 'expect: 2', ['checks'], CORE],
  ['name: flights', 'name: others', ['sql'], CORE],
  ['checks:', 'on_bad_row: quarantine\nmax_rejected: 7\nchecks:', ['on_bad_row', 'max_rejected'], CORE],
  ['min: 1', 'min: 2', ['range'], TASK],
  ['select max(id)', 'select max(id) + 1', ['range'], TASK],
  ['step: 10', 'step: 20', ['range'], TASK],
  ['method: query', 'method: query_one', ['method'], TASK],
  ['output: rows.csv', 'output: rows.jsonl', ['output'], TASK],
  ['output: rows.csv\n', '', ['output'], TASK],
  ['method: query\noutput: rows.csv\n', '', ['method', 'output'], TASK],
  ['on_error: delete from core.old', 'on_error: delete from core.new', ['on_error'], TASK],
  ['lanes: 2', 'lanes: 3', [], CORE],
  ['connection: warehouse', 'description: moves all lines\nconnection: warehouse', [], CORE],
  ['inputs: [ {', 'lanes: 3\nmax_attempts: 2\nmax_runtime: 1h\nenabled: false\ninputs: [ {', [], CORE],
  ['range: { min', 'lanes: 3\nrange: {    min', [], TASK],
  ['sql: select id', 'sql:    select id', [], TASK],
] as const)('%j that becomes %j: edited is %j', async (from, to, words, yaml) => {
  expect(yaml).toContain(from);
  expect(editedSince(await defined(yaml), await defined(yaml.replace(from, to)))).toEqual(words);
});

test('a batch that a version before `decimals` had opened is edited where a decimal binds another value by now, and only there', async () => {
  const withRate = (rate: string): Promise<LoadDefinition> => defined(CORE.replace('lanes: 1 }', `rate: ${rate} }`));
  for (const [rate, words] of [
    ['2.5', []],
    ['3', []],
    ['100.0', ['params']],
  ] as const) {
    const now = await withRate(rate);
    const { decimals, ...then } = now;
    expect(decimals === undefined, rate).toBe(rate === '3');
    expect(editedSince(then, now), rate).toEqual(words);
  }
});
