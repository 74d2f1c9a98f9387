import type { ProjectFiles } from './project-folder.ts';

/** The example of DESIGN.md §2, less what is not yet available. */
export const FLIGHTS: ProjectFiles = {
  'waybill.yaml': `# waybill.yaml
name: flights
connections:
  source:
    url: \${SOURCE_URL}              # \${X} and \${X:-default}
  warehouse:
    url: \${WAREHOUSE_URL}
    max_connections: 8
defaults: { lanes: 4, chunk_rows: 50000, max_runtime: 2h, max_attempts: 5 }
sessions:
  nightly: { loads: [acquisition.*, core.*, services.*] }
`,
  'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight, cursor: id, lag: 1m30s, start: 0 }
to: { table: acq.flight }
`,
  'loads/acquisition/airport.yml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.airport }
to: acq.airport
`,
  'loads/core/flight.yaml': `# loads/core/flight.yaml
kind: core
connection: warehouse
inputs: [acq.flight, acq.airport]
stages:
  - { name: airports, sql: airports.sql }
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight, rows: 50000 } }
outputs:
  - core.flight
  - { table: core.airport, rollback: delete, write: append }
checks:
  - { name: every flight has an origin, sql: "select count(*) from core.flight where batch_id = :batch_id and origin is null", expect: 0 }
  - { name: enough flights, sql: "select count(*) from core.flight where batch_id = :batch_id", expect: ">0", severity: warn }
`,
  'loads/core/flights.sql': `-- loads/core/flights.sql
insert into core.flight (flight_date, origin, destination, delay_minutes, batch_id)
select f.date, f.origin, f.destination, f.delay, :batch_id
from {{ acq.flight }} f
`,
  'loads/core/airports.sql': `insert into core.airport (iata, name, batch_id)
select a.iata, a.name, :batch_id from {{ acq.airport }} a`,
  'loads/services/delay.yaml': `kind: services
connection: warehouse
consumes: [core.flight]
reads: [core.customer]
stages:
  - name: delays
    sql: |
      insert into mart.delay (origin, minutes, batch_id)
      select f.origin, sum(f.delay_minutes), :batch_id
      from {{ core.flight }} f join {{ core.customer }} c on true
      where f.region = :params.region
      group by f.origin
outputs: [mart.delay]
before: create table if not exists mart.delay (origin text)
after: [analyze mart.delay, "vacuum_log.sql"]
params: { region: EU, depth: 3, all: false }
session_params: { work_mem: 64MB, enable_seqscan: false }
lanes: 2
max_attempts: 3
max_runtime: 1h30m
on_bad_row: fail
on_failure: hold
renamed_from: services.delays
needs: [acquisition.airport]
description: Delays by origin
`,
  'loads/services/vacuum_log.sql': 'select 1',
};
