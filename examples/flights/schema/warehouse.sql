-- The warehouse of the example: landing tables, core, services. Every table has the batch that brought each row.
--
-- Batches are appended one after the other, so a BRIN index finds one by its pages: 48 kB for 3,000,000 rows, and no slower to
-- insert into than no index, where a B-tree took 24 MB and twice the time (4 s against 9 s, 2 lanes, 2 cores).
create schema acq;
create schema core;
create schema services;

-- Landing tables: the columns of the source, and two of the load. A sequence of its own, not a serial's: when a snapshot
-- takes the table away, the table that takes its name goes on counting.
create sequence acq.flight_ngdw_id;
create table acq.flight (
  flight_id bigint not null,
  date timestamp not null,
  delay integer not null,
  distance integer not null,
  origin text not null,
  destination text not null,
  recorded_at timestamptz not null,
  batch_id bigint not null,
  ngdw_id bigint not null default nextval('acq.flight_ngdw_id')
);
create index flight_batch on acq.flight using brin (batch_id) with (autosummarize = on);

create sequence acq.airport_ngdw_id;
create table acq.airport (
  iata text not null,
  name text not null,
  city text,
  state text,
  country text not null,
  latitude double precision not null,
  longitude double precision not null,
  updated_at timestamptz not null,
  batch_id bigint not null,
  ngdw_id bigint not null default nextval('acq.airport_ngdw_id')
);
create index airport_batch on acq.airport using brin (batch_id) with (autosummarize = on);

create table core.flight (
  flight_id bigint not null,
  flight_day date not null,
  departs_at timestamp not null,
  origin text not null,
  origin_state text,
  destination text not null,
  destination_state text,
  delay_minutes integer not null,
  distance_miles integer not null,
  batch_id bigint not null
);
create index flight_batch on core.flight using brin (batch_id) with (autosummarize = on);

create table core.airport (
  iata text not null,
  name text not null,
  city text,
  state text,
  country text not null,
  latitude double precision not null,
  longitude double precision not null,
  updated_at timestamptz not null,
  batch_id bigint not null,
  primary key (iata, batch_id)
);
create index airport_batch on core.airport using brin (batch_id) with (autosummarize = on);

create table services.route_delay (
  flight_batch_id bigint not null,
  origin text not null,
  destination text not null,
  flight_day date not null,
  flights bigint not null,
  late_flights bigint not null,
  delay_minutes bigint not null,
  distance_miles bigint not null,
  batch_id bigint not null
);
create index route_delay_batch on services.route_delay using brin (batch_id) with (autosummarize = on);

-- The services load adds up three million flights by route and day: in memory, not on disk.
do $$ begin execute format('alter database %I set work_mem = ''128MB''', current_database()); end $$;
