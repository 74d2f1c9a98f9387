-- The source: an operational database that knows nothing of Waybill. Filled by fill-source.ts.
create table flight (
  flight_id bigint generated always as identity,
  date timestamp not null,
  delay integer not null,
  distance integer not null,
  origin text not null,
  destination text not null,
  recorded_at timestamptz not null default now()
);

create table airport (
  iata text primary key,
  name text not null,
  city text,
  state text,
  country text not null,
  latitude double precision not null,
  longitude double precision not null,
  updated_at timestamptz not null
);
